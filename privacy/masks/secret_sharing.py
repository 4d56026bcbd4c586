"""Shamir's secret sharing of 256-bit seeds, many at once [Shamir 1979].

Each seed is the constant term of its own random polynomial of degree threshold - 1 over GF(p); holder k
gets the values at a point of its own. Fewer than `threshold` holders learn nothing about any seed.

All seeds of one dealer are split together: coefficient d of every polynomial sits in its own lane of one
large integer, so that Horner's rule costs one multiplication per coefficient, whatever the number of seeds.
Points come in pairs x and -x, which share their even and odd halves: f(x) = e(x^2) + x o(x^2). Lanes are wide
enough never to carry into each other; reduction modulo p comes last, lane by lane.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from privacy.errors import InvalidSetting

SEED_BYTES = 32
PRIME = 2**256 + 297  # the smallest prime above every 256-bit seed
SHARE_BYTES = 33  # one element of GF(p), little endian
# Coefficients are 320 random bits taken modulo p: their distance from uniform is below 2^-63.
COEFFICIENT_BYTES = 40


@dataclass(frozen=True)
class Sharing:
    """`threshold` of `holders` can rebuild a seed; any fewer learn nothing."""

    holders: int
    threshold: int

    def __post_init__(self) -> None:
        if not 1 <= self.threshold <= self.holders:
            raise InvalidSetting(
                f"threshold {self.threshold} does not lie within 1..{self.holders}",
                hint="choose a threshold between one and the number of holders",
            )

    @property
    def point_bound(self) -> int:
        """The largest absolute point; holders 0, 1, 2, 3, ... sit at 1, -1, 2, -2, ..."""
        return (self.holders + 1) // 2


def split(seeds: Sequence[bytes], sharing: Sharing, randbytes: Callable[[int], bytes]) -> tuple[bytes, ...]:
    """[holder] blocks; a block holds one SHARE_BYTES share per seed, in the seeds' order."""
    offset, lane = _negation_offset(sharing)
    offsets = int.from_bytes(offset.to_bytes(lane, "little") * len(seeds), "little")
    coefficients = _packed_coefficients(seeds, sharing, lane, randbytes)
    blocks: list[bytes] = []
    for x in range(1, sharing.point_bound + 1):
        even = _horner(coefficients[0::2], x * x)
        odd = _horner(coefficients[1::2], x * x) * x
        blocks.append(_reduce_lanes(even + odd, len(seeds), lane))
        blocks.append(_reduce_lanes(even + offsets - odd, len(seeds), lane))
    return tuple(blocks[: sharing.holders])


def combine(shares: Sequence[int], weights: Sequence[int]) -> bytes | None:
    """The seed behind `shares` (of the holders that `weights` was made for).

    None when the value lies outside 256 bits: some share is wrong. A value within may still be wrong:
    compare it with a commitment.
    """
    value = sum(share * weight for share, weight in zip(shares, weights, strict=True)) % PRIME
    return value.to_bytes(SEED_BYTES, "little") if value >> (8 * SEED_BYTES) == 0 else None


@lru_cache(maxsize=256)
def lagrange_weights(holders: tuple[int, ...]) -> tuple[int, ...]:
    """Weights w_k with f(0) = sum of w_k f(x_k), for these holders."""
    points = [_point(holder) for holder in holders]
    weights = []
    for point in points:
        numerator = denominator = 1
        for other in points:
            if other != point:
                numerator = numerator * other % PRIME
                denominator = denominator * (other - point) % PRIME
        weights.append(numerator * pow(denominator, -1, PRIME) % PRIME)
    return tuple(weights)


def read_share(block: bytes, position: int) -> int:
    """Share number `position` of a block, as a field element."""
    return int.from_bytes(block[position * SHARE_BYTES : (position + 1) * SHARE_BYTES], "little")


def _point(holder: int) -> int:
    return -(holder // 2 + 1) if holder % 2 else holder // 2 + 1


def _negation_offset(sharing: Sharing) -> tuple[int, int]:
    """A multiple of p that keeps every lane of even - odd positive, and the lane's width in bytes.

    A lane's even and odd parts are sums of c_d x^d with c_d < 2^320, d < t and x <= X: together below
    2^320 * t * X^(t-1). Twice that bound and one p fit into a lane.
    """
    bound = sharing.threshold * sharing.point_bound ** (sharing.threshold - 1) << 8 * COEFFICIENT_BYTES
    offset = bound + PRIME - bound % PRIME
    return offset, ((bound + offset).bit_length() + 7) // 8


def _packed_coefficients(
    seeds: Sequence[bytes], sharing: Sharing, lane: int, randbytes: Callable[[int], bytes]
) -> list[int]:
    """Coefficients from the seeds up to the highest degree, one lane per seed."""
    shape = (sharing.threshold - 1, len(seeds), COEFFICIENT_BYTES)
    lanes = np.zeros((sharing.threshold, len(seeds), lane), dtype=np.uint8)
    lanes[0, :, :SEED_BYTES] = np.frombuffer(b"".join(seeds), np.uint8).reshape(len(seeds), SEED_BYTES)
    lanes[1:, :, :COEFFICIENT_BYTES] = np.frombuffer(randbytes(math.prod(shape)), np.uint8).reshape(shape)
    return [int.from_bytes(term.tobytes(), "little") for term in lanes]


def _horner(coefficients: Sequence[int], x: int) -> int:
    total = 0
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def _reduce_lanes(packed: int, count: int, lane: int) -> bytes:
    octets, read = packed.to_bytes(lane * count, "little"), int.from_bytes
    values = [read(octets[start : start + lane], "little") % PRIME for start in range(0, len(octets), lane)]
    return b"".join([value.to_bytes(SHARE_BYTES, "little") for value in values])
