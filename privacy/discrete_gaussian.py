"""Integers from the discrete Gaussian D(S), P(v) ~ exp(-v^2 / (2 S^2)), exactly but for a stated distance.

Three draws X1, X2, X3 of a base deviation b = 320 are digits of one draw: k^2 X1 + k X2 + X3, k = 128. A base
draw comes from an alias table (Walker 1977) whose probabilities are whole multiples of 2^-128. No
floating-point number is involved, and no rejection: every draw takes the same four words. Three of them decide
the digits all but always; the fourth decides a digit whose word falls exactly on the border in its column.

How far that is from D(S) with S^2 = b^2 (1 + k^2 + k^4), in total variation:

Rounding. Each of the 2 * 4095 probabilities beside the mode is off by at most half a unit of 2^-128, and the
mode takes up their sum: at most 4095 units in all. Cutting at 4095 costs P(|X| >= 4096), which is at most
2 exp(-4096^2 / (2 b^2)) (Canonne, Kamath, Steinke 2020, subgaussian tail).

Ties. A digit's word is on the border with probability 2^-51. If two digits of one draw are, they share the
fourth word and are not independent; the three pairs together have probability 3 * 2^-102.

Digits. Let X ~ D(a), Y ~ D(b) and k >= 1. With the square completed, P(k X + Y = v) is exp(-v^2 / (2 (k^2 a^2
+ b^2))) times a sum over all integers x of exp(-(x - c_v)^2 / (2 t^2)) with t^2 = a^2 b^2 / (k^2 a^2 + b^2).
By Poisson summation that sum is the same for all v but for a factor within 1 +- e, e = 2 sum_j exp(-2 pi^2 t^2
j^2): `convolution_distance`. With k = 1 it is the distance between a sum of shares and one discrete Gaussian.
(Same result: Micciancio, Peikert 2013, Theorem 3; Kairouz, Liu, Steinke 2021, Theorem 1.)

Why so exact, when delta is near 1e-5: delta pays e^epsilon times the distance of all values of all releases
(`GaussianEvent.slack`), and e^epsilon is 5e8 when a run of epsilon 8 is read for replacing a unit.

Not covered: what a table lookup shows, through the cache, to another program on the silo's own machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache

import numpy as np
from numpy.typing import NDArray

_DIGIT_BITS = 7  # k = 2^7; digits overlap with t = b / k = 2.5
_BASE_DEVIATION = 320
_COLUMN_BITS = 13
_DIGITS = 3
_LARGEST_DIGIT = 2 ** (_COLUMN_BITS - 1) - 1
_K_SQUARED = 4**_DIGIT_BITS
_WORD = 2**64
_WHOLE = 2**128  # the sum of a table's probabilities
_DECIMAL_DIGITS = 70

VARIANCE: int = _BASE_DEVIATION**2 * (1 + _K_SQUARED + _K_SQUARED**2)  # S^2; S is about 2^22.3
LARGEST_DRAW: int = _LARGEST_DIGIT * (1 + 2**_DIGIT_BITS + _K_SQUARED)  # no draw is larger in absolute value
WORDS_PER_DRAW = _DIGITS + 1


def convolution_distance(spread_squared: float) -> float:
    """Total variation between k X + Y and the discrete Gaussian of its variance; `spread_squared` is t^2."""
    term = math.exp(-2 * math.pi**2 * spread_squared)
    relative = 2 * term / (1 - term)  # a geometric series lies above the sum, as j^2 >= j
    return relative / (1 - relative)


def distance_to_rounded_gaussian(variance: float) -> float:
    """Total variation between D(sigma) and the rounded continuous Gaussian of the same variance, sigma >= 2.

    At an integer v, D(sigma) is f * N(0, 1/12) and rint(N(0, sigma^2 - 1/12)) is f * U, where f is the density
    of N(0, s^2), s^2 = sigma^2 - 1/12, and U uniform on [-1/2, 1/2]. Both have mean 0, variance 1/12 and no
    third moment, so Taylor's terms agree up to the fourth: sum_v |difference| <= (E N^4 + E U^4) / 24 * sup_x
    sum_v |f''''(v + x)|. The fourth moments are 1/48 and 1/80; the last sum is at most the integral of |f''''|
    plus half that of |f'''''|, so at most sqrt(24) / s^4 + sqrt(120) / (2 s^5) by the norms of the Hermite
    polynomials. Half of all that is below 0.0056 / sigma^4 for sigma >= 2; normalising D(sigma) adds
    exp(-2 pi^2 sigma^2) < 1e-34 there, and less than its part of 0.006 everywhere.
    """
    return 0.006 / variance**2


TOTAL_VARIATION: float = (
    _DIGITS
    * (_LARGEST_DIGIT / _WHOLE + 2 * math.exp(-((_LARGEST_DIGIT + 1) ** 2) / (2 * _BASE_DEVIATION**2)))
    + 3 * 2.0 ** (2 * (_COLUMN_BITS - 64))
    + convolution_distance(_BASE_DEVIATION**2 / (1 + _K_SQUARED))
    + convolution_distance(_BASE_DEVIATION**2 * (1 + _K_SQUARED) / (1 + _K_SQUARED + _K_SQUARED**2))
)
"""Distance of one draw from D(S): about 2^-100."""


@dataclass(frozen=True, eq=False)
class AliasTable:
    """Columns of equal probability; each splits between two outcomes behind its last 128-bit number for the first.

    last, last_low: [column] high and low word of that number. outcomes: [column, first or second], flat.
    """

    last: NDArray[np.uint64]
    last_low: NDArray[np.uint64]
    outcomes: NDArray[np.int64]

    def draw(self, words: NDArray[np.uint64], spare: NDArray[np.uint64]) -> NDArray[np.int64]:
        """[digit, draw] one outcome per uniformly random word; [draw] `spare` is the low word on a tie.

        A word's high bits choose the column.
        """
        shift = np.uint64(65 - self.last.size.bit_length())
        place = (words >> shift).view(np.int64)
        last = self.last.take(place)
        second = words > last
        tied = words == last
        if tied.any():
            _, draw = tied.nonzero()
            second[tied] = spare[draw] > self.last_low[place[tied]]
        place <<= 1
        place += second
        return self.outcomes.take(place)


def draws_from_words(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """[4 n] uniform words -> [n] independent draws from D(S).

    The words of all first digits come first (the most significant), then all second, all third, all spare.
    """
    rows = words.reshape(WORDS_PER_DRAW, -1)
    digits = _base_table().draw(rows[:_DIGITS], rows[_DIGITS])
    draws: NDArray[np.int64] = digits[0] << _DIGIT_BITS
    draws += digits[1]
    draws <<= _DIGIT_BITS
    draws += digits[2]
    return draws


def gaussian_masses(deviation: int, column_bits: int) -> list[int]:
    """D(deviation) in units of 2^-128, for the values -(n/2 - 1) .. n/2 - 1, n = 2^column_bits.

    Adds up to 2^128. A negative value v stands at n + v, as in two's complement; place n/2 stays empty.
    """
    half = 2 ** (column_bits - 1)
    with localcontext() as context:
        context.prec = _DECIMAL_DIGITS
        ratio = (Decimal(-1) / (2 * deviation**2)).exp()  # weight v + 1 / weight v = ratio^(2 v + 1)
        step, weights = ratio * ratio, [Decimal(1)]
        while len(weights) < half:
            weights.append(weights[-1] * ratio)
            ratio *= step
        unit = _WHOLE / (weights[0] + 2 * sum(weights[1:]))
        one_side = [int((weight * unit).to_integral_value()) for weight in weights]
    masses = [*one_side, 0, *one_side[:0:-1]]
    masses[0] += _WHOLE - sum(masses)
    return masses


def alias_table(masses: Sequence[int]) -> AliasTable:
    """The table that gives each place of `masses`, read as two's complement, its mass / 2^128, exactly.

    Walker's construction in whole numbers: a column filled to less than its height is topped up by one that
    has more than it can hold.
    """
    columns = len(masses)
    height = _WHOLE // columns
    left, donor = list(masses), list(range(columns))
    short = [column for column in range(columns) if left[column] < height]
    tall = [column for column in range(columns) if left[column] >= height]
    while short:
        column = short.pop()
        donor[column] = tall[-1]
        left[tall[-1]] -= height - left[column]
        if left[tall[-1]] < height:
            short.append(tall.pop())
    # Column 0 holds the mode and so is never empty: the subtraction cannot pass below zero.
    last = [divmod(column * height + left[column] - 1, _WORD) for column in range(columns)]
    high, low = np.array(last, dtype=np.uint64).T.copy()
    places = np.array([range(columns), donor], dtype=np.int64).T
    return AliasTable(high, low, np.where(places < columns // 2, places, places - columns).ravel())


@cache
def _base_table() -> AliasTable:
    return alias_table(gaussian_masses(_BASE_DEVIATION, _COLUMN_BITS))
