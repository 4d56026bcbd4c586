"""What a list of Gaussian releases costs together, as (epsilon, delta).

Full-batch Gaussian releases compose exactly into one Gaussian release (Dong, Roth, Su 2022, Corollary 3.3),
so their cost has a closed form (Balle, Wang 2018, Theorem 8). As soon as one release samples its units, the
privacy loss distribution (PLD) is composed numerically; every rounding there is upwards, so the answer is an
upper bound.
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
    """

    noise_multiplier: float
    count: int = 1
    sample_rate: float = 1.0

    def __post_init__(self) -> None:
        require_positive("noise_multiplier", self.noise_multiplier)
        require_count("count", self.count)
        require_sample_rate(self.sample_rate)


@dataclass(frozen=True)
class PrivacyCost:
    """(epsilon, delta) together with what the number means."""

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
    Replace-one with sampling takes seconds; everything else takes milliseconds.
    """
    require_delta(delta)
    merged = _merge(events)
    if all(event.sample_rate == 1.0 for event in merged):
        scale = 2.0 if neighbours is Neighbours.REPLACE_ONE else 1.0
        epsilon = gaussian_epsilon(scale * gaussian_mu(merged), delta)
        return PrivacyCost(epsilon, delta, Accountant.ANALYTIC_GAUSSIAN, neighbours)
    epsilon = float(_compose_pld(merged, neighbours).get_epsilon_for_delta(delta))
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


def gaussian_epsilon(mu: float, delta: float) -> float:
    """The smallest epsilon with `gaussian_delta(mu, epsilon) <= delta`, rounded up."""
    return smallest(lambda epsilon: gaussian_delta(mu, epsilon) <= delta)


def smallest(holds: Callable[[float], bool], *, relative_tolerance: float = 1e-12) -> float:
    """The smallest value >= 0 from which on a condition holds; rounded up, so that it does hold there."""
    if holds(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while not holds(high):
        low, high = high, high * 2
        if high > 1e15:
            return math.inf
    while high - low > relative_tolerance * high:
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


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


def _merge(events: Iterable[GaussianEvent]) -> tuple[GaussianEvent, ...]:
    """Equal releases counted together, so that each is convolved once."""
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
