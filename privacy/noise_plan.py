"""How much noise each release of a run gets so that all of them together meet one (epsilon, delta) target.

The budget is shared out in mu^2 (Gaussian differential privacy), where full-batch releases simply add up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from privacy.accountant import (
    GaussianEvent,
    PrivacyCost,
    epsilon_of,
    gaussian_delta,
    gaussian_epsilon,
    gaussian_mu,
    privacy_cost,
    require_count,
    require_delta,
    require_positive,
    require_sample_rate,
    require_slack,
    smallest,
)
from privacy.errors import InvalidSetting

# Kept back so that float rounding in a later composition cannot push a plan past its own target.
_ROUNDING_RESERVE = 1e-9
_SAMPLED_SEARCH_TOLERANCE = 1e-3


@dataclass(frozen=True)
class PlannedRelease:
    """One kind of release a run makes `count` times, and the fraction of the budget (of mu^2) it may use.

    Two values released from the *same* Poisson sample are one release: plan them together and split the noise
    with `adaptive_clipping.split_noise`; planned apart they would be counted as separately sampled.
    slack: total variation distance of each single release from an exactly Gaussian one.
    """

    name: str
    count: int
    share: float
    sample_rate: float = 1.0
    slack: float = 0.0

    def __post_init__(self) -> None:
        require_count("count", self.count)
        require_positive("share", self.share)
        require_sample_rate(self.sample_rate)
        require_slack(self.slack)


@dataclass(frozen=True)
class PlannedNoise:
    """A planned release with the noise it was given."""

    name: str
    event: GaussianEvent


@dataclass(frozen=True)
class NoisePlan:
    """The noise of every release of a run, and what they cost together."""

    releases: tuple[PlannedNoise, ...]
    cost: PrivacyCost

    @property
    def events(self) -> tuple[GaussianEvent, ...]:
        """What a ledger is charged before the run starts."""
        return tuple(release.event for release in self.releases)

    def noise_multiplier(self, name: str) -> float:
        """Noise standard deviation / sensitivity (add or remove one unit) of the release called `name`."""
        for release in self.releases:
            if release.name == name:
                return release.event.noise_multiplier
        known = ", ".join(release.name for release in self.releases)
        raise InvalidSetting(f"the plan has no release {name!r}", hint=f"planned releases: {known}")


def plan_noise(target_epsilon: float, target_delta: float, releases: tuple[PlannedRelease, ...]) -> NoisePlan:
    """The least noise whose composition stays within the target.

    Guarantee: `cost.epsilon <= target_epsilon` at `target_delta`, add or remove one unit; tight to 1e-8
    relative without sampling and to 0.5 % with it.
    Raises InvalidSetting when the releases' slack makes the target unreachable with any amount of noise.
    """
    require_positive("target_epsilon", target_epsilon)
    require_delta(target_delta)
    _check(releases)
    slack = math.fsum(release.count * release.slack for release in releases)
    mu = _largest_mu(target_epsilon, target_delta, slack)
    if mu == 0.0:
        raise InvalidSetting(
            f"the releases are within {slack:.3g} of Gaussian ones, which is too far for delta {target_delta:g} "
            f"at any epsilon up to {target_epsilon:g}, whatever the noise",
            hint="choose a larger delta, or release fewer values or less often",
        )
    if any(release.sample_rate < 1.0 for release in releases):
        mu = _largest_mu_sampled(mu, target_epsilon, target_delta, releases)
    planned = _planned(mu, releases)
    cost = privacy_cost([release.event for release in planned], target_delta)
    return NoisePlan(planned, cost)


def calibrate_noise_multiplier(
    target_epsilon: float, target_delta: float, *, count: int, sample_rate: float = 1.0
) -> float:
    """The noise multiplier of `count` equal releases that together meet the target; see `plan_noise`."""
    release = PlannedRelease("release", count, 1.0, sample_rate)
    return plan_noise(target_epsilon, target_delta, (release,)).noise_multiplier("release")


def affordable_epsilon(
    spent: Iterable[GaussianEvent], limit_epsilon: float, delta: float, *, slack: float = 0.0
) -> float:
    """The largest epsilon (at `delta`) that one more full-batch run may have after `spent`, within the limit.

    slack: of all releases of that run together. Composed, not subtracted: usually more than limit minus spent.
    Rounded down.
    """
    spent = tuple(spent)
    if epsilon_of(spent, delta) >= limit_epsilon:
        return 0.0
    if all(event.sample_rate == 1.0 for event in spent):
        total_slack = slack + math.fsum(event.slack for event in spent)
        squared = _largest_mu(limit_epsilon, delta, total_slack) ** 2 - gaussian_mu(spent) ** 2
        mu = math.sqrt(max(0.0, squared)) * (1 - _ROUNDING_RESERVE)
    else:
        mu = 1 / smallest(
            lambda noise: (
                noise > 0 and epsilon_of((*spent, GaussianEvent(noise, slack=slack)), delta) <= limit_epsilon
            ),
            relative_tolerance=_SAMPLED_SEARCH_TOLERANCE,
        )
    return gaussian_epsilon(mu, delta, slack) * (1 - _ROUNDING_RESERVE) if mu > 0 else 0.0


def _check(releases: tuple[PlannedRelease, ...]) -> None:
    names = [release.name for release in releases]
    if not releases or len(set(names)) < len(names):
        raise InvalidSetting(
            f"planned releases are {names}", hint="plan at least one release, each name once"
        )
    total = math.fsum(release.share for release in releases)
    if abs(total - 1.0) > 1e-9:
        raise InvalidSetting(f"the budget shares add up to {total}", hint="make the shares add up to 1")


def _planned(mu: float, releases: tuple[PlannedRelease, ...]) -> tuple[PlannedNoise, ...]:
    return tuple(
        PlannedNoise(
            release.name,
            GaussianEvent(
                _multiplier(mu, release), release.count, release.sample_rate, release.count * release.slack
            ),
        )
        for release in releases
    )


def _multiplier(mu: float, release: PlannedRelease) -> float:
    """The noise with which a release uses its share of mu^2.

    Full batch: mu_i^2 = count / noise^2, exactly. Sampled: mu_i^2 = count rate^2 (exp(1 / noise^2) - 1), the
    limit theorem of Bu, Dong, Long, Su 2020; it only splits the budget, the total is then checked with the
    PLD.
    """
    squared = release.share * mu**2 / release.count
    if release.sample_rate == 1.0:
        return 1 / math.sqrt(squared)
    return 1 / math.sqrt(math.log1p(squared / release.sample_rate**2))


def _largest_mu(epsilon: float, delta: float, slack: float = 0.0) -> float:
    """The most mu with which full-batch releases meet the target; 0 when slack leaves none."""
    if slack == 0.0:
        inverse = smallest(lambda noise: noise > 0 and gaussian_delta(1 / noise, epsilon) <= delta)
    else:
        inverse = smallest(lambda noise: noise > 0 and gaussian_epsilon(1 / noise, delta, slack) <= epsilon)
    return (1 - _ROUNDING_RESERVE) / inverse


def _largest_mu_sampled(
    start: float, epsilon: float, delta: float, releases: tuple[PlannedRelease, ...]
) -> float:
    """Search near the limit theorem's mu with the PLD; `low` always holds a plan within the target."""

    def within(mu: float) -> bool:
        return epsilon_of([release.event for release in _planned(mu, releases)], delta) <= epsilon

    low = high = start
    while not within(low):
        high, low = low, low * 0.8
    while high == low or within(high):
        low, high = high, high * 1.25
    while high - low > _SAMPLED_SEARCH_TOLERANCE * high:
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle) else (low, middle)
    return low
