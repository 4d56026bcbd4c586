"""The shared response as planning sees it: its central estimate, and draws from its posterior."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.network import MediaResponse
from mmm_models.stored_model import StoredModel
from mmm_models.training import get_vector, set_vector
from mmm_models.transforms import gamma_kernel

Array = NDArray[np.float64]
DRAWS = 200


@dataclass(frozen=True, eq=False)
class Draws:
    """So many possible responses, likely ones often; the same random numbers in every question.

    `noise` are standard normal draws for what noise did to each channel's total, `reach` uniform ones in -1..1 for how
    the response goes on where nothing was ever spent.
    """

    effect: Float[Tensor, "draw channel"]
    log_half: Float[Tensor, "draw channel"]
    log_slope: Float[Tensor, "draw channel"]
    kernel: Float[Tensor, "draw lag channel"]
    synergy: Float[Tensor, "draw pair"]
    pairs: tuple[tuple[int, int], ...]
    noise: Float[Tensor, "draw channel"]
    reach: Float[Tensor, "draw channel"]

    @property
    def count(self) -> int:
        return int(self.effect.shape[0])


def central(model: StoredModel) -> Draws:
    """The one most probable response."""
    return _draws(model, np.asarray(model.parameters, dtype=np.float64)[None], np.random.default_rng(0), 0.0)


def posterior_draws(model: StoredModel, count: int = DRAWS) -> Draws | None:
    """So many draws from the posterior, in mirrored pairs, always the same; None where the run knows no posterior."""
    if model.covariance is None:
        return None
    rng = np.random.default_rng(0)
    values, vectors = np.linalg.eigh(model.covariance)
    half = rng.standard_normal((count // 2, len(values))) * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    return _draws(model, model.parameters + np.concatenate([half, -half]), rng, 1.0)


def _draws(model: StoredModel, vectors: Array, rng: np.random.Generator, spread: float) -> Draws:
    response = model.response().double()
    named = _named(response, vectors)
    shape = named["log_effect"].shape
    return Draws(
        effect=named["log_effect"].exp(),
        log_half=named["log_half_saturation"],
        log_slope=named["log_slope"],
        kernel=gamma_kernel(named["decay_logit"], named["delay"], response.spec.max_lag_weeks),
        synergy=_synergies(named, response),
        pairs=response.pairs,
        noise=spread * torch.from_numpy(rng.standard_normal(shape)),
        reach=spread * torch.from_numpy(rng.uniform(-1.0, 1.0, shape)),
    )


def _synergies(named: dict[str, Tensor], response: MediaResponse) -> Float[Tensor, "draw pair"]:
    """Strengths around the central one, no wider than was believed before any data.

    A synergy near none sits at the end of its scale, where the normal approximation of the posterior knows no bound:
    its draws would be synergies a hundred times anything that is likely.
    """
    if not response.pairs:
        return torch.zeros(len(named["log_effect"]), 0, dtype=torch.float64)
    raw, middle = named["synergy"], response.parameters_by_name["synergy"].detach()
    width = (raw - middle).std(dim=0, correction=0)
    drawn = torch.where(width > 0, (raw - middle) / width.clamp_min(1e-12), 0.0)
    spread = torch.minimum(width * torch.sigmoid(middle), torch.tensor(response.spec.prior.synergy_sd))
    return (torch.nn.functional.softplus(middle) + drawn * spread).clamp_min(0.0)


def _named(response: MediaResponse, vectors: Array) -> dict[str, Tensor]:
    """Parameters by name with a leading dimension of draws; their middle is where `response` is put."""
    set_vector(response, vectors.mean(axis=0))
    sizes = {name: value.shape for name, value in response.named_parameters()}
    columns = torch.split(torch.from_numpy(vectors), [shape.numel() for shape in sizes.values()], dim=1)
    assert get_vector(response).size == vectors.shape[1]
    return {
        name: part.reshape(-1, *shape) for (name, shape), part in zip(sizes.items(), columns, strict=True)
    }
