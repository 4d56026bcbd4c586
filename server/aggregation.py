"""From the silos' weighted mean change to the next shared model."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from server.settings import RunSettings, Strategy

Array = NDArray[np.float64]
ADAM_BETAS = (0.9, 0.999)
ADAM_EPSILON = 1e-10  # changes are tiny gradients; the usual 1e-3 (Reddi et al. 2021) would swallow them
FINAL_LEARNING_RATE_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class ModelState:
    """The shared model after `round` rounds, with the optimiser's memory and the average of the last iterates.

    Arrays `[parameter]`, but `information` [parameter, parameter]: the data's curvature for a mean unit, empty until
    it was summed. `averaged`: number of iterates in `iterate_sum`. `sums`: sums of the schedule that are done.
    """

    round: int
    parameters: Array
    first_moment: Array
    second_moment: Array
    iterate_sum: Array
    averaged: int
    clip_norm: float
    information: Array
    sums: int

    @classmethod
    def start(cls, parameters: Array, clip_norm: float) -> "ModelState":
        """Before the first round; the scales are agreed on."""
        zero = np.zeros_like(parameters)
        return cls(0, parameters, zero, zero, zero, 0, clip_norm, np.zeros(0), sums=1)

    @property
    def model(self) -> Array:
        """What the run stands for: the mean of the last iterates once there are any (Polyak, Juditsky 1992)."""
        return self.iterate_sum / self.averaged if self.averaged else self.parameters


def next_state(state: ModelState, change: Array, settings: RunSettings, *, clip_norm: float) -> ModelState:
    """One round further. `change` is the weighted mean over silos of (local model - sent model)."""
    moved = (
        _adam(state, change, settings)
        if settings.chosen_strategy is Strategy.FEDADAM
        else _add(state, change, settings)
    )
    if moved.round > settings.planned_rounds - max(
        1, round(settings.averaged_share * settings.planned_rounds)
    ):
        moved = replace(moved, iterate_sum=moved.iterate_sum + moved.parameters, averaged=moved.averaged + 1)
    if state.round >= settings.planned_rounds:  # calibrating: what came before knew of no experiment
        moved = replace(moved, iterate_sum=moved.parameters, averaged=1)
    return replace(moved, clip_norm=clip_norm, sums=moved.sums + 1)


def learning_rate(settings: RunSettings, round_index: int) -> float:
    """Cosine decay over the run for FedAdam; constant otherwise. `round_index` from 0."""
    if settings.chosen_strategy is not Strategy.FEDADAM:
        return settings.step_size
    cosine = 0.5 * (1.0 + math.cos(math.pi * round_index / settings.planned_rounds))
    return settings.step_size * (FINAL_LEARNING_RATE_SHARE + (1.0 - FINAL_LEARNING_RATE_SHARE) * cosine)


def _add(state: ModelState, change: Array, settings: RunSettings) -> ModelState:
    """FedAvg (McMahan et al. 2017); FedProx (Li et al. 2020) differs in the silos only."""
    rate = learning_rate(settings, state.round)
    if state.round >= settings.planned_rounds:  # calibrating, with curvature of this very point: a whole step
        rate = settings.server_learning_rate or 1.0
    return replace(state, round=state.round + 1, parameters=state.parameters + rate * change)


def _adam(state: ModelState, change: Array, settings: RunSettings) -> ModelState:
    """FedAdam (Reddi et al. 2021) with bias correction, so that one local step is Adam on the union."""
    beta1, beta2 = ADAM_BETAS
    first = beta1 * state.first_moment + (1 - beta1) * change
    second = beta2 * state.second_moment + (1 - beta2) * change**2
    taken = state.round + 1
    direction = (first / (1 - beta1**taken)) / (np.sqrt(second / (1 - beta2**taken)) + ADAM_EPSILON)
    parameters = state.parameters + learning_rate(settings, state.round) * direction
    return replace(state, round=taken, parameters=parameters, first_moment=first, second_moment=second)
