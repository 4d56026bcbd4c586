"""A silo whose own client lies about its numbers: it can move the sum, and nothing else."""

import numpy as np
import pytest
from numpy.typing import NDArray

from privacy.errors import ValueOutOfRange
from privacy.quantization import FixedPoint
from tests.privacy.masks.coalition import Coalition, told
from tests.privacy.masks.masked_federation import MaskedFederation, plain_sum, random_vectors

SCALE = FixedPoint(fraction_bits=34, max_abs=2.0**20)  # L = 2^54; the sum of three lies within 3 L < 2^56
HONEST = np.array([[1.0, -2.0], [0.5, 3.0]])


def lied_sum(lie: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Two honest silos and one that masks whatever it likes; 64-bit integers are all that fits a message."""
    federation = MaskedFederation(3, seed="lie")
    vectors = np.vstack([SCALE.quantize(HONEST.ravel()).reshape(2, 2), lie])
    return federation.unmask(federation.collect(federation.request(length=2), vectors)).total


@pytest.mark.parametrize("value", [2.0**20 * 1.0000001, -(2.0**21), 1e300, np.inf, np.nan])
def test_an_honest_client_refuses_to_send_a_value_out_of_range(value):
    with pytest.raises(ValueOutOfRange):
        SCALE.quantize(np.array([0.0, value]))


@pytest.mark.parametrize("lie", [2**54, 2**54 + 1, 2**60, 2**63, 2**64 - 1, 2**64 - 2**62])
def test_a_lie_moves_the_sum_by_itself_modulo_2_to_the_64_and_no_further(lie):
    """(1 + 0.5) 2^34 and (-2 + 3) 2^34 are what the others add up to; the rest is the lie."""
    total = lied_sum(np.array([lie, 0], dtype=np.uint64))
    assert (int(total[0]) - lie) % 2**64 == 3 * 2**33
    assert int(total[1]) == 2**34


def test_wrapping_around_tells_nothing_about_the_others_but_their_sum():
    """Whatever is sent, sum minus lie is the same number: a coordinator in league with the liar learns no more."""
    lies = random_vectors(50, 2, seed=4)
    rests = {tuple((lied_sum(lie) - lie).tolist()) for lie in lies}
    assert rests == {(3 * 2**33, 2**34)}


def test_a_liar_in_league_with_the_coordinator_opens_the_others_sum_and_no_part_of_it():
    federation, vectors = MaskedFederation(4, seed="league"), random_vectors(4, 3)
    vectors[3] = 2**63  # out of any range
    request = federation.request(length=3)
    coalition = Coalition(federation, request, ["silo-03"])
    updates = {
        name: federation.mask(name, request, vector)
        for name, vector in zip(federation.names, vectors, strict=True)
    }
    for name, update in updates.items():
        coalition.hear_update(update)
        unmask = told(updates, name)
        coalition.hear_reply(federation.answer(unmask), unmask)
    assert coalition.opened_sums() == {frozenset({0, 1, 2}): plain_sum(vectors[:3])}
