"""A sum over units to which each unit contributes a bounded amount, with Gaussian noise in private runs."""

import numpy as np
from numpy.typing import NDArray

from privacy.secure_noise import NoiseSource

Array = NDArray[np.float64]


def exact_sum(records: Array) -> Array:
    """Sum of `[unit, value]` over units, unprotected."""
    return np.asarray(records.sum(axis=0))


def noisy_sum(records: Array, bound: float, noise_multiplier: float, noise: NoiseSource) -> Array:
    """Sum of `[unit, value]` over units with every row clipped to L2 norm `bound`, plus noise.

    Guarantee: a Gaussian mechanism with noise multiplier `noise_multiplier` (standard deviation / bound).
    Unit: one row. Neighbours: add or remove one.
    Rows above the bound are shortened and rows that are not finite count as zero: an error would leak.
    """
    usable = np.where(np.isfinite(records).all(axis=1, keepdims=True), records, 0.0)
    norms = np.linalg.norm(usable, axis=1, keepdims=True)
    clipped = usable * np.minimum(1.0, bound / np.maximum(norms, np.finfo(np.float64).tiny))
    return np.asarray(clipped.sum(axis=0) + noise.gaussian((records.shape[1],), noise_multiplier * bound))
