"""A panel made ready for the network: everything per unit, nothing learnt across units."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.baseline_basis import baseline_basis
from mmm_models.panel import Panel
from mmm_models.reach_frequency import REFERENCE_FREQUENCY
from mmm_models.scaling import Scales, unit_size
from mmm_models.spec import ModelSpec

Array = NDArray[np.float64]
NOISE_FLOOR = 0.01


@dataclass(frozen=True, eq=False)
class UnitData:
    """One record per unit: the privacy unit of training.

    `outcome` is in multiples of the unit's `level` (its mean training outcome); `train` and `test` are 0/1.
    `whitener` [unit, week, feature] integrates the local baseline out: for a residual r over training weeks,
    r' S^-1 r = (|r|^2 - |whitener' r|^2) / noise^2 with S = noise^2 I + features features', the baseline's
    prior covariance plus noise (Woodbury). The baseline's coefficients given r are posterior_factor whitener' r.
    """

    media: Float[Tensor, "unit week column"]
    outcome: Float[Tensor, "unit week"]
    train: Float[Tensor, "unit week"]
    test: Float[Tensor, "unit week"]
    level: Float[Tensor, " unit"]
    noise: Float[Tensor, " unit"]
    features: Float[Tensor, "unit week feature"]
    whitener: Float[Tensor, "unit week feature"]
    posterior_factor: Float[Tensor, "unit feature feature"]
    feature_names: tuple[str, ...]

    @property
    def units(self) -> int:
        return int(self.media.shape[0])

    def some(self, most: int) -> "UnitData":
        """At most so many units, spread evenly over all of them."""
        step = -(-self.units // most)
        tensors: dict[str, Any] = {
            name: part[::step] for name, part in vars(self).items() if isinstance(part, Tensor)
        }
        return replace(self, **tensors)

    def double(self) -> "UnitData":
        """The same in double precision, for sums whose privacy counts every bit (see `clients.contributions`)."""
        tensors: dict[str, Any] = {
            name: part.double() for name, part in vars(self).items() if isinstance(part, Tensor)
        }
        return replace(self, **tensors)


def with_features(
    data: UnitData, extra: Float[Tensor, "unit week feature"], names: tuple[str, ...]
) -> UnitData:
    """The same records with more that a unit's own part may explain; each coefficient is standard normal beforehand."""
    features = np.concatenate([data.features.double().numpy(), extra.double().numpy()], axis=-1)
    whitener, posterior_factor = _whitener(features, data.train.numpy() > 0, data.noise.double().numpy())
    return replace(
        data,
        features=_like(features, data),
        whitener=_like(whitener, data),
        posterior_factor=_like(posterior_factor, data),
        feature_names=(*data.feature_names, *names),
    )


def prepare(panel: Panel, scales: Scales, spec: ModelSpec, *, holdout_weeks: int) -> UnitData:
    """Scale a panel by its own units' levels and the agreed public `scales`; the last weeks are held out."""
    train, test = split_weeks(panel, spec, holdout_weeks)
    level = unit_level(panel, train)
    known = level > 0
    outcome = panel.outcome * known[:, None] / np.where(known, level, 1.0)[:, None]
    basis = baseline_basis(panel.weeks, panel.controls, panel.control_names, train, spec.baseline)
    noise = _noise_scale(outcome, basis.features, train)
    whitener, posterior_factor = _whitener(basis.features, train, noise)
    size = unit_size(panel, scales.per, level)[:, None, None]
    media = panel.media * known[:, None, None] / size / scales.media
    if spec.reach_frequency:
        frequency = panel.frequency * panel.has_frequency / REFERENCE_FREQUENCY
        reach = np.divide(media, frequency, out=np.zeros_like(media), where=frequency > 0)
        media = np.concatenate([media, reach], axis=-1)
    return UnitData(
        media=_tensor(media),
        outcome=_tensor(outcome),
        train=_tensor(train),
        test=_tensor(test),
        level=_tensor(level),
        noise=_tensor(noise),
        features=_tensor(basis.features),
        whitener=_tensor(whitener),
        posterior_factor=_tensor(posterior_factor),
        feature_names=basis.names,
    )


def split_weeks(
    panel: Panel, spec: ModelSpec, holdout_weeks: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Training and hold-out weeks `[unit, week]`; at most a quarter of a panel is held out.

    A unit without any outcome in its training weeks has no level to be compared by and takes no part.
    """
    week = np.arange(panel.n_weeks)
    held_out = week >= panel.n_weeks - min(holdout_weeks, panel.n_weeks // 4)
    train = panel.observed & ~held_out & (week >= spec.warm_up_weeks)
    takes_part = (panel.outcome * train).sum(axis=1, keepdims=True) > 0
    return train & takes_part, panel.observed & held_out & takes_part


def unit_level(panel: Panel, train: NDArray[np.bool_]) -> Array:
    """Mean outcome over training weeks `[unit]`; zero for a unit that takes no part."""
    return np.asarray((panel.outcome * train).sum(axis=1) / np.maximum(train.sum(axis=1), 1))


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.as_tensor(array, dtype=torch.float32)


def _noise_scale(outcome: Array, features: Array, train: NDArray[np.bool_]) -> Array:
    """Residual standard deviation of a media-free baseline `[unit]`, from the unit's own training weeks."""
    masked = features * train[..., None]
    residual = (outcome - 1.0) * train
    gram = np.einsum("utf,utg->ufg", masked, masked) + 0.1**2 * np.eye(features.shape[-1])
    coefficients = np.linalg.solve(gram, np.einsum("utf,ut->uf", masked, residual)[..., None])[..., 0]
    left = (residual - np.einsum("utf,uf->ut", masked, coefficients)) * train
    return np.asarray(
        np.maximum(np.sqrt((left**2).sum(axis=1) / np.maximum(train.sum(axis=1), 1)), NOISE_FLOOR)
    )


def _like(array: Array, data: UnitData) -> Tensor:
    return torch.as_tensor(array, dtype=data.features.dtype)


def _whitener(features: Array, train: NDArray[np.bool_], noise: Array) -> tuple[Array, Array]:
    """`UnitData.whitener` and `UnitData.posterior_factor`, in float64 because gram matrices lose digits."""
    masked = features * train[..., None]
    gram = masked.transpose(0, 2, 1) @ masked + noise[:, None, None] ** 2 * np.eye(masked.shape[-1])
    factor = np.linalg.cholesky(np.linalg.inv(gram))
    return np.asarray(masked @ factor), factor
