"""One differentially private gradient: per unit, clipped by Opacus, summed, noised from a secure source.

The record is a whole unit (its full series). The only file that imports Opacus, whose `DPOptimizer` clips and
sums. Per-unit gradients (`per_unit_gradients`) are handed to it the way its "no_op" mode foresees.

Three defaults of Opacus are not used: noise from torch's global generator, which a seed repeats; division by
an expected batch size taken from the private number of units; single precision, in which the rounding of a
long sum can let one unit move it by slightly more than the clip norm.
Opacus clips to C norm / (norm + 1e-6): choose units of measure in which the clip norm C is well above 1e-5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from opacus.optimizers import DPOptimizer
from torch import Tensor, nn

from privacy.accountant import GaussianEvent, require_count, require_positive, require_sample_rate
from privacy.adaptive_clipping import joint_noise
from privacy.per_unit_gradients import PerUnitGradients, UnitLoss
from privacy.secure_noise import NoiseSource


@dataclass(frozen=True)
class GradientRelease:
    """What one step releases.

    max_grad_norm: L2 bound on one unit's gradient over all parameters. noise_multiplier: noise standard
    deviation of each coordinate of the sum / max_grad_norm. clip_count_sigma: noise on the centred number of
    unclipped units, or None to release no count. sample_rate: chance of each unit to take part.
    """

    max_grad_norm: float
    noise_multiplier: float
    clip_count_sigma: float | None = None
    sample_rate: float = 1.0

    def __post_init__(self) -> None:
        require_positive("max_grad_norm", self.max_grad_norm)
        require_positive("noise_multiplier", self.noise_multiplier)
        if self.clip_count_sigma is not None:
            require_positive("clip_count_sigma", self.clip_count_sigma)
        require_sample_rate(self.sample_rate)

    def event(self, steps: int) -> GaussianEvent:
        """What `steps` such releases charge. Gradient and count share one sample, so they are one event."""
        require_count("steps", steps)
        multiplier = self.noise_multiplier
        if self.clip_count_sigma is not None:
            multiplier = joint_noise(multiplier, self.clip_count_sigma)
        return GaussianEvent(multiplier, steps, self.sample_rate)


@dataclass(frozen=True, eq=False)
class NoisyGradient:
    """A released step: a sum, not a mean, and if asked for the noisy sum of (unclipped - 1/2)."""

    gradient_sum: NDArray[np.float64]  # [parameter], in the order of `named_parameters()`
    centred_clip_count: float | None


class DpStep:
    """Makes noisy clipped gradient sums of one network."""

    def __init__(self, network: nn.Module, *, noise: NoiseSource) -> None:
        self._gradients = PerUnitGradients(network)
        self._noise = noise
        self._vector = nn.Parameter(torch.zeros(self._gradients.size, dtype=torch.float64))
        self._optimizer = _SecureNoiseOptimizer(self._vector, noise)

    def release(self, inputs: Tensor, unit_loss: UnitLoss, *, spec: GradientRelease) -> NoisyGradient:
        """The noisy sum over units of the clipped gradient of `unit_loss(output, inputs)`.

        inputs: [unit, ...], everything about each unit that the loss needs, and nothing about another one.

        Guarantee: (epsilon, delta)-DP as accounted for `spec.event(steps)`, over all steps.
        Unit: one row of `inputs`, a whole series. Neighbours: add or remove one (replace one: sensitivity
        doubles).
        Source: Abadi et al. 2016; count: Andrew et al. 2021, Theorem 1; sampling: Poisson, from the same
        secure source.
        Not covered: computing time, which depends on the number of units.
        Gradients above the bound are clipped and gradients that are not finite count as zero: an error would
        leak.
        """
        if spec.sample_rate < 1.0:
            inputs = inputs[torch.from_numpy(self._noise.coin_flips(inputs.shape[0], spec.sample_rate))]
        gradients = self._gradients(inputs, unit_loss)
        gradients[~gradients.isfinite().all(dim=1)] = 0.0
        count = self._noisy_centred_count(gradients.norm(dim=1), spec)
        noisy_sum = self._optimizer.noisy_sum(gradients, spec.max_grad_norm, spec.noise_multiplier)
        return NoisyGradient(noisy_sum, count)

    def _noisy_centred_count(self, norms: Tensor, spec: GradientRelease) -> float | None:
        if spec.clip_count_sigma is None:
            return None
        centred = float((norms <= spec.max_grad_norm).double().sum()) - 0.5 * len(norms)
        return centred + float(self._noise.gaussian((1,), spec.clip_count_sigma)[0])


class _SecureNoiseOptimizer(DPOptimizer):  # type: ignore[misc]
    """Opacus' optimizer with its noise replaced; it never steps, the sum itself is the release."""

    def __init__(self, vector: nn.Parameter, noise: NoiseSource) -> None:
        super().__init__(
            torch.optim.SGD([vector], lr=1.0),
            noise_multiplier=1.0,
            max_grad_norm=1.0,
            expected_batch_size=None,
            loss_reduction="sum",
        )
        self._vector = vector
        self._secure_noise = noise

    def noisy_sum(
        self, gradients: Tensor, max_grad_norm: float, noise_multiplier: float
    ) -> NDArray[np.float64]:
        """Clip [unit, parameter] by row, sum and noise. Nothing of it stays behind on the parameter."""
        self.max_grad_norm, self.noise_multiplier = max_grad_norm, noise_multiplier
        try:
            self._vector.grad_sample = gradients  # type: ignore[attr-defined]
            self.clip_and_accumulate()
            self.add_noise()
            assert self._vector.grad is not None
            return self._vector.grad.numpy().copy()
        finally:
            self.zero_grad(set_to_none=True)

    def add_noise(self) -> None:
        """In place of Opacus' noise, which repeats whenever torch is seeded alike."""
        summed: Tensor = self._vector.summed_grad  # type: ignore[attr-defined]
        noise = self._secure_noise.gaussian(tuple(summed.shape), self.noise_multiplier * self.max_grad_norm)
        self._vector.grad = summed + torch.from_numpy(noise)
