"""Slots: exact at every extreme, and never one bit into the next."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.errors import CapacityExceeded, InvalidSetting, OpeningRefused, ValueOutOfRange
from privacy.paillier.packing import CHECK_BITS, Packing
from tests.privacy.paillier.paillier_federation import integers


@st.composite
def packings(draw):
    """Any bound, any number of silos whose sum fits 63 bits, short and long moduli."""
    largest = draw(st.sampled_from([1, 2, 3, 1000, 2**31, 2**56, 2**62]) | st.integers(1, 2**40))
    silos = draw(st.integers(1, min(40, (2**63 - 1) // largest)))
    return Packing(silos, largest, draw(st.sampled_from([200, 512, 3072])))


@given(packings(), st.data())
def test_unpacking_the_sum_of_packed_vectors_gives_the_sum_of_the_vectors(packing, data):
    length, count = data.draw(st.integers(1, 20)), data.draw(st.integers(1, min(4, packing.silos)))
    value = st.sampled_from([-packing.largest, packing.largest, 0]) | st.integers(
        -packing.largest, packing.largest
    )
    vector = st.lists(value, min_size=length, max_size=length)
    vectors = data.draw(st.lists(vector, min_size=count, max_size=count))
    added = [sum(column) for column in zip(*(packing.pack(integers(v)) for v in vectors), strict=True)]

    total = packing.unpack(added, count=count, length=length)

    assert total.view(np.int64).tolist() == [sum(column) for column in zip(*vectors, strict=True)]


@given(packings(), st.integers(1, 60), st.sampled_from([-1, 1]))
def test_all_silos_at_the_bound_fill_no_slot_to_the_brim_and_leave_the_top_bits_zero(packing, length, sign):
    added = [packing.silos * m for m in packing.pack(integers([sign * packing.largest] * length))]

    assert 2 * packing.silos * packing.largest < 2**packing.slot_bits
    assert max(added) < 2 ** (packing.modulus_bits - 1 - CHECK_BITS)
    total = packing.unpack(added, count=packing.silos, length=length)
    assert set(total.view(np.int64).tolist()) == {sign * packing.silos * packing.largest}


def test_slots_lie_lowest_first_and_hold_values_raised_by_the_bound():
    """Two silos up to 5: sums of q + 5 reach 20, so 5 bits a slot; (80 - 1 - 64) // 5 = 3 slots."""
    packing = Packing(silos=2, largest=5, modulus_bits=80)

    assert (packing.slot_bits, packing.slots) == (5, 3)
    assert packing.pack(integers([-5, 0, 5, 1])) == (0 + (5 << 5) + (10 << 10), 6)


def test_ten_silos_in_3072_bits_share_a_plaintext_among_49_values():
    """2 * 10 * 2^56 has 61 bits, and 3007 // 61 = 49: 2,000 values take 41 plaintexts."""
    packing = Packing(silos=10, largest=2**56, modulus_bits=3072)

    assert (packing.slot_bits, packing.slots, packing.plaintexts(2000)) == (61, 49, 41)


@pytest.mark.parametrize("value", [6, -6, -(2**63), 2**63 - 1])
def test_a_value_beyond_the_bound_is_refused_not_clipped(value):
    with pytest.raises(ValueOutOfRange, match="1 of 2 integers"):
        Packing(2, 5, 512).pack(integers([0, value]))


@pytest.mark.parametrize(
    "sums, count, length",
    [
        ([1 << 15], 2, 3),  # a bit above the used slots
        ([21], 2, 1),  # a slot above 2 * count * bound
        ([11], 1, 1),  # the same for a single silo
        ([1 << 5], 2, 1),  # something in a slot that holds no value
        ([-1], 2, 1),
        ([0, 0], 2, 1),  # a plaintext too many
        ([0], 2, 4),  # one too few
        ([0], 3, 1),  # more silos than the slots were made for
        ([0], 0, 1),
    ],
)
def test_anything_that_no_sum_of_so_many_silos_could_be_is_refused(sums, count, length):
    with pytest.raises(OpeningRefused, match="do not hold the sum"):
        Packing(silos=2, largest=5, modulus_bits=80).unpack(sums, count=count, length=length)


@pytest.mark.parametrize("silos, largest", [(2, 2**62), (1, 2**63), (2**33, 2**30)])
def test_sums_beyond_63_bits_are_refused(silos, largest):
    with pytest.raises(CapacityExceeded):
        Packing(silos, largest, 3072)


def test_a_modulus_too_short_for_one_slot_is_refused():
    """One slot of 12 bits, the zeros and the top bit: 77 bits."""
    assert Packing(2, 1000, 77).slots == 1
    with pytest.raises(CapacityExceeded):
        Packing(2, 1000, 76)


@pytest.mark.parametrize("silos, largest", [(0, 1), (1, 0)])
def test_nothing_to_add_is_an_invalid_setting(silos, largest):
    with pytest.raises(InvalidSetting):
        Packing(silos, largest, 512)
