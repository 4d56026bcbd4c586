"""Sums over a silo's units of gradients and curvature, in the coordinates the coordinator asks for.

The coordinator steps, the silo only adds up. Coordinates are a public linear map (`server.gauss_newton`), applied
to each unit before its record is bounded.
"""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from clients.calibration import NOT_CALIBRATED, Calibration
from clients.update_bound import UpdateBound
from mmm_models.curvature import pack_symmetric, unit_information
from mmm_models.network import MediaResponse
from mmm_models.objective import UnitObjective, training_records
from mmm_models.unit_data import UnitData
from privacy.distributed_noise import DistributedSum, noised_sum
from privacy.secure_noise import NoiseSource

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Noising:
    """How a private sum is bounded and noised. `sample_rate`: chance of each unit to take part, drawn in secret."""

    release: DistributedSum
    noise: NoiseSource
    sample_rate: float


@dataclass(frozen=True, eq=False)
class ExactGradient:
    """Sum of whitened gradients `[parameter]` and of losses, over `share` of every unit (see `UpdateBound`)."""

    gradient: Array
    loss: float


def in_double(response: MediaResponse, data: UnitData) -> tuple[MediaResponse, UnitData]:
    """Both in double precision, as every private sum is computed.

    How a unit's numbers are rounded depends, in the last bits, on which units are computed together. In single
    precision those bits reach the integers: one unit more would move the records of others, beyond its own bound.
    """
    return copy.deepcopy(response).double(), data.double()


def exact_gradient(
    response: MediaResponse,
    data: UnitData,
    forward: Array,
    bound: UpdateBound,
    calibration: Calibration = NOT_CALIBRATED,
) -> ExactGradient:
    """Without privacy, the silo's experiments included. The silo's mean is shortened to the agreed bound."""
    objective = UnitObjective(response)
    loss = objective.losses(training_records(response, data)).sum()
    parts = torch.autograd.grad(loss, list(objective.parameters()))
    gradient = torch.cat([part.reshape(-1) for part in parts]).double().numpy()
    gradient = gradient + calibration.gradient(response)
    return ExactGradient(_limited(forward @ gradient, data.units, bound), float(loss.item()))


def noised_gradient(
    response: MediaResponse, data: UnitData, forward: Array, noising: Noising
) -> NDArray[np.uint64]:
    """Clipped whitened gradients, and +-1/2 for whether they needed no clipping: summed, noised integers.

    Guarantee: one release of `noising.release`, on a secret sample of the units.
    Unit: one whole series. Neighbours: add or remove one.
    """
    from privacy.per_unit_gradients import PerUnitGradients  # torch loads late: key agreement never needs it

    response, data = in_double(response, data)
    objective = UnitObjective(response)
    inputs = training_records(response, data)
    gradients = PerUnitGradients(objective)(inputs[_sample(data, noising)], objective.unit_loss).numpy()
    clip_norm = noising.release.blocks[0].bound
    with np.errstate(over="ignore", invalid="ignore"):  # records that are not finite count as zero later
        whitened = gradients @ forward.T
        unclipped = np.linalg.norm(whitened, axis=1, keepdims=True) <= clip_norm
    return noised_sum(np.concatenate([whitened, unclipped - 0.5], axis=1), noising.release, noising.noise)


def exact_curvature(
    response: MediaResponse,
    data: UnitData,
    forward: Array,
    bound: UpdateBound,
    calibration: Calibration = NOT_CALIBRATED,
) -> Array:
    """Without privacy: the packed whitened Gauss-Newton matrix, the silo's experiments included, its mean shortened to
    the agreed bound squared."""
    squared = UpdateBound(
        bound.length**2, bound.units
    )  # curvature grows with the square of a gradient's length
    total = _whitened_curvature(response, data, forward).sum(axis=0)
    own = pack_symmetric(forward @ calibration.information(response) @ forward.T)
    return _limited(total + own, data.units, squared)


def noised_curvature(
    response: MediaResponse, data: UnitData, forward: Array, noising: Noising
) -> NDArray[np.uint64]:
    """Clipped packed whitened Gauss-Newton matrices: summed, noised integers.

    Guarantee: one release of `noising.release`, on a secret sample of the units.
    Unit: one whole series. Neighbours: add or remove one.
    """
    response, data = in_double(response, data)
    records = _whitened_curvature(response, data, forward)[_sample(data, noising).numpy()]
    return noised_sum(records, noising.release, noising.noise)


def _whitened_curvature(response: MediaResponse, data: UnitData, forward: Array) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):
        return pack_symmetric(forward @ unit_information(response, data) @ forward.T)


def _sample(data: UnitData, noising: Noising) -> torch.Tensor:
    return torch.from_numpy(noising.noise.coin_flips(data.units, noising.sample_rate))


def _limited(total: Array, units: int, bound: UpdateBound) -> Array:
    return bound.share(units) * units * bound.shorten(total / units)
