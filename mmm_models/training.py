"""Training without federation: full-batch Adam on the mean loss of all units plus the prior."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.errors import TrainingDiverged
from mmm_models.network import MediaResponse
from mmm_models.objective import UnitObjective, training_records
from mmm_models.response_prior import prior_weight
from mmm_models.spec import TrainingSpec
from mmm_models.unit_data import UnitData

Progress = Callable[[int, float], None]


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained response and the mean loss per unit after each step."""

    response: MediaResponse
    losses: NDArray[np.float64]


def train(
    response: MediaResponse, data: UnitData, spec: TrainingSpec, *, progress: Progress | None = None
) -> Trained:
    """Fit `response` in place. Raises `TrainingDiverged` when the loss stops being finite."""
    objective, inputs = UnitObjective(response), training_records(response, data)
    weight = prior_weight(response.spec.prior, data.units)
    optimizer = torch.optim.Adam(response.parameters(), lr=spec.learning_rate)
    average = IterateAverage(spec)
    losses = np.zeros(spec.steps)
    for step in range(spec.steps):
        optimizer.param_groups[0]["lr"] = learning_rate(spec, step)
        optimizer.zero_grad()
        loss = objective.losses(inputs).mean()
        losses[step] = loss.item()
        if not math.isfinite(losses[step]):
            raise TrainingDiverged(step)
        (loss + weight * response.negative_log_prior()).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        average.add(step, get_vector(response))
        if progress is not None:
            progress(step + 1, losses[step])
    set_vector(response, average.value)
    with torch.no_grad():
        if not torch.isfinite(objective.losses(inputs).sum()):
            raise TrainingDiverged(spec.steps)
    return Trained(response, losses)


def learning_rate(spec: TrainingSpec, step: int) -> float:
    """Cosine decay from the first to the last step."""
    floor = spec.final_learning_rate_share
    cosine = 0.5 * (1.0 + math.cos(math.pi * step / spec.steps))
    return spec.learning_rate * (floor + (1.0 - floor) * cosine)


class IterateAverage:
    """Mean of the last iterates (Polyak and Juditsky 1992): less noise, same limit."""

    def __init__(self, spec: TrainingSpec) -> None:
        self._first = spec.steps - max(1, round(spec.average_last_share * spec.steps))
        self._sum: NDArray[np.float64] | None = None
        self._count = 0

    def add(self, step: int, vector: NDArray[np.float64]) -> None:
        """Count the iterate after `step` (from 0) if it is among the last ones."""
        if step >= self._first:
            self._sum = vector if self._sum is None else self._sum + vector
            self._count += 1

    @property
    def value(self) -> NDArray[np.float64]:
        assert self._sum is not None
        return self._sum / self._count


def get_vector(response: MediaResponse) -> NDArray[np.float64]:
    """All shared parameters as one vector, in the order of `named_parameters()`."""
    return torch.nn.utils.parameters_to_vector(response.parameters()).detach().double().numpy()


def set_vector(response: MediaResponse, vector: NDArray[np.float64]) -> None:
    """The inverse of `get_vector`."""
    torch.nn.utils.vector_to_parameters(torch.as_tensor(vector, dtype=torch.float32), response.parameters())


def prior_gradient(response: MediaResponse) -> NDArray[np.float64]:
    """Gradient of the negative log prior, in the order of `get_vector`."""
    gradients: tuple[Tensor, ...] = torch.autograd.grad(
        response.negative_log_prior(), list(response.parameters())
    )
    return torch.cat([gradient.reshape(-1) for gradient in gradients]).double().numpy()
