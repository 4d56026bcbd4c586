"""How well each unit's held-out weeks are predicted."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.network import MediaResponse
from mmm_models.unit_data import UnitData

Array = NDArray[np.float64]
SMALLEST_OUTCOME = 0.1  # of a unit's mean week: a week without sales would make its relative error infinite


@dataclass(frozen=True, eq=False)
class UnitErrors:
    """Per unit, on held-out weeks; errors are relative to the unit's mean training outcome. All `[unit]`."""

    weeks: Array
    squared: Array  # sum of squared errors
    mape: Array  # mean |error| / max(|outcome|, SMALLEST_OUTCOME)
    r2: Array  # against the unit's own held-out mean; NaN where that is constant or no week is held out


def predict(response: MediaResponse, data: UnitData) -> Float[Tensor, "unit week"]:
    """Outcome relative to level: media effect plus the unit's baseline given its training weeks."""
    with torch.no_grad():
        effect = response.effects(response.parameters_by_name, data.media).sum(dim=-1)
        return 1.0 + effect + _baseline(data, data.outcome - 1.0 - effect)


def holdout_errors(response: MediaResponse, data: UnitData) -> UnitErrors:
    """Errors of `predict` on the held-out weeks."""
    predicted = predict(response, data).double().numpy()
    return unit_errors(predicted, data.outcome.double().numpy(), data.test.double().numpy())


def unit_errors(predicted: Array, outcome: Array, test: Array) -> UnitErrors:
    """Errors of any model on held-out weeks; all `[unit, week]`, `test` 0 or 1, outcomes in multiples of level."""
    weeks = test.sum(axis=1)
    error = (outcome - predicted) * test
    squared = (error**2).sum(axis=1)
    counted = np.maximum(weeks, 1.0)
    relative = np.abs(error) / np.maximum(np.abs(outcome), SMALLEST_OUTCOME)
    mean = (outcome * test).sum(axis=1) / counted
    spread = ((outcome - mean[:, None]) ** 2 * test).sum(axis=1)
    r2 = np.where(spread > 0, 1.0 - squared / np.where(spread > 0, spread, 1.0), np.nan)
    return UnitErrors(weeks, squared, relative.sum(axis=1) / counted, r2)


def _baseline(data: UnitData, residual: Tensor) -> Tensor:
    """Posterior mean of each unit's baseline given its training residuals (ridge with the prior's scale)."""
    explained = torch.einsum("utf,ut->uf", data.whitener, residual)
    coefficients = torch.einsum("ufg,ug->uf", data.posterior_factor, explained)
    return torch.einsum("utf,uf->ut", data.features, coefficients)
