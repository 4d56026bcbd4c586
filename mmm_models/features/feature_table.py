"""One row per unit-week for models that take any table: several views of media, and the calendar.

Built a few units at a time, so that a block stays in the processor's cache until all of its columns are written,
and by as many threads as there are cores: numpy lets go of Python while it computes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from mmm_models.features.carry_over import carry_over_matrix
from mmm_models.features.feature_set import FOR_TREES, FeatureSet
from mmm_models.features.interactions import channel_pairs
from mmm_models.features.lags import lagged

Array = NDArray[np.floating[Any]]
BLOCK_CELLS = 500_000  # numbers of a block's columns: 2 MB in single precision


@dataclass(frozen=True)
class MediaColumns:
    """Names of what `media_columns` makes, and the channel each belongs to."""

    names: tuple[str, ...]
    channel: tuple[int, ...]


def feature_table(
    media: Float[np.ndarray, "unit week channel"],
    calendar: Float[np.ndarray, "week column"],
    features: FeatureSet,
) -> Float[np.ndarray, "unit week feature"]:
    """The columns of `features.names`, then those of `calendar`, which are every unit's; as precise as `media`.

    Single precision halves the time for large tables: it is the memory that takes it.
    """
    units, weeks, channels = media.shape
    own = features.n_columns(channels)
    table = np.empty((units, weeks, own + calendar.shape[-1]), dtype=media.dtype)
    matrices = [carry_over_matrix(lag.kernel, weeks).astype(media.dtype) for lag in features.carry_overs]
    size = max(1, BLOCK_CELLS // max(1, weeks * table.shape[-1]))

    def fill(first: int) -> None:
        block = slice(first, first + size)
        _fill(table[block, :, :own], media[block], features, matrices)
        table[block, :, own:] = calendar

    _each(fill, range(0, units, size))
    return table


def media_columns(media: Array) -> Array:
    """Every channel `[unit, week, channel]` as trees are shown it `[unit, week, column]`."""
    return feature_table(media, np.zeros((media.shape[1], 0)), FOR_TREES)


def media_column_names(channels: tuple[str, ...]) -> MediaColumns:
    """What `media_columns` holds, in order."""
    per_channel = range(FOR_TREES.per_channel)
    return MediaColumns(
        FOR_TREES.names(channels), tuple(index for index in range(len(channels)) for _ in per_channel)
    )


def _fill(table: Array, media: Array, features: FeatureSet, matrices: Sequence[Array]) -> None:
    """Write all columns of one block `[unit, week, column]`."""
    lasts: list[Array] = []
    column = 0
    for channel in range(media.shape[-1]):
        for view in _views(np.ascontiguousarray(media[..., channel]), features, matrices):
            table[..., column] = view
            column += 1
            lasts[channel:] = [view]
    if features.products:
        for first, second in channel_pairs(len(lasts)):
            np.multiply(lasts[first], lasts[second], out=table[..., column])
            column += 1


def _views(series: Array, features: FeatureSet, matrices: Sequence[Array]) -> Iterator[Array]:
    """One channel's columns `[unit, week]`, in the order of its names."""
    for lag in features.lags:
        yield lagged(series, (lag,))[..., 0]
    for matrix in matrices:
        carried = series @ matrix
        yield carried
        yield from (curve.apply(carried) for curve in features.saturations)


def _each(do: Callable[[int], None], starts: range) -> None:
    """Call `do` for every start, by as many threads as there are cores where there is more than one block.

    The library behind matrix products stays with the thread that calls it: its own would wait for each other.
    """
    if len(starts) < 2:
        for start in starts:
            do(start)
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(do, starts):
            pass
