"""What one silo's units say of their own response: the shared one moved, and shrunk towards it.

Silos differ as units do: by how much an effect is stronger there, saturates later or lasts longer. A silo's deviations
are normal around none and estimated from its own rows after training (Lindstrom and Bates 1990, their conditional
mode), on the machine that holds the rows. They stay out of the shared response on purpose: what all silos together
sold is told best by the response that fits them together, and a deviation that all silos share is no deviation.
"""

import copy

import torch
from jaxtyping import Float
from torch import Tensor

from mmm_models.network import MediaResponse
from mmm_models.objective import training_records
from mmm_models.partial_pooling import SHAPES, deviations, with_unit_deviations
from mmm_models.training import get_vector, set_vector
from mmm_models.unit_data import UnitData

STEPS = 4
LARGEST = 3.0  # standard deviations


def own_response(response: MediaResponse, data: UnitData) -> MediaResponse:
    """For the units of `data`, as from `prepare`, taken as one; the shared response where silos may not differ.

    Nothing of it may leave the silo: it is made from its rows without noise.
    """
    spec = response.spec.pooling
    if not spec.silo_effect_sd and not spec.silo_shape_sd:
        return response
    own = copy.deepcopy(response).double()
    data = with_unit_deviations(data.double(), own)
    size = 3 * len(response.spend_per_revenue)
    deviation = torch.zeros(size, dtype=torch.float64)
    for _ in range(STEPS):
        score, information = _evidence(own, data)
        step = torch.linalg.solve(torch.eye(size, dtype=torch.float64) + information, score - deviation)
        moved = (deviation + step).clamp(-LARGEST, LARGEST)
        _move(own, moved - deviation)
        deviation = moved
    found = copy.deepcopy(response)
    set_vector(found, get_vector(own))
    return found


def _evidence(
    response: MediaResponse, data: UnitData
) -> tuple[Float[Tensor, " deviation"], Float[Tensor, "deviation deviation"]]:
    """Gradient and Gauss-Newton matrix of the silo's likelihood by its deviations, each in standard deviations."""
    records, columns, pooling = training_records(response, data), response.columns, response.spec.pooling
    outcome, weight = records[..., 0], records[..., 1]
    media, whitener = records[..., 2 : 2 + columns], records[..., 2 + columns :]
    with torch.no_grad():
        residual = (outcome - 1.0 - response(media)) * weight
        slopes = (
            deviations(response, media, pooling.silo_effect_sd, pooling.silo_shape_sd) * weight[..., None]
        )
        explained = whitener.transpose(1, 2) @ slopes
        score = torch.einsum("utd,ut->d", slopes, residual)
        score = score - torch.einsum("ufd,uf->d", explained, torch.einsum("utf,ut->uf", whitener, residual))
        information = torch.einsum("utd,ute->de", slopes, slopes) - torch.einsum(
            "ufd,ufe->de", explained, explained
        )
    return score, information


def _move(response: MediaResponse, deviation: Float[Tensor, " deviation"]) -> None:
    pooling = response.spec.pooling
    sds = (pooling.silo_effect_sd, *[pooling.silo_shape_sd] * len(SHAPES))
    with torch.no_grad():
        for name, sd, part in zip(("log_effect", *SHAPES), sds, deviation.chunk(3), strict=True):
            response.parameters_by_name[name].add_(sd * part)
