"""Test and control group of a released experiment, and what a person of one does more than one of the other."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mmm_models.experiments.lift_entries import ReleasedLift
from simulations.errors import LiftReleaseMisshapen, LiftReleaseUnusable, LiftReleaseWithheld
from simulations.lift_noise import CountNoise

_ARMS = ("test", "control")
_SHAPE = (
    "ask the built-in template conversion_lift, or a question of your own whose one row has test_people, test_buyers, "
    "control_people and control_buyers, and test_value and control_value for lift in money"
)


@dataclass(frozen=True)
class PersonLift:
    """What the campaign adds per person who may see it, and the standard error of that."""

    lift: float
    standard_error: float


@dataclass(frozen=True)
class Arm:
    """One group: people, those of them who bought, and what all bought for; NaN when the release does not say."""

    people: float
    buyers: float
    value: float

    @property
    def rate(self) -> float:
        """Share who bought; noise may have moved it outside 0 to 1."""
        return self.buyers / self.people

    def variance_of_rate(self, noise: CountNoise) -> float:
        """Of the share: that of a binomial, and the noise of both counts."""
        inside = min(1.0, max(0.0, self.rate))
        sampled = inside * (1 - inside) / self.people
        return sampled + (1 + inside**2) * (noise.count_sd / self.people) ** 2

    def variance_of_value(self, spread: float, noise: CountNoise) -> float:
        """Of the value per person, when buyers' values have a standard deviation of `spread` times their mean.

        A person's value is 0 or a buyer's: E[v^2] = rate * mean^2 * (1 + spread^2).
        """
        mean = self.value / self.people
        squares = mean**2 / self.rate * (1 + spread**2)
        noised = noise.sum_sd**2 + (mean * noise.count_sd) ** 2
        return (squares - mean**2) / self.people + noised / self.people**2


@dataclass(frozen=True)
class LiftArms:
    """Both groups of a randomised experiment."""

    test: Arm
    control: Arm

    def per_person(self, entry: ReleasedLift, noise: CountNoise) -> PersonLift:
        """In outcome units: buyers times what one is worth, or the released sums of value themselves.

        The difference of independent means; its variance is the sum of theirs, noise included [Neyman 1923].
        """
        both = (self.test, self.control)
        if entry.outcome_per_buyer is not None:
            worth = entry.outcome_per_buyer
            variance = sum(arm.variance_of_rate(noise) for arm in both)
            return PersonLift(worth * (self.test.rate - self.control.rate), worth * math.sqrt(variance))
        if any(math.isnan(arm.value) for arm in both):
            raise LiftReleaseMisshapen(
                "the release counts buyers and holds no sums of value",
                hint="set outcome_per_buyer: outcome units that one more buyer is worth, 1 where the outcome is buyers",
            )
        if any(arm.value <= 0 or arm.buyers <= 0 for arm in both):
            raise LiftReleaseUnusable(
                "a group's value or buyers are not above zero, so that no standard error can be told",
                hint="ask with a larger epsilon, or for larger groups",
            )
        variance = sum(arm.variance_of_value(entry.spread, noise) for arm in both)
        means = [arm.value / arm.people for arm in both]
        return PersonLift(means[0] - means[1], math.sqrt(variance))


def lift_arms(result: Mapping[str, Any], min_group_size: int) -> LiftArms:
    """From the result of a genuine release. Raises LiftReleaseUnusable for another shape, and withheld numbers."""
    names = [column["name"] for column in result["columns"]]
    lacking = [name for name in (f"{arm}_people" for arm in _ARMS) if name not in names]
    lacking += [f"{arm}_buyers" for arm in _ARMS if not {f"{arm}_buyers", f"{arm}_rate"} & set(names)]
    if lacking:
        raise LiftReleaseMisshapen(f"the release is of no lift: it lacks {', '.join(lacking)}", hint=_SHAPE)
    rows = result["rows"]
    if len(rows) > 1:
        raise LiftReleaseMisshapen(f"the release has {len(rows)} rows, where a lift has one", hint=_SHAPE)
    if not rows:
        raise _withheld(min_group_size)
    row = dict(zip(names, rows[0], strict=True))
    return LiftArms(*(_arm(row, arm, min_group_size) for arm in _ARMS))


def _arm(row: Mapping[str, Any], name: str, min_group_size: int) -> Arm:
    people = _number(row, f"{name}_people", min_group_size)
    if people <= 0:
        raise _withheld(min_group_size)
    if f"{name}_buyers" in row:
        buyers = _number(row, f"{name}_buyers", min_group_size)
    else:
        buyers = people * _number(row, f"{name}_rate", min_group_size)
    value = _number(row, f"{name}_value", min_group_size) if f"{name}_value" in row else math.nan
    return Arm(people, buyers, value)


def _number(row: Mapping[str, Any], name: str, min_group_size: int) -> float:
    value = row[name]
    if value is None:
        raise _withheld(min_group_size)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise LiftReleaseMisshapen(f"{name} is no number", hint=_SHAPE)
    return float(value)


def _withheld(min_group_size: int) -> LiftReleaseWithheld:
    return LiftReleaseWithheld(
        "the release holds no number for one of the groups: it is empty, or withheld",
        hint=f"check the names of both groups and the period; each needs {min_group_size} people, and as many buyers",
    )
