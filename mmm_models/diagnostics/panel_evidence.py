"""What a panel's training weeks say about its channels, gathered once for all diagnostics."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls

from mmm_models.errors import NothingToLearnFrom
from mmm_models.network import MediaResponse
from mmm_models.panel import Panel
from mmm_models.scaling import MediaPer, octave_counts, scale_quantities, scales_from
from mmm_models.spec import ModelSpec
from mmm_models.unit_data import UnitData, prepare, split_weeks, unit_level

Array = NDArray[np.float64]
SMALLEST_INFORMATION = 1e-9
SETTLING_WEEKS = (
    8  # what ran before the first week is unknown: carry-over climbs there, for all channels alike
)
SHORT_DECAY, LONG_DECAY = -6.0, 1.5  # logits


@dataclass(frozen=True, eq=False)
class PanelEvidence:
    """A panel seen with the response the model believes in before any data (typical carry-over, saturation).

    `information` is X' S^-1 X summed over units, X the saturated media and S each unit's baseline (level,
    trend, season, drift, controls: all at their priors) plus noise: the inverse covariance of the channels'
    effects, in multiples of a unit's mean outcome, if the response's shape were known. `movement` is its
    diagonal had only each unit's level to be taken out. `baseline` is each unit's baseline beside the effects
    that fit best (none negative, carry-over of any speed); `freedom` how many numbers a unit's baseline in
    effect spends on its weeks.
    """

    panel: Panel
    train: NDArray[np.bool_]  # [unit, week]
    media: Array  # [unit, week, channel], in typical active weeks of the channel
    saturated: Array  # [unit, week, channel]
    information: Array  # [channel, channel]
    movement: Array  # [channel]
    baseline: Array  # [unit, week], in multiples of the unit's mean outcome
    freedom: Array  # [unit]
    spend_per_revenue: Array  # [channel]
    typical_effect: Array  # [channel], what the prior expects of a typical week

    @property
    def used(self) -> NDArray[np.bool_]:
        """Channels with media in training weeks `[channel]`."""
        return np.asarray((self.media * self.train[..., None]).any(axis=(0, 1)))

    @property
    def share_left(self) -> Array:
        """Of each channel's variation within units, what level, trend, season and controls cannot make `[channel]`."""
        moves = self.movement > SMALLEST_INFORMATION
        return np.asarray(
            np.where(moves, np.diag(self.information) / np.where(moves, self.movement, 1.0), 0.0)
        )

    @property
    def told(self) -> NDArray[np.bool_]:
        """Channels the data say anything about `[channel]`: they move, and not only as the baseline does."""
        return self.share_left > SMALLEST_INFORMATION


def gather_evidence(panel: Panel, *, holdout_weeks: int, spec: ModelSpec) -> PanelEvidence:
    """See `PanelEvidence`. Raises `NothingToLearnFrom` when no unit has an outcome in its training weeks."""
    train, _ = split_weeks(panel, spec, holdout_weeks)
    if not train.any():
        raise NothingToLearnFrom(panel.silo)
    per = MediaPer.OUTCOME if np.isnan(panel.population).any() else MediaPer.POPULATION
    quantities = scale_quantities(panel, per, level=unit_level(panel, train), train=train)
    scales = scales_from(octave_counts(quantities).sum(axis=0), per)
    settling = max(spec.warm_up_weeks, min(SETTLING_WEEKS, panel.n_weeks // 8))
    settled = spec.model_copy(update={"warm_up_weeks": settling})
    data = prepare(panel, scales, settled, holdout_weeks=holdout_weeks)
    response = MediaResponse(spec, scales.spend_per_revenue.tolist())
    with torch.no_grad():
        saturated = _double(response.saturated(response.parameters_by_name, data.media))
        typical = _double(response.parameters_by_name["log_effect"].exp())
    seen = _Whitened(data)
    information = seen.product(saturated, saturated)
    return PanelEvidence(
        panel=panel,
        train=train,
        media=_double(data.media),
        saturated=saturated,
        information=information,
        movement=seen.movement(saturated),
        baseline=seen.baseline(_at_any_speed(response, data)),
        freedom=(seen.whitener**2).sum(axis=(1, 2)),
        spend_per_revenue=scales.spend_per_revenue,
        typical_effect=typical,
    )


class _Whitened:
    """Inner products of series in the metric of each unit's baseline and noise (see `UnitData`)."""

    def __init__(self, data: UnitData) -> None:
        self.data = data
        self.weight = _double(data.train / data.noise[:, None])[..., None]
        self.whitener = _double(data.whitener)
        self.outcome = _double(data.outcome)[..., None] - 1.0

    def product(self, left: Array, right: Array) -> Array:
        """left' S^-1 right, summed over units: `[column of left, column of right]`."""
        left, right = left * self.weight, right * self.weight
        explained = self.explained(left).reshape(-1, left.shape[-1])
        other = self.explained(right).reshape(-1, right.shape[-1])
        flat, also = left.reshape(-1, left.shape[-1]), right.reshape(-1, right.shape[-1])
        return np.asarray(flat.T @ also - explained.T @ other)

    def explained(self, weighted: Array) -> Array:
        """whitener' series: `[unit, feature, column]`."""
        return np.asarray(self.whitener.transpose(0, 2, 1) @ weighted)

    def movement(self, series: Array) -> Array:
        """Squared deviation from each unit's training mean, in noise units `[column]`."""
        counted = (self.weight > 0).astype(np.float64)
        mean = (series * counted).sum(axis=1, keepdims=True) / np.maximum(
            counted.sum(axis=1, keepdims=True), 1.0
        )
        return np.asarray((((series - mean) * self.weight) ** 2).sum(axis=(0, 1)))

    def baseline(self, saturated: Array) -> Array:
        """Each unit's baseline `[unit, week]` once the best non-negative effects are taken out."""
        information = self.product(saturated, saturated)
        root = np.linalg.cholesky(information + _ridge(information))
        towards = self.product(saturated, self.outcome)[:, 0]
        effect, _ = nnls(root.T, np.linalg.solve(root, towards))
        left = self.outcome - (saturated @ effect)[..., None]
        explained = self.explained(left * (self.weight > 0))
        coefficients = _double(self.data.posterior_factor) @ explained
        return np.asarray((_double(self.data.features) @ coefficients)[..., 0])


def _at_any_speed(response: MediaResponse, data: UnitData) -> Array:
    """Saturated media with short, usual and long carry-over side by side `[unit, week, 3 channel]`.

    Some mixture of the three comes near any carry-over: what media sell later is not taken for demand.
    """
    usual = response.parameters_by_name
    short, long = (torch.full_like(usual["decay_logit"], logit) for logit in (SHORT_DECAY, LONG_DECAY))
    with torch.no_grad():
        several = [
            response.saturated({**usual, "decay_logit": decay}, data.media)
            for decay in (short, usual["decay_logit"], long)
        ]
    return _double(torch.cat(several, dim=-1))


def _ridge(information: Array) -> Array:
    """Just enough to invert it, were channels copies of each other or silent."""
    return np.asarray(1e-8 * np.diag(np.diag(information)) + SMALLEST_INFORMATION * np.eye(len(information)))


def _double(tensor: torch.Tensor) -> Array:
    return np.asarray(tensor.double().numpy())
