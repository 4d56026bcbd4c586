"""Splits of money measured: revenue, returns and how sure they are, every number by the same outlook."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.intervals import INTERVAL_LEVEL
from mmm_models.planning.alone import moved_alone
from mmm_models.planning.outlook import Outlook
from mmm_models.planning.plan import Split
from mmm_models.results import NO_INTERVAL, Interval

Array = NDArray[np.float64]
TAIL = (1.0 - INTERVAL_LEVEL) / 2.0
SAME = 1e-9  # of revenue: rounding
STEP = 0.01  # of a cell's media: what marginal returns are measured with
PROBE, NO_MEDIA = 0.01, 1e-6  # typical weeks: the step where a cell has no media, and what counts as none


@dataclass(frozen=True, eq=False)
class Measured:
    """A split's revenue: `expected` [part, channel] and, where known, `drawn` [draw, part, channel]."""

    intensity: Tensor
    spend: Array
    expected: Array
    drawn: Array | None

    def interval(self, part: int, channel: int) -> Interval:
        """Of one cell's revenue."""
        if self._bounds is None:
            return NO_INTERVAL
        low, high = self._bounds[:, part, channel].tolist()
        return Interval(low, high)

    @cached_property
    def _bounds(self) -> Array | None:
        """All cells' at once `[end, part, channel]`."""
        if self.drawn is None:
            return None
        return np.asarray(np.quantile(self.drawn, (TAIL, 1.0 - TAIL), axis=0))


@dataclass(frozen=True)
class Comparison:
    """What one split is expected to bring more than another, and the probability that it does; NaN without intervals,
    and between splits that bring the same."""

    gain: float
    better: float


@dataclass(frozen=True, eq=False)
class Measures:
    """Measures splits against the last period's, which is measured once."""

    look: Outlook
    last: Measured

    @classmethod
    def of(cls, look: Outlook) -> "Measures":
        """Last period's own split, measured as any other."""
        return cls(look, measure(look, torch.from_numpy(look.period.intensity), look.period.spend))

    @cached_property
    def last_split(self) -> Split:
        """The last period's, beside itself."""
        return self.split("last period", self.last)

    def of_spend(self, spend: Array) -> Measured:
        """A split in money `[part, channel]`."""
        return measure(self.look, self.look.intensity(spend), spend)

    def outcome_gain(self, found: Measured) -> tuple[float, Interval]:
        """What a split changes of the whole outcome, part by part at its own price, and its interval."""
        worth = self.look.worth[:, None]
        gain = float(((found.expected - self.last.expected) / worth).sum())
        if found.drawn is None or self.last.drawn is None:
            return gain, NO_INTERVAL
        return gain, interval_of(((found.drawn - self.last.drawn) / worth).sum(axis=(1, 2)))

    def split(self, name: str, found: Measured) -> Split:
        """The whole of it, beside last period."""
        gain = float(found.expected.sum() - self.last.expected.sum())
        spend, revenue = float(found.spend.sum()), float(found.expected.sum())
        paid = float(found.expected[self.look.period.paid].sum())
        roi = paid / spend if spend > 0 else float("nan")
        if found.drawn is None or self.last.drawn is None:
            return Split(name, spend, revenue, gain, roi)
        drawn = found.drawn.sum(axis=(1, 2))
        return Split(
            name,
            spend,
            revenue,
            gain,
            roi,
            revenue_interval=interval_of(drawn),
            gain_interval=interval_of(drawn - self.last.drawn.sum(axis=(1, 2))),
            better=self.compared(found, self.last).better,
        )

    def compared(self, found: Measured, other: Measured) -> Comparison:
        """One split beside another under the same draws."""
        gain, revenue = float(found.expected.sum() - other.expected.sum()), float(found.expected.sum())
        if found.drawn is None or other.drawn is None or not abs(gain) > SAME * revenue:
            return Comparison(gain, float("nan"))
        gains = found.drawn.sum(axis=(1, 2)) - other.drawn.sum(axis=(1, 2))
        return Comparison(gain, float((gains > 0).mean()))


def measure(look: Outlook, intensity: Tensor, spend: Array) -> Measured:
    """Revenue at these mean intensities `[part, channel]`."""
    worth = look.worth[:, None]
    with torch.no_grad():
        expected, drawn = look.weighed(intensity)
    return Measured(
        intensity,
        spend,
        expected.numpy() * worth,
        None if drawn is None else drawn.numpy() * worth,
    )


def marginal_returns(look: Outlook, found: Measured) -> tuple[Array, Array | None]:
    """Revenue per further unit of money `[part, channel]`, and under every draw; NaN where money buys nothing.

    Between half a per cent less and more media of each channel in turn, synergies included. Plans, explanations and
    whoever else names a marginal return ask this.
    """
    intensity = found.intensity.numpy()
    more = intensity * (1.0 + STEP / 2) + PROBE * (intensity < NO_MEDIA)
    less = intensity * (1.0 - STEP / 2)
    cost = np.where(look.period.plannable, look.period.price, np.nan) * look.period.weeks * (more - less)
    expected = np.full(cost.shape, np.nan)
    drawn = None if found.drawn is None else np.full(found.drawn.shape, np.nan)
    ends = (moved_alone(look, found.intensity, torch.from_numpy(end)) for end in (more, less))
    for up, down in zip(*ends, strict=True):
        high, low = (measure(look, alone.media, found.spend) for alone in (up, down))
        expected[:, up.columns] = up.counted(high.expected - low.expected) / cost[:, up.columns]
        if drawn is not None and high.drawn is not None and low.drawn is not None:
            drawn[..., up.columns] = up.counted(high.drawn - low.drawn) / cost[:, up.columns]
    return expected, drawn


def interval_of(drawn: Array) -> Interval:
    """The middle of the draws at `INTERVAL_LEVEL`."""
    low, high = np.quantile(drawn, (TAIL, 1.0 - TAIL))
    return Interval(float(low), float(high))
