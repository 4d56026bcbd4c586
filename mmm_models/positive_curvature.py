"""A curvature matrix made safe to divide by: rounding or noise may leave some directions none, or a negative one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
LARGEST_STEP = 1.0  # of any parameter; all are logarithms, logits or the like
LEAST_CURVATURE = 1e-4


@dataclass(frozen=True, eq=False)
class PositiveCurvature:
    """Eigenvalues `[direction]`, raised to `LEAST_CURVATURE` where below, and eigenvectors `[parameter, direction]`."""

    values: Array
    vectors: Array

    @classmethod
    def of(cls, matrix: Array) -> PositiveCurvature:
        """Of a symmetric matrix `[parameter, parameter]`."""
        values, vectors = np.linalg.eigh(matrix)
        return cls(np.maximum(values, LEAST_CURVATURE), vectors)

    @property
    def inverse(self) -> Array:
        """Of the raised matrix `[parameter, parameter]`."""
        return np.asarray((self.vectors / self.values) @ self.vectors.T)

    def newton_step(self, gradient: Array, damping: float = 0.0) -> Array:
        """Downhill `[parameter]`, shortened where any parameter would move by more than `LARGEST_STEP`.

        damping: added to all eigenvalues (Levenberg-Marquardt).
        """
        step = -self.vectors @ ((self.vectors.T @ gradient) / (self.values + damping))
        return np.asarray(step * min(1.0, LARGEST_STEP / max(float(np.abs(step).max()), 1e-12)))
