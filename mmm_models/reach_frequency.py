"""Reach and frequency: how much one more contact per person is worth, and how many are best.

A channel whose reach and average frequency are known acts through reach x response of frequency instead of
through their product (Zhang et al. 2023, "Bayesian Hierarchical Media Mix Model Incorporating
Reach and Frequency Data"): the same number of exposures does more when it is spread better.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from mmm_models.errors import ModelError
from mmm_models.transforms import hill

REFERENCE_FREQUENCY = 3.0  # contacts per person and week; the model sees frequency in multiples of it
FEWEST_CONTACTS = 1.0  # whoever is reached has one contact


def frequency_response(
    frequency: Float[Tensor, "unit week channel"],
    log_half: Float[Tensor, "*unit channel"],
    log_slope: Float[Tensor, "*unit channel"],
) -> Float[Tensor, "unit week channel"]:
    """What a person reached so often is worth, one at `REFERENCE_FREQUENCY`.

    A Hill curve f^k / (f^k + b^k), k = exp(log_slope), b = exp(log_half), over its value at 1; `frequency` and b
    are in multiples of `REFERENCE_FREQUENCY`. With k above one it is S-shaped: first contacts alone do little.
    """
    return hill(frequency, log_half, log_slope)


def effective_exposure(
    exposure: Float[Tensor, "unit week channel"],
    reach: Float[Tensor, "unit week channel"],
    log_half: Float[Tensor, "*unit channel"],
    log_slope: Float[Tensor, "*unit channel"],
) -> Float[Tensor, "unit week channel"]:
    """Reach x `frequency_response`: exposures at their worth, the same as `exposure` at `REFERENCE_FREQUENCY`.

    `reach` is in multiples of what makes one `exposure` at that frequency, so that their ratio is the frequency in
    multiples of it. They scale together: more media at the same frequency. Where reach is zero the frequency is
    unknown and counts as the reference.
    """
    known = reach > 0
    frequency = torch.where(known, exposure / torch.where(known, reach, 1.0), 1.0)
    return torch.where(known, reach * frequency_response(frequency, log_half, log_slope), exposure)


@dataclass(frozen=True)
class FrequencyCurve:
    """One channel's response of frequency in contacts per person and week; `half` and `slope` above zero.

    Raises `ModelError` for values that are not.
    """

    half: float
    slope: float

    def __post_init__(self) -> None:
        if not (0 < self.half < math.inf and 0 < self.slope < math.inf):
            raise ModelError(
                f"a frequency response needs half and slope above 0; found {self.half:g} and {self.slope:g}"
            )

    @classmethod
    def of(cls, log_half: float, log_slope: float) -> "FrequencyCurve":
        """From the parameters of `frequency_response`."""
        return cls(REFERENCE_FREQUENCY * math.exp(log_half), math.exp(log_slope))

    def worth_of_impression(self, frequency: float) -> float:
        """Response per contact at this frequency, above zero: what a fixed number of impressions achieves,
        up to a constant. Raises `ModelError` for a frequency that is not above zero."""
        if not 0 < frequency < math.inf:
            raise ModelError(f"a frequency must be above 0; found {frequency:g}")
        power = self.slope * (math.log(frequency) - math.log(self.half))
        return 1.0 / ((1.0 + math.exp(-power)) * frequency) if power > 0 else _small(power) / frequency


def optimal_frequency(
    curve: FrequencyCurve, *, lowest: float = FEWEST_CONTACTS, highest: float = math.inf
) -> float:
    """The frequency at which the same impressions, and so the same spend, achieve most.

    Carry-over and saturation never fall in effective exposure, so it is best at every level of spend:
    half (slope - 1)^(1 / slope), from the derivative of f^k / (f^k + b^k) / f. With a slope of one or less
    every further contact of a person is worth less than the one before, and the lowest frequency is best.
    It is kept between `lowest` and `highest`: impressions over the people there are bound it from below.
    Raises `ModelError` when those are not in order.
    """
    if not 0 < lowest <= highest:
        raise ModelError(
            f"the lowest frequency, {lowest:g}, must be above 0 and not above the highest, {highest:g}"
        )
    if curve.slope <= 1.0:
        return lowest
    best = curve.half * math.pow(curve.slope - 1.0, 1.0 / curve.slope)
    return min(max(best, lowest), highest)


@dataclass(frozen=True)
class FrequencyAdvice:
    """Where a channel's frequency is and where it would be best; `gain` is what the same impressions would achieve
    more of effective exposure, as a share of what they do now."""

    channel: str
    frequency: float
    best_frequency: float
    gain: float


def frequency_advice(
    channel: str, curve: FrequencyCurve, frequency: float, *, highest: float = math.inf
) -> FrequencyAdvice:
    """Compare the present average frequency with the best one. Raises `ModelError` for a frequency not above zero."""
    best = optimal_frequency(curve, lowest=min(FEWEST_CONTACTS, frequency), highest=max(highest, frequency))
    gain = curve.worth_of_impression(best) / curve.worth_of_impression(frequency) - 1.0
    return FrequencyAdvice(channel, frequency, best, gain)


def _small(power: float) -> float:
    """1 / (1 + exp(-power)) for powers that are not positive, without overflow."""
    return math.exp(power) / (1.0 + math.exp(power))
