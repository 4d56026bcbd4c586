"""From the sum of a round, or of curvature, to the next state of the shared model."""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mmm_models.federated_spec import ROUND_METRICS, GradientSum, LocalOptimizer, RoundSum
from mmm_models.response_prior import prior_weight
from mmm_models.scaling import Scales
from mmm_models.training import prior_gradient
from privacy.adaptive_clipping import QuantileClipping
from privacy.distributed_noise import read_sum
from privacy.run_releases import RunReleases
from privacy.run_terms import Release
from server.aggregation import ModelState, next_state
from server.gauss_newton import curvature_bound, learned_information, newton_step
from server.run_plan import RunPlan
from server.run_store import RoundMetrics
from server.settings import RunSettings, Strategy
from server.silo_exchange import SiloSum
from server.sum_questions import coordinates, response_at

Array = NDArray[np.float64]
CLIP_LEARNING_RATE, NEWTON_CLIP_LEARNING_RATE = 0.2, 0.3
CLIP_LOWEST, CLIP_HIGHEST = 1e-3, 1e4


class Steps:
    """One run's way of stepping. `units`: the (in private runs noised) number of units of all silos."""

    def __init__(self, plan: RunPlan, settings: RunSettings, scales: Scales, *, units: float) -> None:
        self._plan, self._settings, self._scales, self._units = plan, settings, scales, units

    def after_round(self, state: ModelState, answer: SiloSum) -> ModelState:
        """The next model, and in private runs the next clip norm."""
        if self._plan.model.local.optimizer is LocalOptimizer.NONE:
            return self._after_gradient(state, answer)
        layout = RoundSum(parameters=state.parameters.size, private=self._plan.privacy.private)
        clip_norm = state.clip_norm
        if layout.private:
            clip_norm = self._next_clip_norm(clip_norm, float(layout.extra(answer.total)[0]))
        return next_state(state, layout.change(answer.total), self._settings, clip_norm=clip_norm)

    def after_lost_round(self, state: ModelState) -> ModelState:
        """The same model, one round further: its sum may not be asked for again."""
        return replace(state, round=state.round + 1, sums=state.sums + 1)

    def after_lost_curvature(self, state: ModelState) -> ModelState:
        """The same model with the curvature known before.

        Where silos' experiments count the step after it is left out as well: it would be a whole one (see
        `aggregation.next_state`), and curvature of another point, or from before experiments, does not say how far.
        """
        kept = replace(state, sums=state.sums + 1)
        return self.after_lost_round(kept) if self._plan.calibrates_after(state.round) else kept

    def after_curvature(self, state: ModelState, answer: SiloSum) -> ModelState:
        """The same model with new curvature."""
        response = response_at(self._plan, self._scales, state.parameters)
        white = coordinates(self._plan, response, state.information, self._units)
        bound = curvature_bound(state.parameters.size, state.information)
        privacy, deviation, total = self._plan.privacy, 0.0, answer.total
        counted = self._units * privacy.sample_rate
        if privacy.private:
            total = read_sum(answer.integers, RunReleases(privacy).curvature(answer.integers.size, bound))
            shares = math.sqrt(len(answer.silos) / privacy.shares.honest)
            deviation = privacy.noise_multiplier(Release.CURVATURE) * bound * shares / counted
        information = learned_information(total / counted, white, deviation=deviation)
        return replace(state, information=information, sums=state.sums + 1)

    def metrics(self, state: ModelState, answer: SiloSum) -> RoundMetrics:
        """Fit of the model the round started from; a private run releases none."""
        loss = nrmse = mape = math.nan
        if not self._plan.privacy.private:
            found, weight = self._fit(state.parameters.size, answer.total)
            loss = found["loss"] / max(weight, 1.0)
            if found["test_weeks"] > 0:
                nrmse = math.sqrt(found["squared_error"] / found["test_weeks"])
                mape = found["mape"] / found["tested_units"]
        return RoundMetrics(
            state.round, loss, nrmse, mape, len(answer.silos), answer.seconds, answer.bytes_sent, state.clip_norm
        )  # fmt: skip

    def _fit(self, parameters: int, total: Array) -> tuple[dict[str, float], float]:
        """The round's summed metrics, and the units they are of."""
        if self._plan.model.local.optimizer is LocalOptimizer.NONE:
            found = GradientSum(parameters=parameters, private=False).extra(total)
            return dict(zip(ROUND_METRICS, found[1:], strict=True)), float(found[0])
        extra = RoundSum(parameters=parameters, private=False).extra(total)
        return dict(zip(ROUND_METRICS, extra, strict=True)), float(total[parameters])

    def _after_gradient(self, state: ModelState, answer: SiloSum) -> ModelState:
        privacy, parameters = self._plan.privacy, state.parameters.size
        layout = GradientSum(parameters=parameters, private=privacy.private)
        total, clip_norm = answer.total, state.clip_norm
        counted = self._units * privacy.sample_rate  # never the private number of those who answered
        if not privacy.private:
            counted = max(float(layout.extra(total)[0]), 1.0)
        else:
            total = read_sum(answer.integers, RunReleases(privacy).gradient(parameters, clip_norm))
            clip_norm = self._next_clip_norm(clip_norm, float(layout.extra(total)[0]))
        response = response_at(self._plan, self._scales, state.parameters)
        white = coordinates(self._plan, response, state.information, self._units)
        gradient = white.inverse @ layout.gradient(total) / counted
        if self._settings.chosen_strategy is Strategy.NEWTON:
            change = newton_step(response, gradient, state.information, self._units)
        else:
            change = -gradient - prior_weight(response.spec.prior, self._units) * prior_gradient(response)
        return next_state(state, change, self._settings, clip_norm=clip_norm)

    def _next_clip_norm(self, clip_norm: float, noisy_count: float) -> float:
        newton = self._settings.chosen_strategy is Strategy.NEWTON
        clipping = QuantileClipping(
            self._settings.clip_quantile,
            NEWTON_CLIP_LEARNING_RATE if newton else CLIP_LEARNING_RATE,
            max(1, round(self._units * self._plan.privacy.sample_rate)),
            CLIP_LOWEST,
            CLIP_HIGHEST,
        )
        return clipping.next_clip_norm(clip_norm, noisy_count)


def first_clip_norm(settings: RunSettings, parameters: int) -> float:
    """A public start: what was set, else what typical gradients had in simulated worlds."""
    usual = 0.8 * math.sqrt(parameters) if settings.chosen_strategy is Strategy.NEWTON else 5.0
    return settings.clip_norm or usual
