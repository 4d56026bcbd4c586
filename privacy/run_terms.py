"""The privacy terms of one training run: what is released how often, and so how much noise each release gets.

Coordinator and silos derive the same noise from the same few numbers; a silo never takes noise from a message.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from privacy.accountant import GaussianEvent, require_count, require_delta, require_positive
from privacy.adaptive_clipping import CENTRED_BIT_SENSITIVITY, split_noise
from privacy.distributed_noise import NoiseShares, total_variation
from privacy.errors import InvalidSetting
from privacy.noise_plan import NoisePlan, PlannedRelease, calibrate_noise_multiplier, plan_noise


class PrivacyMode(StrEnum):
    """Where noise is added: nowhere; shared out among the silos of a secure sum; or by each silo, in full."""

    NONE = "none"
    DISTRIBUTED = "distributed"
    LOCAL = "local"


class SecureAggregation(StrEnum):
    """How sums over silos are protected: pairwise masks, Paillier encryption with a key holder, or not at all."""

    NONE = "none"
    MASKS = "masks"
    PAILLIER = "paillier"


class Release(StrEnum):
    """The kinds of noised sums a run releases. A round's gradient and clip count come from the same units."""

    SCALES = "scales"
    ROUND = "round"
    CURVATURE = "curvature"
    DRAFT = "draft"
    REPORT = "report"


# Shares of mu^2 that scales leave. Attribution lives on the gradients and on the final totals.
SHARES_AFTER_SCALES = {Release.ROUND: 0.80, Release.DRAFT: 0.03, Release.REPORT: 0.17}
CURVATURE_SHARE = 0.25  # taken from the rounds' where curvature is asked for
CLIP_COUNT_SHARE = 0.06  # of a round's
# Without scales there is no run, so they get what a usable histogram takes: this noise multiplier (in local mode
# many silos' noise adds up in it), within these shares.
SCALES_NOISE = {PrivacyMode.DISTRIBUTED: 12.0, PrivacyMode.LOCAL: 6.0}
SMALLEST_SCALES_SHARE, LARGEST_SCALES_SHARE = 0.05, 0.35


@dataclass(frozen=True)
class PrivacyTerms:
    """What a run promises every unit: `epsilon` and `delta` over everything it releases.

    steps, curvatures: number of gradient and of curvature releases. survivors, colluding: who carries the noise in
    distributed mode (`NoiseShares`). values: the most numbers in one release, which bounds how far integer noise
    is from Gaussian. sample_rate: chance of each unit to take part in one step; the silo draws it in secret.

    Unit: one whole series. Neighbours: add or remove one. With sample_rate 1 the releases are plain Gaussian
    mechanisms, composed exactly; below it their privacy loss distributions are composed numerically.
    """

    mode: PrivacyMode
    epsilon: float = 0.0
    delta: float = 0.0
    steps: int = 0
    curvatures: int = 0
    survivors: int = 0
    colluding: int = 0
    values: int = 0
    sample_rate: float = 1.0

    def __post_init__(self) -> None:
        if self.mode is PrivacyMode.NONE:
            if self.epsilon or self.delta:
                raise InvalidSetting(
                    "epsilon and delta are set, but the privacy mode is none",
                    hint="choose --privacy local or --privacy distributed",
                )
            return
        require_positive("epsilon", self.epsilon)
        require_delta(self.delta)
        require_count("steps", self.steps)
        require_count("values", self.values)
        _ = self.shares

    @property
    def private(self) -> bool:
        return self.mode is not PrivacyMode.NONE

    @property
    def answered_once(self) -> bool:
        """Whether a silo may send no sum twice, whatever happens to its answer.

        A silo's share of noise alone protects little. The same share in two sums over different silos would
        come out by subtraction, so in distributed mode a lost answer stays lost.
        """
        return self.mode is PrivacyMode.DISTRIBUTED

    @cached_property
    def shares(self) -> NoiseShares:
        """Who carries the noise of a sum; in local mode each silo carries all of it. Raises InvalidSetting."""
        if self.mode is PrivacyMode.DISTRIBUTED:
            return NoiseShares(self.survivors, self.colluding)
        return NoiseShares(survivors=1)

    @cached_property
    def budget_shares(self) -> dict[Release, float]:
        """What each kind of release may use of mu^2; they add up to one."""
        mu = 1.0 / calibrate_noise_multiplier(self.epsilon, self.delta, count=1)
        wanted = 1.0 / (mu * SCALES_NOISE[self.mode]) ** 2
        scales = min(LARGEST_SCALES_SHARE, max(SMALLEST_SCALES_SHARE, wanted))
        shares = dict(SHARES_AFTER_SCALES)
        if self.curvatures:
            shares[Release.ROUND] -= CURVATURE_SHARE
            shares[Release.CURVATURE] = CURVATURE_SHARE
        return {Release.SCALES: scales, **{name: (1 - scales) * share for name, share in shares.items()}}

    @cached_property
    def plan(self) -> NoisePlan:
        """The noise of every release of a private run."""
        counts = {Release.ROUND: self.steps, Release.CURVATURE: self.curvatures}
        rates = {Release.ROUND: self.sample_rate, Release.CURVATURE: self.sample_rate}
        slack = total_variation(self.values, self.shares)
        releases = (
            PlannedRelease(name.value, counts.get(name, 1), share, rates.get(name, 1.0), slack)
            for name, share in self.budget_shares.items()
        )
        return plan_noise(self.epsilon, self.delta, tuple(releases))

    @property
    def events(self) -> tuple[GaussianEvent, ...]:
        """What a silo charges before the run reads any data; empty without privacy."""
        return self.plan.events if self.private else ()

    def noise_multiplier(self, release: Release) -> float:
        """Noise standard deviation / L2 sensitivity of one release, of the noise that is certain."""
        return self.plan.noise_multiplier(release.value)

    @property
    def gradient_noise_multiplier(self) -> float:
        """Of a round's gradient sum alone; with the clip count it makes `Release.ROUND`."""
        return split_noise(self.noise_multiplier(Release.ROUND), self.clip_count_sigma)

    @property
    def clip_count_noise_multiplier(self) -> float:
        """Of a round's count of unclipped units alone."""
        return self.noise_multiplier(Release.ROUND) / math.sqrt(CLIP_COUNT_SHARE)

    @property
    def clip_count_sigma(self) -> float:
        """Noise on the centred count of units below the clip norm."""
        return self.clip_count_noise_multiplier * CENTRED_BIT_SENSITIVITY
