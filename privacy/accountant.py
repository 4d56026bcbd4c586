"""What a list of Gaussian releases costs together, as (epsilon, delta).

Full-batch Gaussian releases compose exactly into one Gaussian release (Dong, Roth, Su 2022, Corollary 3.3),
so their cost has a closed form (Balle, Wang 2018, Theorem 8). As soon as one release samples its units, the
privacy loss distribution (PLD) is composed numerically; every rounding there is upwards, so the answer is an
upper bound.

A release that is only close to a Gaussian one, within total variation t ("slack"), is charged as that Gaussian
one and with t. If all releases together are within t of ones that are (epsilon, d)-DP, then for any event A
P(A) <= P'(A) + t <= e^epsilon Q'(A) + d + t <= e^epsilon Q(A) + d + (1 + e^epsilon) t. Slack adds up, also over
releases chosen adaptively: each lets the two runs part ways with probability at most its own t.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from scipy.special import log_ndtr

from privacy.errors import InvalidSetting

# Widths of a PLD bucket: a twentieth of one release's typical loss keeps the rounding below 0.2 % of epsilon,
# and finer than dp_accounting's own default would only cost time.
_WIDEST_BUCKET, _NARROWEST_BUCKET = 1e-3, 1e-4
_BUCKETS_PER_TYPICAL_LOSS = 20
_SLACK_TOLERANCE = 1e-12
_LARGEST_EXPONENT = 700.0


class Accountant(StrEnum):
    """The method behind a stated epsilon."""

    ANALYTIC_GAUSSIAN = "analytic Gaussian"
    PLD = "PLD"


class Neighbours(StrEnum):
    """Which two data sets must be hard to tell apart. Replacing one unit moves a clipped sum twice as far."""

    ADD_OR_REMOVE_ONE = "add or remove one unit"
    REPLACE_ONE = "replace one unit"


@dataclass(frozen=True)
class GaussianEvent:
    """`count` Gaussian releases of one kind.

    noise_multiplier: noise standard deviation / L2 sensitivity to adding or removing one unit.
    sample_rate: chance that a unit takes part in one release (secret, independent Poisson sampling); 1 = full
    batch.
    slack: total variation distance of all `count` releases together from exactly Gaussian ones.
    """

    noise_multiplier: float
    count: int = 1
    sample_rate: float = 1.0
    slack: float = 0.0

    def __post_init__(self) -> None:
        require_positive("noise_multiplier", self.noise_multiplier)
        require_count("count", self.count)
        require_sample_rate(self.sample_rate)
        require_slack(self.slack)


@dataclass(frozen=True)
class PrivacyCost:
    """(epsilon, delta) together with what the number means; infinite when no epsilon is known to hold."""

    epsilon: float
    delta: float
    accountant: Accountant
    neighbours: Neighbours = Neighbours.ADD_OR_REMOVE_ONE


def privacy_cost(
    events: Iterable[GaussianEvent], delta: float, *, neighbours: Neighbours = Neighbours.ADD_OR_REMOVE_ONE
) -> PrivacyCost:
    """The smallest epsilon these releases are known to satisfy together at `delta`.

    Guarantee: the releases jointly are (epsilon, delta)-DP for `neighbours`, chosen adaptively or not.
    Unit: one whole series. Sources: see the module docstring; PLD from dp_accounting (Doroshenko et al.
    2022).
    Not covered: releases of other kinds, and sampling that an adversary can observe.
    Infinite when slack alone uses up `delta` before the noise is enough.
    Replace-one with sampling takes seconds; everything else takes milliseconds.
    """
    require_delta(delta)
    events = tuple(events)
    merged, slack = _merge(events), math.fsum(event.slack for event in events)
    if all(event.sample_rate == 1.0 for event in merged):
        scale = 2.0 if neighbours is Neighbours.REPLACE_ONE else 1.0
        epsilon = gaussian_epsilon(scale * gaussian_mu(merged), delta, slack)
        return PrivacyCost(epsilon, delta, Accountant.ANALYTIC_GAUSSIAN, neighbours)
    pld = _compose_pld(merged, neighbours)
    epsilon = _with_slack(pld.get_delta_for_epsilon, float(pld.get_epsilon_for_delta(delta)), delta, slack)
    return PrivacyCost(epsilon, delta, Accountant.PLD, neighbours)


def epsilon_of(events: Iterable[GaussianEvent], delta: float) -> float:
    """Epsilon under adding or removing one unit; see `privacy_cost`."""
    return privacy_cost(events, delta).epsilon


def epsilon_replace_one(events: Iterable[GaussianEvent], delta: float) -> float:
    """Epsilon under replacing one unit by any other; see `privacy_cost`."""
    return privacy_cost(events, delta, neighbours=Neighbours.REPLACE_ONE).epsilon


def gaussian_mu(events: Iterable[GaussianEvent]) -> float:
    """mu of the one Gaussian that full-batch releases amount to: mu^2 = sum of count / noise_multiplier^2."""
    return math.sqrt(sum(event.count / event.noise_multiplier**2 for event in events))


def gaussian_delta(mu: float, epsilon: float) -> float:
    """delta of a Gaussian release with sensitivity / noise = mu (Balle, Wang 2018, Theorem 8)."""
    if mu == 0.0:
        return 0.0
    above = float(log_ndtr(mu / 2 - epsilon / mu))
    below = epsilon + float(log_ndtr(-mu / 2 - epsilon / mu))
    return math.exp(above) * -math.expm1(min(0.0, below - above))


def gaussian_epsilon(mu: float, delta: float, slack: float = 0.0) -> float:
    """The smallest epsilon with `gaussian_delta(mu, epsilon) + (1 + e^epsilon) slack <= delta`, rounded up."""
    lowest = smallest(lambda epsilon: gaussian_delta(mu, epsilon) <= delta)
    return _with_slack(lambda epsilon: gaussian_delta(mu, epsilon), lowest, delta, slack)


def smallest(holds: Callable[[float], bool], *, relative_tolerance: float = 1e-12) -> float:
    """The smallest value >= 0 from which on a condition holds; rounded up, so that it does hold there."""
    if holds(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while not holds(high):
        low, high = high, high * 2
        if high > 1e15:
            return math.inf
    return _bisect(holds, low, high, relative_tolerance)


def require_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise InvalidSetting(f"{name} is {value}", hint=f"give a finite {name} above 0")


def require_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidSetting(f"{name} is {value!r}", hint=f"give a whole {name} of at least 1")


def require_delta(value: float) -> None:
    if not 0.0 < value < 1.0:
        raise InvalidSetting(
            f"delta is {value}",
            hint="give a delta between 0 and 1, well below one divided by the number of units",
        )


def require_sample_rate(value: float) -> None:
    if not 0.0 < value <= 1.0:
        raise InvalidSetting(f"sample_rate is {value}", hint="give a sample_rate above 0 and at most 1")


def require_slack(value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise InvalidSetting(f"slack is {value}", hint="give a total variation distance of at least 0")


def _with_slack(delta_at: Callable[[float], float], lowest: float, delta: float, slack: float) -> float:
    """The smallest epsilon with `delta_at(epsilon) + (1 + e^epsilon) slack <= delta`; infinite if there is none.

    lowest: the answer without slack. The left side is convex in e^epsilon, as `delta_at` is the largest of many
    straight lines in it: it falls and then rises, and the epsilons that hold are one interval.
    """
    if slack == 0.0:
        return lowest

    def excess(epsilon: float) -> float:
        return float(delta_at(epsilon)) + (1 + math.exp(epsilon)) * slack - delta

    # Beyond it, slack alone is too much; below 0, so for any epsilon, if slack is more than half of delta.
    highest = min(math.log(max(delta / slack - 1, 0.5)), _LARGEST_EXPONENT)
    if lowest > highest:
        return math.inf
    if excess(lowest) <= 0:
        return lowest
    within = _first_met_within(excess, lowest, highest)
    if within == math.inf:
        return math.inf
    return _bisect(lambda epsilon: excess(epsilon) <= 0, lowest, within, _SLACK_TOLERANCE)


def _first_met_within(excess: Callable[[float], float], low: float, high: float) -> float:
    """Some point where a function that falls and then rises is at most 0, met on the way to its lowest point."""
    while high - low > _SLACK_TOLERANCE * high:
        first, second = low + (high - low) / 3, high - (high - low) / 3
        at_first, at_second = excess(first), excess(second)
        if min(at_first, at_second) <= 0:
            return first if at_first <= 0 else second
        low, high = (low, second) if at_first < at_second else (first, high)
    return math.inf


def _bisect(holds: Callable[[float], bool], low: float, high: float, relative_tolerance: float) -> float:
    """The border of what holds, which lies in (low, high]; rounded up."""
    while high - low > relative_tolerance * high:
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


def _merge(events: Iterable[GaussianEvent]) -> tuple[GaussianEvent, ...]:
    """Equal releases counted together, so that each is convolved once; without their slack."""
    counts: Counter[tuple[float, float]] = Counter()
    for event in events:
        counts[event.noise_multiplier, event.sample_rate] += event.count
    return tuple(GaussianEvent(noise, count, rate) for (noise, rate), count in counts.items())


def _compose_pld(events: tuple[GaussianEvent, ...], neighbours: Neighbours) -> Any:
    # Imported here: it takes a second, and the usual full-batch plan never needs it.
    from dp_accounting.pld import privacy_loss_distribution as pld
    from dp_accounting.privacy_accountant import NeighboringRelation

    relation = NeighboringRelation.ADD_OR_REMOVE_ONE
    if neighbours is Neighbours.REPLACE_ONE:
        relation = NeighboringRelation.REPLACE_ONE
    width = _bucket_width(events)
    settings = {"value_discretization_interval": width, "neighboring_relation": relation}
    total = pld.identity(value_discretization_interval=width)
    full_batch = [event for event in events if event.sample_rate == 1.0]
    if full_batch:
        total = total.compose(pld.from_gaussian_mechanism(1 / gaussian_mu(full_batch), **settings))
    for event in events:
        if event.sample_rate < 1.0:
            one = pld.from_gaussian_mechanism(
                event.noise_multiplier, sampling_prob=event.sample_rate, **settings
            )
            total = total.compose(one.self_compose(event.count))
    return total


def _bucket_width(events: tuple[GaussianEvent, ...]) -> float:
    typical_loss = min(
        event.sample_rate / event.noise_multiplier for event in events if event.sample_rate < 1.0
    )
    return max(_NARROWEST_BUCKET, min(_WIDEST_BUCKET, typical_loss / _BUCKETS_PER_TYPICAL_LOSS))
