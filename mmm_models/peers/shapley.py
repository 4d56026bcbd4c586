"""Shapley values: a total divided fairly among channels that act together (Shapley 1953).

A channel gets the mean, over all orders in which channels could be switched on, of what it adds when its turn comes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

Array = NDArray[np.float64]
MOST_EXACT = 10  # channels: a thousand coalitions
ORDERS = 64  # sampled above that, each with its reverse

Value = Callable[[Bool[np.ndarray, " channel"]], Array]


@dataclass(frozen=True, eq=False)
class ShapleyValues:
    """`values` [..., channel]; `standard_error` [channel] of their sums over all cells, zero where exact."""

    values: Float[np.ndarray, "..."]
    standard_error: Float[np.ndarray, " channel"]


def shapley_values(value: Value, channels: int, *, weight: Array, seed: int = 0) -> ShapleyValues:
    """Divide `value(all) - value(none)`, cell by cell; exact for up to `MOST_EXACT` channels, else sampled.

    `value` says what a coalition (channels switched on) yields in every cell; `weight`, of the same shape, is
    what sums for the standard error are weighted by. Sampled values still add up exactly.
    """
    if channels <= MOST_EXACT:
        return ShapleyValues(_exact(value, channels, weight.shape), np.zeros(channels))
    return _sampled(value, channels, weight, np.random.default_rng(seed))


def _exact(value: Value, channels: int, shape: tuple[int, ...]) -> Array:
    """Each coalition is valued once and counts for its members, against the others."""
    values = np.zeros((*shape, channels))
    for number in range(2**channels):
        inside = (number >> np.arange(channels)) & 1 == 1
        size = int(inside.sum())
        found = value(inside)
        for channel in range(channels):
            before = size - int(inside[channel])
            share = math.factorial(before) * math.factorial(channels - before - 1) / math.factorial(channels)
            values[..., channel] += share * found if inside[channel] else -share * found
    return values


def _sampled(value: Value, channels: int, weight: Array, rng: np.random.Generator) -> ShapleyValues:
    """Random orders, each followed by its reverse, so that early and late turns balance (Mitchell et al. 2022)."""
    total = np.zeros((*weight.shape, channels))
    sums = np.zeros((ORDERS // 2, channels))
    for pair in range(ORDERS // 2):
        order = rng.permutation(channels)
        added = np.zeros_like(total)
        for turn in (order, order[::-1]):
            inside = np.zeros(channels, dtype=np.bool_)
            before = value(inside)
            for channel in turn:
                inside[channel] = True
                after = value(inside)
                added[..., channel] += (after - before) / 2
                before = after
        total += added / (ORDERS // 2)
        sums[pair] = np.tensordot(weight, added, axes=weight.ndim)
    return ShapleyValues(total, sums.std(axis=0, ddof=1) / math.sqrt(ORDERS // 2))
