"""Noise for released tables of whole numbers, sampled and priced by OpenDP.

Laplace noise only: its pure epsilon adds up in the ledger without a conversion, and for the few numbers one person
touches it is no wider than Gaussian noise at the deltas of a release. Sampled exactly, from the system's random source
(Canonne, Kamath, Steinke 2020), so neither floating point nor a seed undermines it.
Prices are those of OpenDP's own privacy maps, rounded upwards, never formulas of ours.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from privacy.errors import InvalidSetting, ValueOutOfRange

LARGEST_VALUE = 2**62  # half of OpenDP's 64-bit range, so that noise does not meet its ends
LARGEST_SENSITIVITY = 2**40
LARGEST_GROUPS = 2**20


@dataclass(frozen=True)
class KeyThreshold:
    """How counts under unknown keys are released: noise of `scale`, and only noisy counts of `threshold` or more."""

    scale: float
    threshold: int


@dataclass(frozen=True)
class ExpectedError:
    """How far a released number lies from the true one; public, as it follows from the scale alone."""

    standard_deviation: float
    half_width_95: int  # the smallest w with P(|noise| <= w) >= 0.95


def laplace_scale(l1_sensitivity: int, epsilon: float) -> float:
    """The smallest scale, up to rounding, at which OpenDP prices `l1_sensitivity` at no more than `epsilon`.

    Raises InvalidSetting outside 1..2**40 and for an epsilon that is not positive and finite.
    """
    _require_sensitivity("l1_sensitivity", l1_sensitivity)
    _require_positive("epsilon", epsilon)
    scale = l1_sensitivity / epsilon
    while price_of_integers(scale, l1_sensitivity) > epsilon:  # a last digit, rounded against us
        scale = math.nextafter(scale, math.inf)
    return scale


def price_of_integers(scale: float, l1_sensitivity: int) -> float:
    """The epsilon that OpenDP's privacy map names for Laplace noise of this scale."""
    return float(_integers_mechanism(scale).map(l1_sensitivity))


def noisy_integers(values: Sequence[int], *, l1_sensitivity: int, epsilon: float) -> list[int]:
    """Each value plus discrete Laplace noise of its own.

    Guarantee: epsilon-DP, the price being OpenDP's  [Ghosh, Roughgarden, Sundararajan 2009]
    Unit: one person, who changes `values` by at most `l1_sensitivity` in L1. Neighbours: add or remove one.
    Not covered: how many values there are and what they stand for, which must be public; bounding contributions.
    Raises InvalidSetting for settings, ValueOutOfRange for a value beyond 2**62, before any noise is drawn.
    """
    scale = laplace_scale(l1_sensitivity, epsilon)
    plain = [_require_value(value) for value in values]
    return [int(value) for value in _integers_mechanism(scale)(plain)]


def key_threshold(*, max_groups: int, max_count: int, epsilon: float, delta: float) -> KeyThreshold:
    """Scale and smallest threshold at which keys that a person alone brings in stay hidden but with probability delta.

    max_groups: keys that one person has counts under; max_count: what one person adds to one of them.
    Two conditions, both needed: OpenDP's price is at most (epsilon, delta), and max_groups * P(noise >= threshold -
    max_count) is at most delta. OpenDP 0.16 prices as if a count equal to the threshold stayed hidden, yet releases it
    (opendp issue 2922), so it is asked for the price of a threshold one lower.
    """
    _require_sensitivity("max_groups", max_groups, LARGEST_GROUPS)
    _require_sensitivity("max_count", max_count)
    if not 0 < delta < 1:
        raise InvalidSetting(f"delta is {delta}, which is not between 0 and 1", hint="use 1e-8, for example")
    scale = laplace_scale(max_groups * max_count, epsilon)
    one_person = _OnePerson(max_groups, max_count)
    too_low, enough = max_count, max_count + 1
    while not _is_covered(KeyThreshold(scale, enough), one_person, epsilon, delta):
        if enough > LARGEST_VALUE:  # OpenDP's prices end near 1e-16 for one group
            raise InvalidSetting(f"no threshold reaches a delta of {delta}", hint="use a delta above 1e-12")
        too_low, enough = enough, max_count + 2 * (enough - max_count)
    while enough - too_low > 1:
        middle = (too_low + enough) // 2
        if _is_covered(KeyThreshold(scale, middle), one_person, epsilon, delta):
            enough = middle
        else:
            too_low = middle
    return KeyThreshold(scale, enough)


def noisy_key_counts(
    counts: Mapping[str, int], *, max_groups: int, max_count: int, epsilon: float, delta: float
) -> dict[str, int]:
    """Noisy counts, in order of the keys, of those keys whose noisy count reaches the threshold.

    Guarantee: (epsilon, delta)-DP, also for which keys appear  [Rogers 2023, arXiv 2309.09170]
    Unit: one person, under at most `max_groups` keys, at most `max_count` each. Neighbours: add or remove one.
    Not covered: bounding contributions; a key's text, which may itself name a person that many people share.
    Raises InvalidSetting for settings, ValueOutOfRange for a negative count, before any noise is drawn.
    """
    terms = key_threshold(max_groups=max_groups, max_count=max_count, epsilon=epsilon, delta=delta)
    plain = {key: _require_count(count) for key, count in counts.items()}
    noisy = _keys_mechanism(terms.scale, terms.threshold)(plain)
    # Sorted, as the order of a mapping could tell which person came first.
    return {key: int(noisy[key]) for key in sorted(noisy)}


def expected_error(scale: float) -> ExpectedError:
    """Of discrete Laplace noise, P(noise = k) proportional to a**|k| with a = exp(-1 / scale)."""
    _require_positive("scale", scale)
    a = math.exp(-1 / scale)
    gap = -math.expm1(-1 / scale)  # 1 - a, exact also for a close to 1
    half_width = max(
        0, math.ceil(scale * math.log(40 / (1 + a))) - 1
    )  # least w with 2 a**(w+1) / (1+a) <= 1/20
    return ExpectedError(math.sqrt(2 * a) / gap, half_width)


def noise_reaches(least: int, scale: float) -> float:
    """P(noise >= least) of discrete Laplace noise, for least >= 1: a**least / (1 + a)."""
    return math.exp(-least / scale) / (1 + math.exp(-1 / scale))


@dataclass(frozen=True)
class _OnePerson:
    max_groups: int
    max_count: int


def _is_covered(terms: KeyThreshold, one: _OnePerson, epsilon: float, delta: float) -> bool:
    mechanism = _keys_mechanism(terms.scale, terms.threshold - 1)
    price = mechanism.map((one.max_groups, one.max_groups * one.max_count, one.max_count))
    shown = one.max_groups * noise_reaches(terms.threshold - one.max_count, terms.scale)
    return bool(price[0] <= epsilon and price[1] <= delta and shown <= delta)


@functools.cache
def _opendp() -> Any:
    import opendp.prelude

    opendp.prelude.enable_features("contrib")
    return opendp.prelude


def _integers_mechanism(scale: float) -> Any:
    dp = _opendp()
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64")
    return dp.m.make_laplace(*space, scale=scale)


def _keys_mechanism(scale: float, threshold: int) -> Any:
    dp = _opendp()
    domain = dp.map_domain(dp.atom_domain(T=str), dp.atom_domain(T="i64"))
    metric = dp.l01inf_distance(dp.absolute_distance(T="i64"))
    return dp.m.make_laplace_threshold(domain, metric, scale=scale, threshold=threshold)


def _require_sensitivity(name: str, value: int, largest: int = LARGEST_SENSITIVITY) -> None:
    if not 1 <= value <= largest:
        raise InvalidSetting(
            f"{name} is {value}, outside 1..{largest}", hint="bound contributions more tightly"
        )


def _require_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise InvalidSetting(
            f"{name} is {value}, which is not positive and finite", hint=f"name a {name} above 0"
        )


def _require_value(value: int) -> int:
    plain = int(value)
    if plain != value or abs(plain) > LARGEST_VALUE:
        raise ValueOutOfRange(
            "a value is no whole number within 2**62", hint="scale and round the values first"
        )
    return plain


def _require_count(value: int) -> int:
    plain = _require_value(value)
    if plain < 0:
        raise ValueOutOfRange(
            "a count is negative", hint="count people or rows; sums belong under public keys"
        )
    return plain
