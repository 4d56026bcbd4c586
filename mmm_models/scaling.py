"""Scales that all silos agree on, from counts of units per octave.

Each unit falls into one power-of-two bin per quantity, so what a silo reports are small counts that are
summed securely and, in private runs, noised; the medians of the summed histograms are the scales.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mmm_models.errors import ScalesUnknown
from mmm_models.panel import Panel

Array = NDArray[np.float64]
LOWEST_OCTAVE = -40
OCTAVES = 96
PEAK_OCTAVES = 2
UNUSED = 2.0**60  # divides any media to nothing


class MediaPer(StrEnum):
    """What a unit's media are divided by before they are compared across units."""

    POPULATION = "population"
    OUTCOME = "outcome"


@dataclass(frozen=True, eq=False)
class Scales:
    """Public constants of a run: what a typical unit's active week looks like.

    `media` and `spend` [channel] and `revenue` are per head (or per unit of outcome, see `per`), `outcome` is
    a unit's mean week and `price` its mean revenue per unit of outcome.
    """

    per: MediaPer
    media: Float[np.ndarray, " channel"]
    spend: Float[np.ndarray, " channel"]
    revenue: float
    outcome: float
    price: float

    def to_vector(self) -> Array:
        """All numbers, for `from_vector`."""
        return np.concatenate([self.media, self.spend, [self.revenue, self.outcome, self.price]])

    @classmethod
    def from_vector(cls, vector: Array, per: MediaPer) -> "Scales":
        """The inverse of `to_vector`."""
        channels = (len(vector) - 3) // 2
        return cls(per, vector[:channels], vector[channels : 2 * channels], *vector[-3:].tolist())

    @property
    def money(self) -> float:
        """A typical unit's mean weekly revenue."""
        return self.outcome * self.price

    @property
    def spend_per_revenue(self) -> Array:
        """Typical active-week spend as a share of revenue `[channel]`; zero for channels without spend."""
        return np.asarray(self.spend / self.revenue)


def scale_quantities(panel: Panel, per: MediaPer, *, level: Array, train: NDArray[np.bool_]) -> Array:
    """The quantities each unit is binned by, `[unit, 2 channels + 3]`; zero where it has none.

    `level` [unit] is the unit's mean outcome in its training weeks `train` [unit, week]; units at zero are not counted.
    Order: media, spend, revenue (all per size), outcome, price. Held-out weeks are not read, but for media of a unit
    that never ran a channel before them: of that channel nothing is learnt there, and what is believed of it needs a
    typical week, which is what was planned.
    """
    size = unit_size(panel, per, level)
    weeks = np.maximum(train.sum(axis=1), 1)
    price = (panel.revenue_per_outcome * train).sum(axis=1) / weeks
    revenue = (level * price / size)[:, None]
    media, spend = (_active_mean(series, size, train) for series in (panel.media, panel.spend))
    columns = [media, spend, revenue, level[:, None], price[:, None]]
    return np.asarray(np.concatenate(columns, axis=1) * (level > 0)[:, None])


def scales_from(histogram: Array, per: MediaPer, *, ignore_below: float = 0.0) -> Scales:
    """Scales from summed octave counts `[quantity, octave]`; bins at or below `ignore_below` may be all noise.

    A channel that no unit, or too few to stand out of the noise, ever used gets a scale at which it has no
    effect. Raises ScalesUnknown when outcomes themselves do not stand out.
    """
    medians = _medians(_without_noise(histogram, ignore_below) if ignore_below > 0 else histogram)
    channels = (len(medians) - 3) // 2
    if ignore_below > 0 and not (medians[-3:] > 0).all():
        raise ScalesUnknown(ignore_below)
    unused = UNUSED if ignore_below > 0 else 1.0
    medians[:channels] = np.where(medians[:channels] > 0, medians[:channels], unused)
    medians[-3:] = np.where(medians[-3:] > 0, medians[-3:], 1.0)
    return Scales.from_vector(medians, per)


def octave_counts(values: Array) -> Array:
    """One-hot octave of each value, zeros for values that are not positive: `[unit, quantity, octave]`."""
    positive = values > 0
    octave = np.floor(np.log2(np.where(positive, values, 1.0))).astype(int) - LOWEST_OCTAVE
    one_hot = np.arange(OCTAVES) == octave.clip(0, OCTAVES - 1)[..., None]
    return np.asarray(one_hot & positive[..., None], dtype=np.float64)


def unit_size(panel: Panel, per: MediaPer, level: Array) -> Array:
    """What media are divided by `[unit]`: population, or the unit's mean training outcome."""
    return np.asarray(panel.population if per is MediaPer.POPULATION else np.where(level > 0, level, 1.0))


def _active_mean(series: Array, size: Array, train: NDArray[np.bool_]) -> Array:
    """Mean over each unit's active training weeks, or over all active ones where none of those is, per unit of size
    `[unit, channel]`; zero where never active."""
    learnt = series * train[..., None]
    counted = np.where(learnt.any(axis=1, keepdims=True), learnt, series)
    weeks = np.maximum((counted > 0).sum(axis=1), 1)
    return np.asarray(counted.sum(axis=1) / weeks / size[:, None])


def _without_noise(histogram: Array, ignore_below: float) -> Array:
    """Counts around each quantity's peak, zero elsewhere; all zero where no peak stands out.

    Units of one kind lie within a few octaves of each other. Bins there count with their noise, which cancels;
    dropping small ones would push the median towards the large ones.
    """
    kept = np.zeros_like(histogram)
    for counts, out in zip(histogram, kept, strict=True):
        peak = int(np.convolve(counts, np.ones(3), mode="same").argmax())
        near = slice(max(0, peak - PEAK_OCTAVES), peak + PEAK_OCTAVES + 1)
        if counts[near].max() > ignore_below:
            out[near] = np.maximum(counts[near], 0.0)
    return kept


def _medians(histogram: Array) -> Array:
    """Median of each quantity, log-linear within its octave; zero where nothing was counted."""
    medians = np.zeros(histogram.shape[0])
    for quantity, counts in enumerate(histogram):
        half = counts.sum() / 2
        if half > 0:
            cumulative = counts.cumsum()
            octave = int(np.searchsorted(cumulative, half))
            inside = (half - (cumulative[octave] - counts[octave])) / counts[octave]
            medians[quantity] = 2.0 ** (LOWEST_OCTAVE + octave + inside)
    return medians
