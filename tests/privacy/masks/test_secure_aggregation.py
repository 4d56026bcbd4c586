"""The sum of masked vectors is that of the plain ones, whoever drops out; nothing else shows."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from privacy.errors import (
    MalformedMessage,
    MaskStateDamaged,
    ReconstructionFailed,
    RosterRefused,
    RoundRefused,
    TooFewSilos,
)
from privacy.identity import SiloIdentity
from privacy.masks import masking
from privacy.masks.key_agreement import build_roster, offer_key
from privacy.masks.mask_coordinator import MaskedRound
from privacy.masks.mask_state import KeyOffer, SiloMaskState
from privacy.masks.secret_sharing import SHARE_BYTES
from privacy.masks.secure_aggregation import MaskedUpdate, smallest_threshold
from privacy.quantization import FixedPoint
from tests.privacy.masks.masked_federation import (
    RUN,
    ChosenBytes,
    MaskedFederation,
    plain_sum,
    random_vectors,
)


@pytest.fixture(scope="module")
def seven() -> MaskedFederation:
    """Seven silos, threshold five; tests use rising round numbers."""
    return MaskedFederation(7)


@settings(max_examples=25)
@given(st.integers(3, 6), st.integers(1, 9), st.integers(0, 2**32))
def test_the_sum_of_masked_vectors_is_the_sum_of_plain_ones(n_silos, length, seed):
    federation = MaskedFederation(n_silos)
    vectors = random_vectors(n_silos, length, seed)
    result = federation.unmask(federation.collect(federation.request(length=length), vectors))
    assert result.total.tolist() == plain_sum(vectors)
    assert result.silos == tuple(federation.names)
    assert result.faulty == ()


def test_rounded_updates_and_hidden_weights_come_out_as_the_weighted_mean():
    """Weights 1, 2, 5 in the last element; (1.5, -2) + 2 (0.5, 1) + 5 (0.25, 0.125) = (3.75, 0.625)."""
    updates = np.array([[1.5, -2.0, 1.0], [1.0, 2.0, 2.0], [1.25, 0.625, 5.0]])
    federation, scale = MaskedFederation(3), FixedPoint()
    result = federation.unmask(federation.collect(federation.request(length=3), scale.quantize(updates)))
    assert scale.dequantize(result.total).tolist() == [3.75, 0.625, 8.0]


def test_all_dropout_patterns_down_to_the_threshold_are_survived(seven):
    """Before the vector, after it, and both at once: every choice of at most two of seven."""
    vectors = random_vectors(7, 4, seed=7)
    losses = [set(names) for count in (0, 1, 2) for names in combinations(seven.names, count)]
    patterns = [(early, late) for early in losses for late in losses if len(early | late) <= 2]
    for number, (early, late) in enumerate(patterns[::7], start=1):
        current = seven.collect(seven.request(number), vectors, absent=early)
        result = seven.unmask(current, absent=late)
        stayed = [row for name, row in zip(seven.names, vectors, strict=True) if name not in early]
        assert result.total.tolist() == plain_sum(stayed)
        assert set(result.silos) == set(seven.names) - early


def test_one_more_dropout_than_the_threshold_allows_yields_nothing(seven):
    vectors = random_vectors(7, 4)
    with pytest.raises(TooFewSilos, match="4 of 7 silos sent an update, 5 are needed"):
        seven.collect(seven.request(1001), vectors, absent=seven.names[:3]).unmask_requests()
    current = seven.collect(seven.request(1002), vectors, absent=seven.names[:1])
    with pytest.raises(TooFewSilos, match="4 silos replied, 5 needed"):
        seven.unmask(current, absent=seven.names[1:3])


def test_a_silo_that_dropped_out_once_is_back_in_the_next_round(seven):
    vectors = random_vectors(7, 4)
    seven.unmask(seven.collect(seven.request(2001), vectors, absent=["silo-03"]), absent=["silo-05"])
    result = seven.unmask(seven.collect(seven.request(2002), vectors))
    assert result.total.tolist() == plain_sum(vectors)


@pytest.mark.parametrize(
    "n_silos, threshold", [(3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (9, 7), (10, 7), (50, 34)]
)
def test_the_smallest_threshold_is_the_first_whole_number_above_two_thirds(n_silos, threshold):
    assert smallest_threshold(n_silos) == threshold
    assert 3 * threshold > 2 * n_silos >= 3 * (threshold - 1)


def test_fifty_silos_with_two_dropouts_sum_exactly():
    federation, vectors = MaskedFederation(50), random_vectors(50, 3)
    current = federation.collect(federation.request(length=3), vectors, absent=["silo-00", "silo-49"])
    assert federation.unmask(current, absent=["silo-20"]).total.tolist() == plain_sum(vectors[1:49])


# --- what shows -----------------------------------------------------------------------------------------


def chi_square(words: NDArray[np.uint64]) -> float:
    """Of the bytes of 8,192 words against uniform: 255 degrees of freedom, mean 255, sd sqrt(510) = 22.6."""
    counts = np.bincount(words.view(np.uint8), minlength=256)
    return float(((counts - 256.0) ** 2 / 256.0).sum())


LOOKS_UNIFORM = pytest.approx(255, abs=5 * 22.6)


@pytest.mark.parametrize("value", [0, 1, 2**63])
def test_a_single_masked_vector_looks_uniform(value):
    vector = np.full(8192, value, dtype=np.uint64)
    federation = MaskedFederation(3, seed=f"uniform {value}")
    assert chi_square(vector) > 1e6
    assert (
        chi_square(federation.mask("silo-01", federation.request(length=8192), vector).masked)
        == LOOKS_UNIFORM
    )


def test_two_masked_vectors_of_one_silo_are_unrelated_in_successive_rounds():
    """The same plain vector twice: the difference is uniform, not zero."""
    federation, vector = MaskedFederation(3, seed="twice"), np.full(8192, 5, dtype=np.uint64)
    requests = [federation.request(number, length=8192) for number in (1, 2)]
    first, second = (federation.mask("silo-01", request, vector).masked for request in requests)
    assert chi_square(first - second) == LOOKS_UNIFORM


def test_a_late_silo_stays_hidden_when_its_peers_reveal_every_pair_mask():
    """Called dropped, its s_ij are opened; then its vector arrives: b_i alone still hides it."""
    federation, vector = MaskedFederation(3, seed="late"), np.full(8192, 5, dtype=np.uint64)
    request = federation.request(length=8192)
    rest = federation.mask("silo-00", request, vector).masked.copy()
    for slot in (1, 2):
        seed = masking.pair_seed(federation.state(f"silo-{slot:02d}").pair_keys[0], request.digest, slot, 0)
        masking.apply_masks(rest, add=[], subtract=[seed])
    assert chi_square(rest) == LOOKS_UNIFORM


# --- what is stored --------------------------------------------------------------------------------------


def test_a_stored_state_comes_back_equal_at_every_stage(seven):
    request = seven.request(4001)
    for name in seven.names[:2]:
        before = seven.state(name)
        assert SiloMaskState.from_bytes(before.to_bytes()) == before
        seven.mask(name, request, random_vectors(1, 4)[0])
        pending = seven.state(name)
        assert pending.pending is not None
        assert SiloMaskState.from_bytes(pending.to_bytes()) == pending
    offer = seven.offers["silo-00"]
    assert KeyOffer.from_bytes(offer.to_bytes()) == offer


def test_a_stored_state_is_small_and_forgets_the_round_it_unmasked():
    federation = MaskedFederation(10)
    idle = len(federation.stored["silo-00"])
    current = federation.collect(federation.request(), random_vectors(10, 4))
    assert len(federation.stored["silo-00"]) < 65 * 10 + 600
    unmasked = federation.unmask(current)
    assert unmasked.silos
    assert federation.state("silo-00").pending is None
    assert len(federation.stored["silo-00"]) == idle


def test_printing_a_state_or_an_offer_shows_no_secret(seven):
    seven.mask("silo-06", seven.request(4002), random_vectors(1, 4)[0])
    state, offer = seven.state("silo-06"), seven.offers["silo-06"]
    shown = repr(state) + repr(offer)
    assert state.pending is not None
    for secret in (*state.pair_keys[:6], state.pending.own_shares, offer.private_key):
        assert repr(secret)[2:20] not in shown
    assert "pair_keys" not in shown
    assert "own_shares" not in shown
    assert "private_key" not in shown


@pytest.mark.parametrize("place", [0, 40, -40, -1])
def test_a_flipped_bit_anywhere_in_a_stored_state_is_detected(place):
    stored = bytearray(MaskedFederation(3).stored["silo-00"])
    stored[place] ^= 1
    with pytest.raises(MaskStateDamaged):
        SiloMaskState.from_bytes(bytes(stored))


@pytest.mark.parametrize("damage", [lambda s: b"", lambda s: s[:-1], lambda s: s + b"\x00", lambda s: s[:40]])
def test_a_cut_or_extended_state_is_detected(damage):
    with pytest.raises(MaskStateDamaged):
        SiloMaskState.from_bytes(damage(MaskedFederation(3).stored["silo-00"]))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"silo": "nobody"},
        {"silos": ["silo-00", "silo-01"]},
        {"pending": "zz"},
        {"pending": "00"},
    ],
)
def test_a_state_that_contradicts_itself_is_refused_even_with_a_fresh_checksum(change):
    header, _, secrets = MaskedFederation(3).stored["silo-00"][:-32].partition(b"\n")
    changed = json.dumps(json.loads(header) | change).encode() + b"\n" + secrets
    with pytest.raises(MaskStateDamaged):
        SiloMaskState.from_bytes(changed + hashlib.sha256(changed).digest())


def test_a_key_offer_is_not_taken_for_a_state():
    offer = offer_key(SiloIdentity.generate("north"), RUN)
    with pytest.raises(MaskStateDamaged, match="is a key-offer, not a mask-state"):
        SiloMaskState.from_bytes(offer.to_bytes())
    with pytest.raises(MaskStateDamaged):
        KeyOffer.from_bytes(offer.to_bytes()[:-1])


# --- what the coordinator checks ---------------------------------------------------------------------------


def test_a_roster_smaller_than_a_silo_asks_for_is_not_even_sent():
    adverts = [offer_key(SiloIdentity.generate(name), RUN, min_silos=4).advert for name in "abc"]
    with pytest.raises(RosterRefused, match="3 silos are too few for a, b, c"):
        build_roster(adverts)


def test_adverts_of_two_runs_make_no_roster():
    adverts = [offer_key(SiloIdentity.generate(name), f"run {name}").advert for name in "abc"]
    with pytest.raises(RosterRefused):
        build_roster(adverts)


UPDATE_DAMAGE: dict[str, Callable[[MaskedUpdate], dict[str, Any]]] = {
    "another round": lambda update: {"context": bytes(32)},
    "an unknown silo": lambda update: {"silo": "nobody"},
    "a shorter vector": lambda update: {"masked": update.masked[:-1]},
    "floats": lambda update: {"masked": update.masked.astype(np.float64)},
    "a missing box": lambda update: {"boxes": update.boxes[:-1]},
    "a short box": lambda update: {"boxes": (*update.boxes[:-1], update.boxes[-1][:-1])},
    "missing commitments": lambda update: {"commitments": update.commitments[:-32]},
}


@pytest.mark.parametrize("kind", UPDATE_DAMAGE)
def test_a_nonsense_update_is_named_and_left_out(kind):
    federation = MaskedFederation(4)
    request, vectors = federation.request(), random_vectors(4, 4)
    current = federation.collect(request, vectors, absent=["silo-00"])
    good = federation.mask("silo-00", request, vectors[0])
    bad = dataclasses.replace(good, **UPDATE_DAMAGE[kind](good))
    with pytest.raises(MalformedMessage) as refused:
        current.accept_update(bad)
    assert refused.value.silos == (bad.silo,)
    assert federation.unmask(current).total.tolist() == plain_sum(vectors[1:])


def test_an_update_counts_once_and_only_before_the_unmasking():
    federation = MaskedFederation(4)
    request, vectors = federation.request(), random_vectors(4, 4)
    late = federation.mask("silo-00", request, vectors[0])
    current = federation.collect(request, vectors, absent=["silo-00"])
    twice = MaskedRound(federation.roster, request)
    twice.accept_update(late)
    with pytest.raises(MalformedMessage):
        twice.accept_update(late)
    current.unmask_requests()
    with pytest.raises(MalformedMessage, match="late"):
        current.accept_update(late)
    with pytest.raises(RoundRefused):
        current.exclude("silo-01")


def test_a_nonsense_reply_is_named_and_left_out():
    federation = MaskedFederation(4)
    vectors = random_vectors(4, 4)
    current = federation.collect(federation.request(), vectors)
    first, *others = (federation.answer(unmask) for unmask in current.unmask_requests())
    for change in ({"self_shares": b""}, {"context": bytes(32)}, {"silo": "nobody"}, {"pair_shares": b"x"}):
        with pytest.raises(MalformedMessage):
            current.accept_reply(dataclasses.replace(first, **change))
    for reply in others:
        current.accept_reply(reply)
    with pytest.raises(MalformedMessage):
        current.accept_reply(others[0])
    assert current.finish().total.tolist() == plain_sum(vectors)


def wrong_share(reply, position: int):
    """The reply with one share replaced by another number, a different one for every silo."""
    start = position * SHARE_BYTES
    lie = hashlib.sha256(reply.silo.encode()).digest() + b"\x00"
    shares = reply.self_shares[:start] + lie + reply.self_shares[start + SHARE_BYTES :]
    return dataclasses.replace(reply, self_shares=shares)


@pytest.mark.parametrize("liars", [["silo-00"], ["silo-04"], ["silo-01", "silo-03"]])
def test_wrong_shares_are_found_and_the_liars_named(liars):
    """Seven replies, five needed: up to two wrong ones can be left out, and the sum is exact."""
    federation, vectors = MaskedFederation(7), random_vectors(7, 4)
    current = federation.collect(federation.request(), vectors)
    for unmask in current.unmask_requests():
        reply = federation.answer(unmask)
        current.accept_reply(wrong_share(reply, 2) if reply.silo in liars else reply)
    result = current.finish()
    assert result.total.tolist() == plain_sum(vectors)
    assert result.faulty == tuple(liars)


@pytest.mark.parametrize("late", [["silo-05", "silo-06"], []])
def test_too_many_wrong_shares_end_in_an_error_never_in_a_garbage_sum(late):
    federation, vectors = MaskedFederation(7), random_vectors(7, 4)
    current = federation.collect(federation.request(), vectors)
    liars = federation.names[:1] if late else federation.names[:3]
    for unmask in current.unmask_requests():
        if unmask.silo not in late:
            reply = federation.answer(unmask)
            current.accept_reply(wrong_share(reply, 0) if reply.silo in liars else reply)
    with pytest.raises(ReconstructionFailed, match="no 5 of the"):
        current.finish()


def test_randomness_comes_only_from_the_argument():
    """The same bytes and long-term key make the same offer; the system's randomness never does."""
    identity = SiloIdentity.generate("north")
    one, two = (offer_key(identity, RUN, randbytes=ChosenBytes("same")) for _ in range(2))
    assert one == two
    assert offer_key(identity, RUN) != offer_key(identity, RUN)


def test_masking_leaves_the_plain_vector_alone(seven):
    vector = random_vectors(1, 4)[0]
    before = vector.copy()
    seven.mask("silo-00", seven.request(5001), vector)
    assert_array_equal(vector, before)
