"""A panel made ready for the network: everything per unit, nothing learnt across units."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.baseline_basis import BaselineBasis, baseline_basis
from mmm_models.panel import Panel
from mmm_models.scaling import Scales, unit_size
from mmm_models.spec import ModelSpec

Array = NDArray[np.float64]
NOISE_FLOOR = 0.01


@dataclass(frozen=True, eq=False)
class UnitData:
    """One record per unit: the privacy unit of training.

    `outcome` is in multiples of the unit's `level` (its mean training outcome); `train` and `test` are 0/1 weeks.
    `whitener` [unit, week, feature] integrates the local baseline out: for a residual r over training weeks,
    r' S^-1 r = (|r|^2 - |whitener' r|^2) / noise^2 with S the baseline's prior covariance plus noise (Woodbury).
    """

    media: Float[Tensor, "unit week channel"]
    outcome: Float[Tensor, "unit week"]
    train: Float[Tensor, "unit week"]
    test: Float[Tensor, "unit week"]
    level: Float[Tensor, " unit"]
    noise: Float[Tensor, " unit"]
    features: Float[Tensor, "unit week feature"]
    whitener: Float[Tensor, "unit week feature"]
    feature_names: tuple[str, ...]

    @property
    def units(self) -> int:
        return int(self.media.shape[0])


def prepare(panel: Panel, scales: Scales, spec: ModelSpec, *, holdout_weeks: int) -> UnitData:
    """Scale a panel by its own units' levels and the agreed public `scales`; the last weeks are held out."""
    train, test = split_weeks(panel, spec, holdout_weeks)
    level = unit_level(panel, train)
    outcome = panel.outcome / level[:, None]
    basis = baseline_basis(panel.weeks, panel.controls, panel.control_names, train, spec.baseline)
    noise = _noise_scale(outcome, basis.features, train)
    whitener = _whitener(basis, train, noise)
    media = panel.media / unit_size(panel, scales.per, level)[:, None, None] / scales.media
    tensors = [media, outcome, train, test, level, noise, basis.features, whitener]
    return UnitData(*(torch.as_tensor(t, dtype=torch.float32) for t in tensors), feature_names=basis.names)


def split_weeks(panel: Panel, spec: ModelSpec, holdout_weeks: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Training and hold-out weeks `[unit, week]`."""
    week = np.arange(panel.n_weeks)
    held_out = week >= panel.n_weeks - holdout_weeks
    return panel.observed & ~held_out & (week >= spec.warm_up_weeks), panel.observed & held_out


def unit_level(panel: Panel, train: NDArray[np.bool_]) -> Array:
    """Mean outcome over training weeks `[unit]`, never zero."""
    total = (panel.outcome * train).sum(axis=1)
    return np.asarray(np.maximum(total / np.maximum(train.sum(axis=1), 1), 1e-9))


def _noise_scale(outcome: Array, features: Array, train: NDArray[np.bool_]) -> Array:
    """Residual standard deviation of a media-free baseline `[unit]`, from the unit's own training weeks."""
    masked = features * train[..., None]
    residual = (outcome - 1.0) * train
    gram = np.einsum("utf,utg->ufg", masked, masked) + 0.1**2 * np.eye(features.shape[-1])
    coefficients = np.linalg.solve(gram, np.einsum("utf,ut->uf", masked, residual)[..., None])[..., 0]
    left = (residual - np.einsum("utf,uf->ut", masked, coefficients)) * train
    return np.asarray(np.maximum(np.sqrt((left**2).sum(axis=1) / np.maximum(train.sum(axis=1), 1)), NOISE_FLOOR))


def _whitener(basis: BaselineBasis, train: NDArray[np.bool_], noise: Array) -> Array:
    masked = basis.features * train[..., None]
    gram = np.einsum("utf,utg->ufg", masked, masked) + noise[:, None, None] ** 2 * np.eye(masked.shape[-1])
    factor = np.linalg.cholesky(np.linalg.inv(gram))
    return np.asarray(np.einsum("utf,ufg->utg", masked, factor))
