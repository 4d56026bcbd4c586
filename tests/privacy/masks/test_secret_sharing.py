"""Shamir shares: any threshold of them rebuilds every seed, one less says nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.errors import InvalidSetting
from privacy.masks.secret_sharing import (
    PRIME,
    SHARE_BYTES,
    Sharing,
    combine,
    lagrange_weights,
    read_share,
    split,
)
from tests.privacy.masks.masked_federation import ChosenBytes

SEED = st.binary(min_size=32, max_size=32)


@given(st.lists(SEED, min_size=1, max_size=5), st.integers(1, 12), st.data())
def test_any_threshold_of_shares_rebuilds_every_seed(seeds, holders, data):
    threshold = data.draw(st.integers(1, holders))
    chosen = data.draw(st.permutations(range(holders)))[:threshold]
    blocks = split(seeds, Sharing(holders, threshold), ChosenBytes("split"))
    weights = lagrange_weights(tuple(chosen))
    for position, seed in enumerate(seeds):
        assert combine([read_share(blocks[k], position) for k in chosen], weights) == seed


def test_shares_are_the_values_of_one_polynomial_computed_by_hand():
    """threshold 3 of 4: f(x) = s + c1 x + c2 x^2 at x = 1, -1, 2, -2; 40 random bytes per coefficient."""
    seed, random = bytes(range(32)), ChosenBytes("hand")
    drawn = ChosenBytes("hand")(80)
    s, c1, c2 = (int.from_bytes(part, "little") for part in (seed, drawn[:40], drawn[40:]))
    blocks = split([seed], Sharing(4, 3), random)
    expected = [(s + c1 * x + c2 * x * x) % PRIME for x in (1, -1, 2, -2)]
    assert [read_share(block, 0) for block in blocks] == expected
    assert all(len(block) == SHARE_BYTES for block in blocks)


def test_the_largest_seeds_and_coefficients_do_not_run_into_each_other():
    seeds = [b"\xff" * 32, bytes(32), b"\xff" * 32]
    blocks = split(seeds, Sharing(50, 50), lambda count: b"\xff" * count)
    weights = lagrange_weights(tuple(range(50)))
    rebuilt = [combine([read_share(block, position) for block in blocks], weights) for position in range(3)]
    assert rebuilt == seeds


def test_one_share_less_fits_every_possible_seed():
    """For any wished seed there is a polynomial through the known shares: they exclude nothing."""
    blocks = split([b"\x01" * 32], Sharing(4, 3), ChosenBytes("less"))
    known = [read_share(blocks[0], 0), read_share(blocks[1], 0)]
    weights = lagrange_weights((0, 1, 2))
    for wished in (bytes(32), b"\xab" * 32, b"\xff" * 32):
        partial = sum(share * weight for share, weight in zip(known, weights, strict=False))
        third = (int.from_bytes(wished, "little") - partial) * pow(weights[2], -1, PRIME) % PRIME
        assert combine([*known, third], weights) == wished


def test_one_share_less_rebuilds_something_else():
    seed = b"\x01" * 32
    blocks = split([seed], Sharing(5, 4), ChosenBytes("fewer"))
    assert combine([read_share(block, 0) for block in blocks[:3]], lagrange_weights((0, 1, 2))) != seed


def test_a_value_above_256_bits_is_not_a_seed():
    assert combine([PRIME - 1], (1,)) is None
    assert combine([2**256 - 1], (1,)) == b"\xff" * 32


def test_the_modulus_is_prime():
    """Miller-Rabin with the first twenty primes as bases; none may be a witness."""
    odd, twos = PRIME - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for base in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71):
        powers = [pow(base, odd << k, PRIME) for k in range(twos)]
        assert powers[0] == 1 or PRIME - 1 in powers


@pytest.mark.parametrize("holders, threshold", [(3, 0), (3, 4), (0, 0)])
def test_a_threshold_that_cannot_be_met_is_refused(holders, threshold):
    with pytest.raises(InvalidSetting):
        Sharing(holders, threshold)
