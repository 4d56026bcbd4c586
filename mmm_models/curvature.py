"""How much a unit's data say about the shared response, and the units of measure in which that is alike.

A Newton step needs the curvature of the loss. With squared residuals the Gauss-Newton matrix is all of it that
matters near the optimum, is never negative, and adds up over units like a gradient does.
"""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from mmm_models.effect_slopes import effect_slopes
from mmm_models.network import MediaResponse
from mmm_models.objective import gradient_balance, training_records
from mmm_models.unit_data import UnitData

Array = NDArray[np.float64]
# Square root of a typical unit's curvature, per kind of parameter of a channel of average effect: seen in
# simulated worlds with weekly data of one to two years, so it is public. Wrong by a factor of two or three it
# costs some accuracy of the first curvature release and nothing else.
TYPICAL_STEEPNESS: Mapping[str, float] = {
    "log_effect": 1.5,
    "log_half_saturation": 0.45,
    "log_slope": 1.0,
    "decay_logit": 0.7,
    "delay": 0.15,
    "log_half_frequency": 0.3,
    "log_slope_frequency": 0.3,
    "synergy": 0.1,
    "effect_wave": 1.0,
}


def unit_information(response: MediaResponse, data: UnitData) -> Array:
    """Gauss-Newton matrices `[unit, parameter, parameter]` of the units' losses, order as in `get_vector`.

    J' S^-1 J with J the derivative of a unit's media effect and S as in `UnitData` (Nocedal, Wright 2006,
    equation 10.24). Not noised, not bounded: it must not leave the process.
    """
    records = training_records(response, data)
    channels = response.columns
    weight, media, whitener = records[..., 1], records[..., 2 : 2 + channels], records[..., 2 + channels :]
    with torch.no_grad():
        slope = effect_slopes(response, media) * weight[..., None]
        explained = whitener.transpose(1, 2) @ slope
        whole = slope.transpose(1, 2) @ slope - explained.transpose(1, 2) @ explained
    return np.asarray(whole.double().numpy())


def typical_information(response: MediaResponse) -> Array:
    """Diagonal `[parameter]` a unit's Gauss-Newton matrix typically has; a function of public values only."""
    balance = gradient_balance(response)
    parts = [
        (TYPICAL_STEEPNESS[name] * balance.get(name, torch.ones_like(value))).reshape(-1) ** 2
        for name, value in response.named_parameters()
    ]
    return np.asarray(torch.cat(parts).double().numpy())


def prior_hessian(response: MediaResponse) -> Array:
    """Second derivative `[parameter, parameter]` of the negative log prior; public."""
    gradients = torch.autograd.grad(
        response.negative_log_prior(), list(response.parameters()), create_graph=True
    )
    vector = torch.cat([gradient.reshape(-1) for gradient in gradients])
    rows = [
        torch.autograd.grad(value, list(response.parameters()), retain_graph=True, materialize_grads=True)
        for value in vector
    ]
    hessian = torch.stack([torch.cat([part.reshape(-1) for part in row]) for row in rows]).double().numpy()
    return np.asarray((hessian + hessian.T) / 2)


def pack_symmetric(matrices: Array) -> Array:
    """`[..., n, n]` symmetric -> `[..., n (n + 1) / 2]` with the same Euclidean length."""
    rows, columns, weight = _upper(matrices.shape[-1])
    return np.asarray(matrices[..., rows, columns] * weight)


def unpack_symmetric(vector: Array, size: int) -> Array:
    """The inverse of `pack_symmetric` for one matrix."""
    rows, columns, weight = _upper(size)
    matrix = np.zeros((size, size))
    matrix[rows, columns] = matrix[columns, rows] = vector / weight
    return matrix


def packed_size(size: int) -> int:
    """Numbers in a packed symmetric matrix."""
    return size * (size + 1) // 2


def _upper(size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Places on and above the diagonal; what is off it stands for two."""
    rows, columns = np.triu_indices(size)
    return rows, columns, np.where(rows == columns, 1.0, np.sqrt(2.0))
