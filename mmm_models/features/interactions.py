"""Products of two channels' columns: what they do beyond what each does alone."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def channel_pairs(channels: int) -> tuple[tuple[int, int], ...]:
    """Every pair of channels once, in order."""
    return tuple(combinations(range(channels), 2))


def pair_products(columns: Array) -> Array:
    """`[unit, week, channel]` to `[unit, week, pair]`, in the order of `channel_pairs`."""
    first, second = np.triu_indices(columns.shape[-1], k=1)
    return np.asarray(columns[..., first] * columns[..., second])
