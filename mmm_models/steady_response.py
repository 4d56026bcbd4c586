"""The shared response at steady typical media: all that a run knows of curves when single units' weeks are noised."""

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.contribution_totals import MULTIPLIERS, STEP
from mmm_models.network import MediaResponse, Parameters

Array = NDArray[np.float64]


def steady_shape(response: MediaResponse, multipliers: Array) -> Array:
    """Effect `[channel, multiplier]`, each channel scaled alone, relative to that at one."""
    with torch.no_grad():
        own = _effects(response, response.parameters_by_name, multipliers).double().numpy()
    one = own[:, list(multipliers).index(1.0)]
    return np.asarray(own / np.where(one > 0, one, 1.0)[:, None])


def steady_log_slopes(response: MediaResponse) -> Array:
    """Derivatives `[channel, column, parameter]` of the logarithm of what `ContributionTotals` has columns for.

    Zero where nothing can be gained: at no media, and for a channel without effect.
    """
    shapes = {name: value.shape for name, value in response.named_parameters()}
    multipliers = np.array([*MULTIPLIERS, 1.0 + STEP])

    def columns(vector: Tensor) -> Tensor:
        parts = torch.split(vector, [shape.numel() for shape in shapes.values()])
        named = {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        own = _effects(response, named, multipliers)
        one, more = own[:, MULTIPLIERS.index(1.0)], own[:, -1]
        whole = torch.cat([own[:, :-1], one[:, None], (more - one)[:, None]], dim=1)
        return torch.where(whole > 0, whole, 1.0).log()

    point = torch.nn.utils.parameters_to_vector(response.parameters()).detach()
    slopes: Tensor = torch.func.jacfwd(columns)(point)
    return np.asarray(slopes.double().numpy())


def _effects(
    response: MediaResponse, parameters: Parameters, multipliers: Array
) -> Float[Tensor, "channel multiplier"]:
    channels = len(response.spend_per_revenue)
    dtype = parameters["log_effect"].dtype
    scaled = torch.as_tensor(multipliers, dtype=dtype)
    media = torch.ones(
        channels, len(multipliers), 2 * response.spec.max_lag_weeks, response.columns, dtype=dtype
    )
    for index in range(channels):
        media[index][:, :, response.own_columns(index)] = scaled[:, None, None]
    effects = response.effects(parameters, media.flatten(0, 1))[:, -1]
    every = effects.reshape(channels, len(multipliers), channels)
    return torch.diagonal(every, dim1=0, dim2=2).T
