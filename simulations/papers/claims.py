"""What the field's simulated studies report, and what we measured beside each claim."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Unit(StrEnum):
    """What a claim's numbers are."""

    SHARE = "share"
    SECONDS = "seconds"


class Verdict(StrEnum):
    """Whether a claim came out: in every measurement, in some, or in none."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"


@dataclass(frozen=True)
class Claim:
    """A published number: `published` as it is quoted, `limit` what a measurement must reach to agree with it.

    Doing better than was claimed agrees: the limit bounds one side.
    """

    text: str
    published: str
    limit: float
    at_least: bool = False
    unit: Unit = Unit.SHARE

    def agrees(self, value: float) -> bool:
        """Whether one measurement reaches the limit; what is not a number does not."""
        return value >= self.limit if self.at_least else value <= self.limit


CLAIMS: Mapping[str, Claim] = MappingProxyType(
    {
        "boosting-rmse": Claim(
            "hold-out RMSE of gradient boosting, below linear MMM's", "18-21 %", 0.18, at_least=True
        ),
        "recurrent-rmse": Claim(
            "hold-out RMSE of a recurrent model, below linear MMM's", "27 %", 0.27, at_least=True
        ),
        "shap-contributions": Claim("contributions by SHAP, distance from the truth", "within 5 %", 0.05),
        "recurrent-contributions": Claim(
            "contributions by a recurrent model, distance from the truth", "within 12 %", 0.12
        ),
        "federated-rmse": Claim(
            "hold-out RMSE of a federated model, apart from centralised", "within 1 %", 0.01
        ),
        "neutral-budget": Claim("the same budget, reallocated: more sales", "+8 %", 0.08, at_least=True),
        "larger-budget": Claim("a tenth more budget, reallocated: more sales", "+12 %", 0.12, at_least=True),
        "features": Claim("features over 4 million records", "12 s", 12.0, unit=Unit.SECONDS),
        "training": Claim("training", "8 min", 480.0, unit=Unit.SECONDS),
        "optimisation": Claim("optimising the budget", "30 s", 30.0, unit=Unit.SECONDS),
        "what-if": Claim("answering what if", "120 ms", 0.12, unit=Unit.SECONDS),
    }
)


@dataclass(frozen=True)
class Reading:
    """Our measurements for one claim in one setting, one a seed or repetition, in the claim's unit.

    One that is not `judged` stands beside for what it explains, such as what a model says of itself.
    Raises ValueError without any measurement, or for a claim that is none.
    """

    claim: str
    setting: str
    values: tuple[float, ...]
    judged: bool = True

    def __post_init__(self) -> None:
        if self.claim not in CLAIMS or not self.values:
            raise ValueError(f"no reading is {self}")

    @property
    def mean(self) -> float:
        return statistics.fmean(self.values)

    @property
    def lowest(self) -> float:
        return min(self.values)

    @property
    def highest(self) -> float:
        return max(self.values)

    @property
    def verdict(self) -> Verdict | None:
        """None for a reading that is not judged."""
        return verdict_of([self]) if self.judged else None


def verdict_of(readings: Sequence[Reading]) -> Verdict | None:
    """All judged measurements of one claim together; None without any."""
    agreed = [CLAIMS[one.claim].agrees(value) for one in readings if one.judged for value in one.values]
    if not agreed:
        return None
    if all(agreed):
        return Verdict.YES
    return Verdict.PARTLY if any(agreed) else Verdict.NO


def in_words(value: float, unit: Unit) -> str:
    """A number as a table shows it."""
    if not math.isfinite(value):
        return "-"
    if unit is Unit.SHARE:
        return f"{100 * value:.2g} %" if abs(value) < 0.001 else f"{100 * value:.1f} %"
    return f"{1000 * value:.2g} ms" if value < 0.1 else f"{value:.2g} s" if value < 10 else f"{value:.0f} s"
