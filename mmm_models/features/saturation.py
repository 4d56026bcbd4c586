"""Saturation: how much less the next unit of media brings than the last."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, "..."]


class SaturationKind(StrEnum):
    """Shapes of the saturation curve."""

    HILL = "hill"
    POWER = "power"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True)
class Saturation:
    """A curve that is 0 without media and never falls.

    hill: a^second / (a^second + first^second), half of its ceiling at `first`.
    power: a^first, `first` above 0 and at most 1 (1: no saturation).
    exponential: 1 - exp(-a / first).
    Raises ValueError for values outside these ranges.
    """

    kind: SaturationKind
    first: float
    second: float = 1.0

    def __post_init__(self) -> None:
        too_steep = self.kind is SaturationKind.POWER and self.first > 1
        if not (self.first > 0 and self.second > 0) or too_steep:
            raise ValueError(f"no saturation is {self}")

    def apply(self, carried: Values) -> Values:
        """The curve at `carried`, media after carry-over, 0 or more; any shape."""
        match self.kind:
            case SaturationKind.HILL:
                raised = _power(carried, self.second)
                return np.asarray(raised / (raised + self.first**self.second))
            case SaturationKind.POWER:
                return _power(carried, self.first)
            case SaturationKind.EXPONENTIAL:
                return np.asarray(-np.expm1(-carried / self.first))


def _power(values: Values, exponent: float) -> Values:
    """`values ** exponent`; roots are many times faster than a general power."""
    if exponent == 1.0:
        return values
    if exponent == 0.5:
        return np.asarray(np.sqrt(values))
    if exponent == 1.5:
        return np.asarray(values * np.sqrt(values))
    return np.asarray(np.power(values, exponent))
