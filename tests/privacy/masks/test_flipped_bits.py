"""Every bit of every message flipped: refused or named, and a sum that is opened is exact, with one exception."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from privacy.errors import MasksDisagree, ReconstructionFailed, ShareRejected, UntrustedPeer
from privacy.masks.key_agreement import join_roster
from privacy.masks.mask_coordinator import MaskedRound
from privacy.masks.mask_silo import answer_unmask
from privacy.masks.secure_aggregation import KeyAdvert, KeyRoster, MaskedUpdate, UnmaskReply
from tests.privacy.masks.masked_federation import RUN, MaskedFederation, plain_sum, random_vectors

VICTIM = "silo-00"


@pytest.fixture(scope="module")
def five() -> MaskedFederation:
    """Five silos, threshold four. Tests use rising round numbers."""
    return MaskedFederation(5, seed="flips")


def every_flip(content: bytes) -> Iterator[bytes]:
    """`content` with one bit flipped, for every bit."""
    whole = int.from_bytes(content, "little")
    for bit in range(8 * len(content)):
        yield (whole ^ 1 << bit).to_bytes(len(content), "little")


def tampered_adverts(advert: KeyAdvert) -> dict[str, Iterator[KeyAdvert]]:
    return {
        "exchange key": (
            dataclasses.replace(advert, exchange_key=key) for key in every_flip(advert.exchange_key)
        ),
        "signature": (dataclasses.replace(advert, signature=text) for text in every_flip(advert.signature)),
        "minimum": (dataclasses.replace(advert, min_silos=number) for number in (1, 2, 4, 5)),
    }


@pytest.mark.parametrize("field", ["exchange key", "signature", "minimum"])
def test_a_bit_flipped_in_an_advert_makes_it_unsigned(five, field):
    honest = five.offers["silo-01"].advert
    rest = [advert for advert in five.roster.adverts if advert.silo != "silo-01"]
    for tampered in tampered_adverts(honest)[field]:
        roster = KeyRoster(RUN, 4, tuple(sorted((*rest, tampered), key=lambda advert: advert.silo)))
        with pytest.raises(UntrustedPeer, match="silo-01 is not signed"):
            join_roster(five.offers[VICTIM], roster, five.peers)


def test_a_bit_flipped_in_a_box_stops_its_recipient_and_names_its_sender(five):
    current = five.collect(five.request(1), random_vectors(5, 4))
    honest = current.unmask_requests()[0]
    state = five.state(VICTIM)
    for box in every_flip(honest.boxes[2]):
        with pytest.raises(ShareRejected) as refused:
            answer_unmask(
                state, dataclasses.replace(honest, boxes=(*honest.boxes[:2], box, *honest.boxes[3:]))
            )
        assert refused.value.silos == ("silo-02",)


def round_with(
    federation: MaskedFederation, number: int, change: Callable[[MaskedUpdate], MaskedUpdate]
) -> tuple[MaskedRound, np.ndarray]:
    """Message 1 of everyone, silo-02's changed on its way."""
    request, vectors = federation.request(number), random_vectors(5, 4)
    current = federation.collect(request, vectors, absent=["silo-02"])
    current.accept_update(change(federation.mask("silo-02", request, vectors[2])))
    return current, vectors


@pytest.mark.parametrize("slot", range(5))
def test_a_bit_flipped_in_a_hash_of_a_seed_opens_no_sum_with_it(five, slot):
    """Another silo's place: both ends disagree before anything is unmasked. Its own: no seed fits after."""

    def flip(update: MaskedUpdate) -> MaskedUpdate:
        hashes = bytearray(update.commitments)
        hashes[32 * slot + 7] ^= 0x20
        return dataclasses.replace(update, commitments=bytes(hashes))

    current, _ = round_with(five, 10 + slot, flip)
    with pytest.raises(ReconstructionFailed if slot == 2 else MasksDisagree):
        five.unmask(current)


def with_a_flip(reply: UnmaskReply, part: str, place: int, bit: int) -> UnmaskReply:
    shares = {"self_shares": reply.self_shares, "pair_shares": reply.pair_shares}
    flipped = bytearray(shares[part])
    flipped[place] ^= 1 << bit
    return UnmaskReply(reply.silo, reply.context, **(shares | {part: bytes(flipped)}))


@pytest.mark.parametrize("part", ["self_shares", "pair_shares"])
def test_a_bit_flipped_in_a_reply_is_found_and_the_sum_exact(part):
    """Seven silos, five needed, one dropped out: every byte of a reply, a few bits each."""
    federation, vectors = MaskedFederation(7, seed="replies"), random_vectors(7, 4)
    for number, place in enumerate(range(0, 6 * 33, 9), start=1):
        current = federation.collect(federation.request(number), vectors, absent=["silo-06"])
        for unmask in current.unmask_requests():
            reply = federation.answer(unmask)
            liar = reply.silo == "silo-03"
            current.accept_reply(with_a_flip(reply, part, place, number % 8) if liar else reply)
        result = current.finish()
        assert result.total.tolist() == plain_sum(vectors[:6])
        assert result.faulty == ("silo-03",)


@pytest.mark.parametrize("bit", [0, 20, 63])
def test_a_bit_flipped_in_a_masked_value_moves_that_sum_by_that_bit_and_is_not_noticed(five, bit):
    """The exception. Masks hide, they do not sign: the transport (TLS) keeps vectors whole, and a coordinator could
    as well announce another sum.
    """

    def flip(update: MaskedUpdate) -> MaskedUpdate:
        masked = update.masked.copy()
        masked[1] ^= np.uint64(1 << bit)
        return dataclasses.replace(update, masked=masked)

    current, vectors = round_with(five, 20 + bit, flip)
    moved = [
        (int(value) - true) % 2**64
        for value, true in zip(five.unmask(current).total, plain_sum(vectors), strict=True)
    ]
    assert moved[1] in (1 << bit, 2**64 - (1 << bit))
    assert [*moved[:1], *moved[2:]] == [0, 0, 0]
