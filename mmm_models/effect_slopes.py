"""Derivatives of effects by the shared parameters: for curvature, deviations of units, and intervals."""

import torch
from jaxtyping import Float
from torch import Tensor

from mmm_models.network import MediaResponse, Parameters


def effect_slopes(
    response: MediaResponse, media: Float[Tensor, "unit week column"]
) -> Float[Tensor, "unit week parameter"]:
    """Derivative of the sum of all effects at the current parameters, order as in `get_vector`."""
    own = {name: value.detach() for name, value in response.named_parameters()}
    if separate(response):
        parts = [own_slopes(response, own, media, name)[1] for name in own]
        return torch.cat(parts, dim=-1)
    shapes = {name: value.shape for name, value in own.items()}

    def total(vector: Tensor) -> Tensor:
        parts = torch.split(vector, [shape.numel() for shape in shapes.values()])
        named = {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return response.effects(named, media).sum(dim=-1)

    point = torch.nn.utils.parameters_to_vector(own.values())
    slopes: Tensor = torch.func.jacfwd(total)(point)
    return slopes


def own_slopes(
    response: MediaResponse, parameters: Parameters, media: Float[Tensor, "unit week column"], name: str
) -> tuple[Float[Tensor, "unit week channel"], Float[Tensor, "unit week channel"]]:
    """Effects, and their derivatives when every channel's parameter `name` moves by one.

    Without synergy a channel's effect depends on its own parameters alone, so this is each channel's own derivative
    in a single pass, whatever the number of channels.
    """

    def effects(value: Tensor) -> Tensor:
        return response.effects({**parameters, name: value}, media)

    value = parameters[name].detach()
    now, slope, *_ = torch.func.jvp(effects, (value,), (torch.ones_like(value),))
    return now, slope


def separate(response: MediaResponse) -> bool:
    """Whether every parameter belongs to one channel and touches that channel's effect alone."""
    return not response.pairs and not response.spec.effect_waves
