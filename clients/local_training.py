"""One silo's work in one round: a few steps from the shared response, private or not."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mmm_models.federated_spec import LocalOptimizer, LocalTraining
from mmm_models.network import MediaResponse
from mmm_models.objective import UnitObjective, gradient_balance, training_records
from mmm_models.response_prior import prior_weight
from mmm_models.training import get_vector, prior_gradient, set_vector
from mmm_models.unit_data import UnitData
from privacy.run_terms import PrivacyTerms
from privacy.secure_noise import NoiseSource

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LocalRun:
    """How to train: `units` is this silo's (possibly noised) number of units, `units_of_all` that of the run."""

    training: LocalTraining
    privacy: PrivacyTerms
    noise: NoiseSource
    units: float
    units_of_all: float


@dataclass(frozen=True, eq=False)
class LocalUpdate:
    """Change of the parameter vector. `loss_sum` belongs to the model as it arrived and is not private."""

    change: Array
    loss_sum: float
    centred_clip_count: float


def train_locally(response: MediaResponse, data: UnitData, run: LocalRun, *, clip_norm: float) -> LocalUpdate:
    """Take `run.training.steps` steps on the mean loss of this silo's units, plus the prior's share.

    Guarantee in private runs: each step is one Gaussian release of the clipped gradient sum and the count of
    unclipped units of one sample (`Release.ROUND`); the change computed from them is post-processing.
    Unit: one whole series. Neighbours: add or remove one.
    """
    start = get_vector(response)
    gradients = _Private(response, data, run, clip_norm) if run.privacy.private else _Exact(response, data)
    vector = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = _optimizer(run.training, vector)
    weight = prior_weight(response.spec.prior, run.units_of_all)
    for _ in range(run.training.steps):
        mean = gradients.sum() / (run.units * run.privacy.sample_rate)
        pull = run.training.proximal * (vector.detach().numpy() - start)
        vector.grad = torch.from_numpy(mean + weight * prior_gradient(response) + pull)
        optimizer.step()
        set_vector(response, vector.detach().numpy())
    return LocalUpdate(
        vector.detach().numpy() - start, gradients.first_loss, gradients.clip_count / run.training.steps
    )


class _Exact:
    """Gradient sums of the plain loss."""

    def __init__(self, response: MediaResponse, data: UnitData) -> None:
        self._objective = UnitObjective(response)
        self._inputs = training_records(response, data)
        self.first_loss = float("nan")
        self.clip_count = 0.0

    def sum(self) -> Array:
        loss = self._objective.losses(self._inputs).sum()
        if np.isnan(self.first_loss):
            self.first_loss = float(loss.item())
        gradients = torch.autograd.grad(loss, list(self._objective.parameters()))
        return torch.cat([gradient.reshape(-1) for gradient in gradients]).double().numpy()


class _Private:
    """Clipped, noised gradient sums; nothing else about the data leaves this object.

    Gradients are balanced over channels (public factors) before they are clipped and put back afterwards.
    """

    def __init__(self, response: MediaResponse, data: UnitData, run: LocalRun, clip_norm: float) -> None:
        from privacy.dp_sgd import DpStep, GradientRelease  # Opacus takes seconds to import: only when needed

        balance = gradient_balance(response)
        self._objective = UnitObjective(response, {name: 1.0 / value for name, value in balance.items()})
        self._balance = _as_vector(response, balance)
        self._inputs = training_records(response, data)
        self._step = DpStep(self._objective, noise=run.noise)
        self._spec = GradientRelease(
            clip_norm,
            run.privacy.gradient_noise_multiplier,
            run.privacy.clip_count_sigma,
            run.privacy.sample_rate,
        )
        self.first_loss = 0.0
        self.clip_count = 0.0

    def sum(self) -> Array:
        released = self._step.release(self._inputs, self._objective.unit_loss, spec=self._spec)
        self.clip_count += released.centred_clip_count or 0.0
        return released.gradient_sum * self._balance


def _as_vector(response: MediaResponse, balance: Mapping[str, torch.Tensor]) -> Array:
    """Factors `[parameter]` in the order of `get_vector`; one where nothing is balanced."""
    factors = (balance.get(name, torch.ones_like(value)) for name, value in response.named_parameters())
    return torch.cat([factor.reshape(-1) for factor in factors]).double().numpy()


def _optimizer(training: LocalTraining, vector: torch.nn.Parameter) -> torch.optim.Optimizer:
    if training.optimizer is LocalOptimizer.ADAM:
        return torch.optim.Adam([vector], lr=training.learning_rate)
    return torch.optim.SGD([vector], lr=training.learning_rate)
