"""Which carry-over and saturation each channel has, and how strongly effects are held back.

Every candidate column is reduced once; after that a choice of one transform per channel costs a regression of as
many columns as there are channels. A search from channel to channel visits some hundred choices. Many fit almost
equally well, so the shapes are the mean of those visited, weighted by their likelihood.

The penalty is tuned on rolling origins with the whole search repeated within each. Where predictions cannot tell,
the strictest penalty is taken: a wide one hands a weak channel whatever its neighbour's noise suggests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmm_models.features.media_transform import MediaTransform, transform_grid, transformed
from mmm_models.peers.local_baseline import LocalBaseline, Reduced, reduce
from mmm_models.peers.peer_data import PeerData
from mmm_models.validation.splits import rolling_origin

Array = NDArray[np.float64]

SHARE_SDS = (0.03, 0.05, 0.1, 0.2)  # standard deviation of a channel's share of the outcome, strictest first
TOLERANCE = 0.005  # of the rolling-origin error: differences below it decide nothing
MOST_COLUMNS = 600
MOST_CELLS = (
    15_000_000  # unit-weeks times columns that a search looks at; more units are left to the final fit
)
SWEEPS = 4
SMALLEST_WEIGHT = 0.005  # of the largest: dozens of faint ones would only cost time


@dataclass(frozen=True)
class ChannelShape:
    """A channel's response: weighted transforms, over their mean in training weeks, so that its mean is one."""

    transforms: tuple[MediaTransform, ...]
    weights: tuple[float, ...]

    def column(self, series: Array) -> Array:
        """Response `[unit, week]` to media `[unit, week]`."""
        return np.asarray(transformed(series, self.transforms) @ np.array(self.weights))

    def as_dict(self) -> list[dict[str, Any]]:
        """For a run's record, in plain JSON."""
        pairs = zip(self.transforms, self.weights, strict=True)
        return [{**transform.as_dict(), "weight": weight} for transform, weight in pairs]


@dataclass(frozen=True)
class SearchedShapes:
    """One shape per channel, the penalty they go with, and the rolling-origin error of each penalty."""

    shapes: tuple[ChannelShape, ...]
    share_sd: float
    errors: tuple[float, ...]

    def columns(self, media: Array) -> Array:
        """Responses `[unit, week, channel]`."""
        found = [shape.column(media[..., index]) for index, shape in enumerate(self.shapes)]
        return np.stack(found, axis=-1) if found else np.zeros(media.shape)


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Columns `[unit, week, channel * transform]`, each with mean one in training weeks (zero if it never ran)."""

    transforms: tuple[MediaTransform, ...]
    columns: Array
    means: Array  # [channel, transform], what columns were divided by


def search_shapes(data: PeerData, target: Array, baseline: LocalBaseline) -> SearchedShapes:
    """Shapes and penalty for `target` [unit, week], from training weeks alone."""
    channels = data.media.shape[-1]
    if not channels:
        return SearchedShapes((), SHARE_SDS[0], ())
    transforms = transform_grid(MOST_COLUMNS // channels)
    units = _searched_units(data, channels * len(transforms))
    train, part, wanted = data.train[units], baseline.units(units), target[units]
    candidates = _candidates(data, units, transforms)
    errors = np.zeros(len(SHARE_SDS))
    for split in rolling_origin(train):
        reduced = reduce(candidates.columns, wanted, part, split.learn)
        errors += [_judged(reduced, channels, split.judge, share_sd) for share_sd in SHARE_SDS]
    share_sd = SHARE_SDS[strictest_within(errors.tolist(), TOLERANCE)]
    reduced = reduce(candidates.columns, wanted, part, train)
    weights = _averaged_choices(reduced.normal, channels, share_sd)
    shapes = tuple(
        _shape(transforms, own, means) for own, means in zip(weights, candidates.means, strict=True)
    )
    return SearchedShapes(shapes, share_sd, tuple(errors.tolist()))


def search_choices(found: SearchedShapes, channels: Sequence[str]) -> dict[str, Any]:
    """What the search chose, for a run's record, in plain JSON."""
    return {
        "share sd": found.share_sd,
        "rolling-origin errors": list(found.errors),
        "transforms": {name: shape.as_dict() for name, shape in zip(channels, found.shapes, strict=True)},
    }


def strictest_within(errors: Sequence[float], tolerance: float) -> int:
    """Index of the first (strictest) setting whose error is within `tolerance` of the lowest."""
    lowest = min(errors)
    return next(index for index, error in enumerate(errors) if error <= lowest * (1 + tolerance))


def _searched_units(data: PeerData, columns: int) -> NDArray[np.int_]:
    """Units that take part, thinned out evenly to what the search has room for."""
    takes_part = np.flatnonzero(data.level > 0)
    room = max(1, MOST_CELLS // (columns * data.media.shape[1]))
    chosen = np.linspace(0, takes_part.size - 1, min(room, takes_part.size)).round().astype(int)
    return np.asarray(takes_part[chosen])


def _candidates(
    data: PeerData, units: NDArray[np.int_], transforms: tuple[MediaTransform, ...]
) -> _Candidates:
    media, train = data.media[units], data.train[units]
    columns = np.concatenate(
        [transformed(media[..., channel], transforms) for channel in range(media.shape[-1])], axis=-1
    )
    means = np.einsum("utk,ut->k", columns, train) / train.sum()
    means = np.where(means > 0, means, 1.0)
    return _Candidates(transforms, columns / means, means.reshape(-1, len(transforms)))


def _judged(reduced: Reduced, channels: int, judge: NDArray[np.bool_], share_sd: float) -> float:
    """Squared error on the weeks of `judge` of shapes and effects found without them."""
    weights = _averaged_choices(reduced.normal, channels, share_sd)
    mixed = mix(reduced, weights)
    coefficients = mixed.solve(np.eye(channels) / share_sd**2)
    return float(((mixed.error(coefficients) * judge) ** 2).sum())


def mix(reduced: Reduced, weights: Array) -> Reduced:
    """One column per channel, the weighted mean of its candidates; `weights` [channel, transform]."""
    channels, transforms = weights.shape
    mixing = np.zeros((channels * transforms + 1, channels + 1))
    for channel in range(channels):
        mixing[channel * transforms : (channel + 1) * transforms, channel] = weights[channel]
    mixing[-1, -1] = 1.0
    return Reduced(reduced.residual @ mixing, mixing.T @ reduced.normal @ mixing)


def _averaged_choices(normal: Array, channels: int, share_sd: float) -> Array:
    """Weights `[channel, transform]` of the choices visited, each by its penalised likelihood."""
    transforms = (normal.shape[0] - 1) // channels
    current = np.arange(channels) * transforms + transforms // 2
    visited: dict[tuple[int, ...], float] = {}
    for _ in range(SWEEPS):
        before = current.copy()
        for channel in range(channels):
            tried = np.repeat(current[None], transforms, axis=0)
            tried[:, channel] = channel * transforms + np.arange(transforms)
            losses = _penalised_losses(normal, tried, share_sd)
            visited.update(zip(map(tuple, tried.tolist()), losses.tolist(), strict=True))
            current = tried[int(losses.argmin())]
        if (before == current).all():
            break
    return _weights(visited, channels, transforms)


def _weights(visited: dict[tuple[int, ...], float], channels: int, transforms: int) -> Array:
    losses = np.array(list(visited.values()))
    likelihood = np.exp(-0.5 * (losses - losses.min()))
    weights = np.zeros(channels * transforms)
    for choice, weight in zip(visited, likelihood, strict=True):
        weights[list(choice)] += weight
    by_channel = weights.reshape(channels, transforms)
    kept = by_channel * (by_channel >= SMALLEST_WEIGHT * by_channel.max(axis=1, keepdims=True))
    return np.asarray(kept / kept.sum(axis=1, keepdims=True))


def _penalised_losses(normal: Array, choices: NDArray[np.int_], share_sd: float) -> Array:
    """Loss plus penalty of the best non-negative effects of each choice `[choice]`; `choices` [choice, channel].

    All choices are solved at once; effects below zero are set to zero and the others solved again. That never
    takes an effect back in, so a loss may be a little too high, which matters to a search and not to a fit.
    """
    penalty = np.eye(choices.shape[1]) / share_sd**2
    quadratic = normal[choices[:, :, None], choices[:, None, :]] + penalty
    linear = normal[choices, -1]
    free = np.ones(choices.shape, dtype=np.bool_)
    effects = np.zeros(choices.shape)
    for _ in range(choices.shape[1] + 1):
        both = free[:, :, None] & free[:, None, :]
        system = np.where(both, quadratic, penalty * np.eye(choices.shape[1]))
        effects = np.linalg.solve(system, np.where(free, linear, 0.0)[..., None])[..., 0]
        if (effects >= 0).all():
            break
        free &= effects >= 0
    return np.asarray(normal[-1, -1] - (linear * effects).sum(axis=1))


def _shape(transforms: tuple[MediaTransform, ...], weights: Array, means: Array) -> ChannelShape:
    used = np.flatnonzero(weights)
    return ChannelShape(
        tuple(transforms[index] for index in used), tuple((weights[used] / means[used]).tolist())
    )
