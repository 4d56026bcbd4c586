"""The privacy terms of one training run: what is released how often, and so how much noise each release gets.

Coordinator and silos derive the same noise from the same few numbers; a silo never takes noise from a message.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from privacy.accountant import GaussianEvent, require_count, require_delta, require_positive
from privacy.adaptive_clipping import CENTRED_BIT_SENSITIVITY
from privacy.errors import InvalidSetting
from privacy.noise_plan import NoisePlan, PlannedRelease, plan_noise


class PrivacyMode(StrEnum):
    """Where noise is added: nowhere, or in each silo before anything leaves it."""

    NONE = "none"
    LOCAL = "local"


class SecureAggregation(StrEnum):
    """How sums over silos are protected: pairwise masks, or not at all."""

    NONE = "none"
    MASKS = "masks"


class Release(StrEnum):
    """The kinds of noised sums a run releases."""

    SCALES = "scales"
    GRADIENT = "gradient"
    CLIP_COUNT = "clip count"
    REPORT = "report"


# Shares of mu^2. Attribution lives on the gradients and on the final totals; scales and clip norm need little.
BUDGET_SHARES = {Release.SCALES: 0.03, Release.GRADIENT: 0.80, Release.CLIP_COUNT: 0.05, Release.REPORT: 0.12}


@dataclass(frozen=True)
class PrivacyTerms:
    """What a run promises every unit: `epsilon` and `delta` over all `steps` gradient releases and the rest.

    Unit: one whole series. Neighbours: add or remove one. Full batch: every unit takes part in every step, so
    the releases are plain Gaussian mechanisms, composed exactly, and nobody's participation is secret.
    """

    mode: PrivacyMode
    epsilon: float = 0.0
    delta: float = 0.0
    steps: int = 0

    def __post_init__(self) -> None:
        if self.mode is PrivacyMode.NONE:
            if self.epsilon or self.delta:
                raise InvalidSetting(
                    "epsilon and delta are set, but the privacy mode is none", hint="choose --privacy local"
                )
            return
        require_positive("epsilon", self.epsilon)
        require_delta(self.delta)
        require_count("steps", self.steps)

    @property
    def private(self) -> bool:
        return self.mode is not PrivacyMode.NONE

    @cached_property
    def plan(self) -> NoisePlan:
        """The noise of every release of a private run."""
        counts = {release: self.steps if _per_step(release) else 1 for release in Release}
        releases = (PlannedRelease(name.value, counts[name], share) for name, share in BUDGET_SHARES.items())
        return plan_noise(self.epsilon, self.delta, tuple(releases))

    @property
    def events(self) -> tuple[GaussianEvent, ...]:
        """What a silo charges before the run reads any data; empty without privacy."""
        return self.plan.events if self.private else ()

    def noise_multiplier(self, release: Release) -> float:
        """Noise standard deviation / L2 sensitivity of one release."""
        return self.plan.noise_multiplier(release.value)

    @property
    def clip_count_sigma(self) -> float:
        """Noise on the centred count of units below the clip norm."""
        return self.noise_multiplier(Release.CLIP_COUNT) * CENTRED_BIT_SENSITIVITY


def _per_step(release: Release) -> bool:
    return release in (Release.GRADIENT, Release.CLIP_COUNT)
