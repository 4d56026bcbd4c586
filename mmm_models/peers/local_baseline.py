"""Each unit's own baseline, solved for in closed form, so that what is left to fit is media alone.

A ridge regression on baseline and media together gives the same media effects as one on what the baseline cannot
explain of either (Frisch, Waugh 1933; Lovell 1963), and that is small enough to be solved thousands of times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import nnls

from mmm_models.baseline_basis import baseline_basis
from mmm_models.panel import Panel
from mmm_models.spec import BaselineSpec

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
NOISE_FLOOR = 0.01  # of a unit's mean week: a constant unit must not outweigh all others
NOISE_RIDGE = 0.1  # noise assumed while the noise is estimated
SMALLEST_PIVOT = 1e-10  # of the largest one


@dataclass(frozen=True, eq=False)
class LocalBaseline:
    """Fixed effect, trend, season, slow drift and controls of every unit, each coefficient with its own penalty.

    `features` are scaled so that a coefficient's penalty is its square (see `BaselineBasis`).
    """

    features: Float[np.ndarray, "unit week feature"]

    def units(self, chosen: NDArray[np.int_]) -> LocalBaseline:
        """The same for some units only."""
        return LocalBaseline(self.features[chosen])


@dataclass(frozen=True, eq=False)
class Reduced:
    """Columns and target without what the baseline, learnt in the weeks of `learn`, says of them.

    `residual` [unit, week, column + 1] has the target last; `normal` [column + 1, column + 1] holds their
    products over the weeks learnt from, divided by each unit's noise variance.
    """

    residual: Array
    normal: Array

    def error(self, coefficients: Array) -> Array:
        """Target less prediction `[unit, week]`; outside `learn` the baseline is extrapolated."""
        return np.asarray(self.residual[..., -1] - self.residual[..., :-1] @ coefficients)

    def loss(self, coefficients: Array) -> float:
        """Half-deviance of the weeks learnt from, doubled: r' S^-1 r."""
        signed = np.append(-coefficients, 1.0)
        return float(signed @ self.normal @ signed)

    def solve(self, penalty: Array) -> Array:
        """Non-negative coefficients that minimise loss + c' penalty c; `penalty` [column, column] is definite."""
        return non_negative_minimum(self.normal[:-1, :-1] + penalty, self.normal[:-1, -1])


def local_baseline(panel: Panel, train: Mask, spec: BaselineSpec) -> LocalBaseline:
    """Controls are standardised by each unit's weeks in `train`."""
    basis = baseline_basis(panel.weeks, panel.controls, panel.control_names, train, spec)
    return LocalBaseline(basis.features)


def reduce(
    columns: Array, target: Array, baseline: LocalBaseline, learn: Bool[np.ndarray, "unit week"]
) -> Reduced:
    """Take the baseline out of `columns` [unit, week, column] and `target` [unit, week]."""
    features = baseline.features
    masked = features * learn[..., None]
    gram = np.matmul(masked.transpose(0, 2, 1), masked)
    eye = np.eye(features.shape[-1])
    noise = _noise(gram, masked, target * learn, learn)
    both = np.concatenate([columns, target[..., None]], axis=-1)
    explained = np.matmul(masked.transpose(0, 2, 1), both)
    coefficients = np.linalg.solve(gram + noise[:, None, None] ** 2 * eye, explained)
    residual = both - np.matmul(features, coefficients)
    weight = (learn / noise[:, None] ** 2)[..., None]
    width = both.shape[-1]
    normal = (both * weight).reshape(-1, width).T @ residual.reshape(-1, width)
    return Reduced(residual, (normal + normal.T) / 2)


def non_negative_minimum(quadratic: Array, linear: Array) -> Array:
    """The non-negative c with the least c' quadratic c - 2 linear' c (Lawson, Hanson 1974)."""
    if not linear.size:
        return np.zeros(0)
    scale = np.sqrt(np.maximum(np.diag(quadratic), np.finfo(np.float64).tiny))
    scaled = quadratic / np.outer(scale, scale) + SMALLEST_PIVOT * np.eye(linear.size)
    factor = np.linalg.cholesky(scaled)
    found, _ = nnls(factor.T, solve_triangular(factor, linear / scale, lower=True))
    return np.asarray(found / scale)


def _noise(gram: Array, masked: Array, target: Array, learn: Mask) -> Array:
    """Residual standard deviation `[unit]` of a baseline without media, from the weeks learnt from."""
    explained = np.matmul(masked.transpose(0, 2, 1), target[..., None])
    ridge = NOISE_RIDGE**2 * np.eye(gram.shape[-1])
    fitted = np.matmul(masked, np.linalg.solve(gram + ridge, explained))[..., 0]
    squared = (((target - fitted) * learn) ** 2).sum(axis=1)
    return np.asarray(np.maximum(np.sqrt(squared / np.maximum(learn.sum(axis=1), 1)), NOISE_FLOOR))
