"""Many fixed-point values in one Paillier plaintext, so that adding plaintexts adds every value exactly.

A value q with |q| <= L becomes q + L in a slot of its own, lowest slot first.

No overflow, by construction. One silo's slot holds 0..2L, so the sum over at most n silos holds at most 2nL,
which is below 2^slot_bits by the choice of slot_bits: no slot ever carries into the next. All slots of a plaintext
together stay below 2^(slots * slot_bits), which is at most 2^(modulus_bits - 1 - CHECK_BITS): the sum never wraps
around the modulus either, and its top CHECK_BITS stay zero. Taking count * L off each slot gives back the sum of
the signed values, exactly; n * L < 2^63 makes it fit the integers modulo 2^64 that the rest of a run works with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.errors import CapacityExceeded, InvalidSetting, OpeningRefused, ValueOutOfRange
from privacy.quantization import SIGNED_LIMIT

CHECK_BITS = 64  # stay zero in every proper sum; a plaintext that is anything else passes with chance 2^-64


@dataclass(frozen=True)
class Packing:
    """`largest` is L, `silos` the most vectors that may be added, `modulus_bits` the length of the modulus."""

    silos: int
    largest: int
    modulus_bits: int

    def __post_init__(self) -> None:
        if self.silos < 1 or self.largest < 1:
            raise InvalidSetting(
                f"cannot pack values up to {self.largest} of {self.silos} silos",
                hint="give at least one silo and a largest value of at least one",
            )
        if self.silos * self.largest >= SIGNED_LIMIT or self.slots < 1:
            raise CapacityExceeded(
                f"the sum of {self.silos} silos at this range does not fit 64 bits, or not one slot of a "
                f"{self.modulus_bits}-bit modulus; nothing was sent",
                hint="lower max_abs or fraction_bits",
            )

    @property
    def slot_bits(self) -> int:
        """Bits of one value's slot, wide enough for the sum of all silos."""
        return (2 * self.silos * self.largest).bit_length()

    @property
    def slots(self) -> int:
        """Values in one plaintext."""
        return (self.modulus_bits - 1 - CHECK_BITS) // self.slot_bits

    def plaintexts(self, length: int) -> int:
        """How many plaintexts hold `length` values."""
        return -(-length // self.slots)

    def pack(self, vector: NDArray[np.uint64]) -> tuple[int, ...]:
        """[value] integers modulo 2^64 -> plaintexts. ValueOutOfRange unless every |q| <= L; nothing is clipped."""
        signed = vector.view(np.int64)
        outside = int(((signed < -self.largest) | (signed > self.largest)).sum())
        if outside:
            raise ValueOutOfRange(
                f"{outside} of {signed.size} integers exceed the agreed bound; nothing was sent",
                hint="quantise with the scale of the sum that is asked for",
            )
        values = [int(value) + self.largest for value in signed]
        return tuple(self._joined(values[k : k + self.slots]) for k in range(0, len(values), self.slots))

    def unpack(self, sums: Sequence[int], *, count: int, length: int) -> NDArray[np.uint64]:
        """Added plaintexts of `count` silos -> [value] their sum modulo 2^64.

        OpeningRefused unless every bit is as it must be in such a sum: slots within 0..2 * count * L, zeros above.
        """
        totals: list[int] = []
        if len(sums) != self.plaintexts(length) or not 1 <= count <= self.silos:
            raise not_that_sum()
        for place, value in enumerate(sums):
            used = min(self.slots, length - place * self.slots)
            if not 0 <= value < 1 << (used * self.slot_bits):
                raise not_that_sum()
            totals += self._split(value, used)
        if max(totals) > 2 * count * self.largest:
            raise not_that_sum()
        return np.array([(total - count * self.largest) % 2**64 for total in totals], dtype=np.uint64)

    def _joined(self, values: Sequence[int]) -> int:
        return sum(value << (self.slot_bits * slot) for slot, value in enumerate(values))

    def _split(self, value: int, used: int) -> list[int]:
        mask = (1 << self.slot_bits) - 1
        return [(value >> (self.slot_bits * slot)) & mask for slot in range(used)]


def not_that_sum() -> OpeningRefused:
    """The one refusal for every way of not being the sum of the named silos: which way it was stays unsaid."""
    return OpeningRefused(
        "the ciphertexts do not hold the sum of the named silos' values; no sum was given",
        hint="a silo sent something else, or the coordinator combined them wrongly: start a new run; if this "
        "repeats, leave silos out one at a time",
    )
