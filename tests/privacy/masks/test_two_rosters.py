"""The same silos with and without one of them: two sums may be subtracted, two rounds cannot be mixed."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from privacy.errors import MalformedMessage, MasksDisagree, RosterRefused, ShareRejected, UnmaskRefused
from privacy.masks import masking
from privacy.masks.key_agreement import build_roster, join_roster, offer_key
from privacy.masks.mask_coordinator import MaskedRound
from privacy.masks.mask_silo import mask_update
from privacy.masks.secure_aggregation import KeyRoster, MaskRequest
from tests.privacy.masks.coalition import told
from tests.privacy.masks.masked_federation import (
    RUN,
    ChosenBytes,
    MaskedFederation,
    plain_sum,
    random_vectors,
)

LAST = "silo-04"
WORDS = 4096


def with_and_without() -> tuple[MaskedFederation, MaskedFederation]:
    """Five silos, and the first four of them: the same names, long-term keys and even the same offered keys.

    Fresh keys, which real silos offer for every run, would only widen the gap that is tested here.
    """
    five, four = MaskedFederation(5), MaskedFederation(5)
    assert five.offers == four.offers
    four.agree(left_out=[LAST])
    return five, four


def looks_uniform(words: NDArray[np.uint64]) -> bool:
    """Chi-square of the bytes, 255 degrees of freedom, within five standard deviations."""
    octets = words.view(np.uint8)
    counts, expected = np.bincount(octets, minlength=256), octets.size / 256
    return abs(float(((counts - expected) ** 2 / expected).sum()) - 255) < 5 * np.sqrt(510)


def test_the_two_rounds_share_no_seed_and_no_share_key():
    five, four = with_and_without()
    one, two = five.request().digest, four.request().digest
    keys = five.state("silo-00").pair_keys[1:4]
    assert keys == four.state("silo-00").pair_keys[1:4]  # the same Diffie-Hellman secrets underneath
    for peer, key in enumerate(keys, start=1):
        assert masking.pair_seed(key, one, 0, peer) != masking.pair_seed(key, two, 0, peer)
        assert masking.share_key(key, one, sender=0, recipient=peer) != masking.share_key(
            key, two, sender=0, recipient=peer
        )


def test_the_difference_of_a_silos_two_masked_vectors_is_uniform():
    five, four = with_and_without()
    vector = np.full(WORDS, 7, dtype=np.uint64)
    for name in five.names[:4]:
        whole = five.mask(name, five.request(length=WORDS), vector).masked
        smaller = four.mask(name, four.request(length=WORDS), vector).masked
        assert looks_uniform(whole - smaller)
        assert not looks_uniform(vector)


@pytest.mark.parametrize("taken_from_the_other", [1, 2, 3])
def test_masked_vectors_of_both_rounds_do_not_add_up(taken_from_the_other):
    """Masks cancel within a round only: any mixture of the four keeps uniform masks, which b_i do not explain."""
    five, four = with_and_without()
    vectors = random_vectors(5, WORDS)
    mixed = np.zeros(WORDS, dtype=np.uint64)
    for place, (name, vector) in enumerate(zip(five.names[:4], vectors, strict=False)):
        federation = four if place < taken_from_the_other else five
        request = federation.request(length=WORDS)
        step = mask_update(federation.state(name), request, vector, randbytes=ChosenBytes(name))
        mixed += step.message.masked - vector
        masking.apply_masks(
            mixed, add=[], subtract=[ChosenBytes(name)(32)]
        )  # even b_i, the first draw, given away
    assert looks_uniform(mixed)


def test_an_update_of_one_round_is_not_taken_in_the_other_nor_do_its_masks_agree():
    five, four = with_and_without()
    vectors = random_vectors(5, 4)
    current = four.collect(four.request(), vectors, absent=["silo-00", LAST])
    foreign = five.mask("silo-00", five.request(), vectors[0])
    with pytest.raises(MalformedMessage):
        current.accept_update(foreign)
    box_bytes = len(four.mask("silo-00", four.request(), vectors[0]).boxes[1])
    forged = dataclasses.replace(
        foreign,
        context=four.request().digest,
        boxes=tuple(box[:box_bytes] for box in foreign.boxes[:4]),
        commitments=foreign.commitments[:128],
    )
    current.accept_update(forged)
    with pytest.raises(MasksDisagree, match="silo-00"):
        current.unmask_requests()


def test_shares_of_one_round_do_not_unmask_the_other():
    five, four = with_and_without()
    vectors = random_vectors(5, 4)
    updates = {
        name: five.mask(name, five.request(), row) for name, row in zip(five.names, vectors, strict=True)
    }
    for name, row in zip(four.names[:4], vectors, strict=False):
        four.mask(name, four.request(), row)
    with pytest.raises(UnmaskRefused, match="another round"):
        four.answer(told(updates, "silo-00"))
    relabelled = dataclasses.replace(
        told(updates, "silo-00", dropped=[LAST]), context=four.request().digest, dropped=()
    )
    with pytest.raises(ShareRejected, match="do not open in this round"):
        four.answer(relabelled)


def opened(federation: MaskedFederation, vectors: NDArray[np.uint64], request: MaskRequest) -> list[int]:
    current = MaskedRound(federation.roster, request)
    for name, vector in zip(federation.roster.silos, vectors, strict=False):
        current.accept_update(federation.mask(name, request, vector))
    return federation.unmask(current).total.tolist()


def test_without_noise_the_two_sums_subtracted_are_the_missing_silo():
    """What no mask can hide, stated: it takes noise, or a minimum that the smaller roster breaks."""
    five, four = with_and_without()
    vectors = random_vectors(5, 4)
    whole = opened(five, vectors, five.request())
    smaller = opened(four, vectors[:4], four.request())
    difference = [(a - b) % 2**64 for a, b in zip(whole, smaller, strict=True)]
    assert difference == plain_sum(vectors[4:]) == vectors[4].tolist()


def test_one_silo_that_signs_a_minimum_of_n_keeps_everyone_out_of_the_smaller_roster_it_is_in():
    federation = MaskedFederation(5, min_silos={"silo-00": 5})
    adverts = federation.roster.adverts[:4]
    with pytest.raises(RosterRefused, match="too few for silo-00"):
        build_roster(adverts)
    for name in federation.names[:4]:  # a coordinator that sends it all the same
        with pytest.raises(RosterRefused, match="silo-00 asks for at least 5"):
            join_roster(federation.offers[name], KeyRoster(RUN, 3, adverts), federation.peers)


def test_a_minimum_of_the_missing_silo_alone_does_not_bind_the_others():
    """It is not part of the smaller sum and cannot forbid it: its peers must ask for n as well."""
    federation = MaskedFederation(5, min_silos={LAST: 5})
    four = KeyRoster(RUN, 3, federation.roster.adverts[:4])
    assert join_roster(federation.offers["silo-00"], four, federation.peers).min_silos == 3


def test_an_offer_of_an_earlier_start_of_the_same_run_opens_nothing():
    """Resuming repeats the key agreement under the same run: the old, well-signed advert of silo-01 is replayed."""
    again = MaskedFederation(5)
    old = again.offers["silo-01"].advert
    fresh = ChosenBytes("second start")
    again.offers = {name: offer_key(own, RUN, randbytes=fresh) for name, own in again.identities.items()}
    again.agree()
    replayed = build_roster(
        [old if name == "silo-01" else offer.advert for name, offer in again.offers.items()]
    )
    victim = join_roster(
        again.offers["silo-00"], replayed, again.peers
    )  # it cannot tell: the signature is good
    assert victim.roster_digest != again.roster.digest
    again.stored["silo-00"] = victim.to_bytes()
    vectors = random_vectors(5, 4)
    current = again.collect(again.request(), vectors, absent=["silo-00"])
    own_view = dataclasses.replace(again.request(), roster_digest=replayed.digest)
    update = again.mask("silo-00", own_view, vectors[0])
    with pytest.raises(MalformedMessage):
        current.accept_update(update)
    current.accept_update(dataclasses.replace(update, context=again.request().digest))
    with pytest.raises(MasksDisagree, match="silo-00"):
        current.unmask_requests()
