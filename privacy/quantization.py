"""Real vectors <-> integers modulo 2^64, exact to sum, with a range that cannot overflow.

A value v becomes rint(v * 2^f), stored in two's complement. Multiplying by a power of two is exact, so the
only loss is the rounding (to nearest, ties to even: deterministic), at most 2^-(f+1) per silo and value.

No overflow: let L = rint(max_abs * 2^f). Rounding is monotone, so every accepted value has |q| <= L, and
the sum of n silos lies in [-n*L, n*L]. `require_capacity` demands n*L < 2^63 in exact integers; then the
sum modulo 2^64, read as a signed integer, *is* the sum over the integers.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.errors import CapacityExceeded, InvalidSetting, ValueOutOfRange

SIGNED_LIMIT = 2**63


@dataclass(frozen=True)
class FixedPoint:
    """Resolution 2^-fraction_bits within [-max_abs, max_abs].

    The defaults hold sums of values from 1e-4 to 1e4 to a relative error below 3e-7 (2^-35 / 1e-4) when the
    values share a sign; with cancellation the absolute error, n * 2^-35, is what remains. Up to 511 silos
    fit.
    """

    fraction_bits: int = 34
    max_abs: float = 2.0**20

    def __post_init__(self) -> None:
        if not 0 <= self.fraction_bits <= 52:
            raise InvalidSetting(
                f"fraction_bits is {self.fraction_bits}, outside 0..52; nothing was quantised",
                hint="choose the resolution 2^-fraction_bits near 1e-7 of the smallest value that matters",
            )
        if not 0 < self.max_abs < SIGNED_LIMIT:
            raise InvalidSetting(
                "max_abs must be positive and below 2^63",
                hint="give the largest absolute value a silo may send",
            )
        if self.max_silos < 1:
            raise CapacityExceeded(
                f"max_abs {self.max_abs:g} at {self.fraction_bits} fraction bits does not fit 64 bits",
                hint="lower max_abs or fraction_bits",
            )

    @property
    def largest_integer(self) -> int:
        """L: the largest absolute integer an accepted value becomes."""
        return round(math.ldexp(self.max_abs, self.fraction_bits))

    @property
    def max_silos(self) -> int:
        """The most silos whose sum cannot overflow, whatever they send within the range."""
        return (SIGNED_LIMIT - 1) // max(self.largest_integer, 1)

    def require_capacity(self, n_silos: int) -> None:
        """Raise CapacityExceeded unless n_silos * L < 2^63."""
        if n_silos > self.max_silos:
            raise CapacityExceeded(
                f"{n_silos} silos exceed the {self.max_silos} whose sum fits 64 bits at max_abs "
                f"{self.max_abs:g} and {self.fraction_bits} fraction bits; nothing was sent",
                hint="lower max_abs or fraction_bits",
            )

    def quantize(self, values: NDArray[np.float64]) -> NDArray[np.uint64]:
        """[value] floats -> [value] integers modulo 2^64. ValueOutOfRange names places, never values."""
        values = np.asarray(values, dtype=np.float64)
        inside = np.abs(values) <= self.max_abs  # False for NaN and infinities too
        if not inside.all():
            raise _out_of_range(inside, self.max_abs)
        return np.rint(np.ldexp(values, self.fraction_bits)).astype(np.int64).view(np.uint64)

    def require_in_range(self, integers: NDArray[np.uint64]) -> None:
        """Raise ValueOutOfRange unless every integer (two's complement) is one that `quantize` could return."""
        signed = integers.view(np.int64)
        # Not np.abs: the smallest int64 has no positive counterpart.
        inside = (-self.largest_integer <= signed) & (signed <= self.largest_integer)
        if not inside.all():
            raise _out_of_range(inside, self.max_abs)

    def dequantize(self, total: NDArray[np.uint64]) -> NDArray[np.float64]:
        """[value] sum modulo 2^64 -> [value] floats; right for sums of at most `max_silos` vectors."""
        return np.ldexp(
            total.astype(np.uint64, copy=False).view(np.int64).astype(np.float64), -self.fraction_bits
        )


def _out_of_range(inside: NDArray[np.bool_], max_abs: float) -> ValueOutOfRange:
    outside = np.flatnonzero(~inside)
    return ValueOutOfRange(
        f"{outside.size} of {inside.size} values, at positions {outside[0]} to {outside[-1]}, are not finite "
        f"or exceed {max_abs:g}; nothing was sent",
        hint="look for a diverged local training, lower the learning rate, or raise max_abs on every silo",
    )
