"""Each test is an attack on secure aggregation; each must fail, and leave the silo's state as it was."""

import dataclasses

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from privacy.errors import (
    InvalidSetting,
    MasksDisagree,
    MaskStateDamaged,
    ReconstructionFailed,
    RosterRefused,
    RoundRefused,
    ShareRejected,
    TooFewSilos,
    UnmaskRefused,
    UntrustedPeer,
)
from privacy.identity import PinnedPeers, SiloIdentity
from privacy.masks import masking
from privacy.masks.key_agreement import join_roster, offer_key
from privacy.masks.mask_coordinator import MaskedRound
from privacy.masks.mask_silo import answer_unmask, mask_update
from privacy.masks.mask_state import KeyOffer
from privacy.masks.secure_aggregation import KeyAdvert, KeyRoster, UnmaskRequest, smallest_threshold
from tests.privacy.masks.coalition import Coalition
from tests.privacy.masks.masked_federation import (
    OTHER_MODEL,
    RUN,
    MaskedFederation,
    plain_sum,
    random_vectors,
)

VICTIM = "silo-00"


@pytest.fixture
def five() -> MaskedFederation:
    """Five silos, threshold four."""
    return MaskedFederation(5)


def roster_with(federation: MaskedFederation, *changed: KeyAdvert) -> KeyRoster:
    """The federation's roster with some adverts replaced."""
    by_name = {advert.silo: advert for advert in (*federation.roster.adverts, *changed)}
    return KeyRoster(RUN, federation.roster.threshold, tuple(by_name[name] for name in sorted(by_name)))


def join_as_victim(federation: MaskedFederation, roster: KeyRoster, peers: PinnedPeers | None = None):
    return join_roster(federation.offers[VICTIM], roster, peers or federation.peers)


def masked_round(federation: MaskedFederation, number: int = 1, absent: tuple[str, ...] = ()):
    """Message 1 done; the unmask requests, by silo."""
    request = federation.request(number)
    current = federation.collect(request, random_vectors(len(federation.names), 4), absent=absent)
    return {unmask.silo: unmask for unmask in current.unmask_requests()}


# --- key agreement -----------------------------------------------------------------------------------------


def test_a_coordinator_cannot_swap_a_peers_exchange_key(five):
    honest = five.offers["silo-03"].advert
    own_key = offer_key(SiloIdentity.generate("silo-03"), RUN).advert.exchange_key
    with pytest.raises(UntrustedPeer, match="silo-03 is not signed by the key pinned"):
        join_as_victim(five, roster_with(five, dataclasses.replace(honest, exchange_key=own_key)))


def test_a_coordinator_cannot_sign_for_a_peer_with_its_own_key(five):
    impostor = offer_key(SiloIdentity.generate("silo-03"), RUN).advert
    with pytest.raises(UntrustedPeer):
        join_as_victim(five, roster_with(five, impostor))


@pytest.mark.parametrize("signature", [b"", bytes(64)])
def test_an_unsigned_key_is_refused(five, signature):
    unsigned = dataclasses.replace(five.offers["silo-03"].advert, signature=signature)
    with pytest.raises(UntrustedPeer):
        join_as_victim(five, roster_with(five, unsigned))


def test_a_silo_that_is_not_pinned_cannot_join(five):
    stranger = offer_key(SiloIdentity.generate("silo-99"), RUN).advert
    with pytest.raises(UntrustedPeer, match="no key is pinned for silo-99"):
        join_as_victim(five, KeyRoster(RUN, 4, (*five.roster.adverts[:4], stranger)))


def test_a_silos_own_pins_decide_not_the_coordinators(five):
    """The victim pinned another key for silo-03 than the one everybody else knows."""
    other_pins = PinnedPeers({**five.peers.keys, "silo-03": SiloIdentity.generate("silo-03").public_key})
    with pytest.raises(UntrustedPeer):
        join_as_victim(five, five.roster, other_pins)


def test_a_signed_key_of_an_earlier_run_cannot_be_replayed(five):
    old = offer_key(five.identities["silo-03"], "run-0").advert
    with pytest.raises(RosterRefused, match="mixes runs"):
        join_as_victim(five, roster_with(five, old))
    renamed = dataclasses.replace(old, run_id=RUN)  # the signature covers the run
    with pytest.raises(UntrustedPeer):
        join_as_victim(five, roster_with(five, renamed))


def test_a_signed_key_cannot_be_moved_to_another_name(five):
    moved = dataclasses.replace(five.offers["silo-03"].advert, silo="silo-02")
    with pytest.raises(RosterRefused, match="under two names"):
        join_as_victim(five, roster_with(five, moved))


def test_a_signed_minimum_cannot_be_lowered():
    federation = MaskedFederation(5, min_silos={"silo-03": 4})
    lowered = dataclasses.replace(federation.offers["silo-03"].advert, min_silos=3)
    with pytest.raises(UntrustedPeer):
        join_as_victim(federation, roster_with(federation, lowered))


def test_the_coordinator_cannot_replace_the_silos_own_key(five):
    again = offer_key(five.identities[VICTIM], RUN).advert
    with pytest.raises(RosterRefused, match="lacks the key that silo-00 offered"):
        join_as_victim(five, roster_with(five, again))


def test_a_roster_without_the_silo_itself_is_refused(five):
    others = tuple(advert for advert in five.roster.adverts if advert.silo != VICTIM)
    with pytest.raises(RosterRefused, match="lacks the key"):
        join_as_victim(five, KeyRoster(RUN, 3, others))


def test_a_roster_of_two_is_refused_by_everyone(five):
    with pytest.raises(RosterRefused, match="asks for at least 3"):
        join_as_victim(five, KeyRoster(RUN, 2, five.roster.adverts[:2]))
    with pytest.raises(InvalidSetting, match="min_silos is 2"):
        offer_key(five.identities[VICTIM], RUN, min_silos=2)


def test_a_roster_below_the_silos_own_minimum_is_refused():
    federation = MaskedFederation(5, min_silos={VICTIM: 5})
    with pytest.raises(RosterRefused, match="has 4 silos, silo-00 asks for at least 5"):
        join_as_victim(federation, KeyRoster(RUN, 3, federation.roster.adverts[:4]))


@pytest.mark.parametrize("n_silos", [3, 4, 5, 6, 9])
def test_a_threshold_of_two_thirds_or_less_is_refused_and_the_next_is_not(n_silos):
    """Exact in integers: 2 of 3, 4 of 6 and 6 of 9 are two thirds to the letter and still too low."""
    federation = MaskedFederation(n_silos)
    for threshold in range(1, n_silos + 1):
        roster = KeyRoster(RUN, threshold, federation.roster.adverts)
        if 3 * threshold > 2 * n_silos:
            assert join_as_victim(federation, roster).threshold == threshold
        else:
            with pytest.raises(RosterRefused, match="not above two thirds"):
                join_as_victim(federation, roster)


@pytest.mark.parametrize("threshold", [0, -1, 6])
def test_a_threshold_that_is_no_threshold_is_refused(five, threshold):
    with pytest.raises(RosterRefused, match="does not lie within"):
        KeyRoster(RUN, threshold, five.roster.adverts)


def test_one_name_or_one_key_cannot_count_twice(five):
    first, second, *rest = five.roster.adverts
    with pytest.raises(RosterRefused, match="twice"):
        KeyRoster(RUN, 4, (first, first, second, *rest))
    with pytest.raises(RosterRefused, match="name order"):
        KeyRoster(RUN, 4, (second, first, *rest))
    copied = dataclasses.replace(second, exchange_key=first.exchange_key)
    with pytest.raises(RosterRefused, match="under two names"):
        join_as_victim(five, roster_with(five, copied))


def test_a_key_of_low_order_is_refused_even_when_signed(five):
    """It would make the pair's secret a constant that the coordinator knows."""
    accomplice = five.identities["silo-03"]
    advert = KeyAdvert(RUN, "silo-03", 3, bytes(32), b"")
    signed = dataclasses.replace(advert, signature=accomplice.sign(advert.signed_bytes))
    with pytest.raises(UntrustedPeer, match="exchange key of silo-03 is not usable"):
        join_as_victim(five, roster_with(five, signed))


CURVE_PRIME = 2**255 - 19
OTHER_SPELLINGS = {
    "top bit set, which X25519 ignores": lambda u: u | 1 << 255,
    "plus the point of order two, which clamping removes": lambda u: pow(u, -1, CURVE_PRIME),
}


@pytest.mark.parametrize("spelling", OTHER_SPELLINGS)
def test_a_silo_that_copies_a_peers_key_in_another_spelling_opens_nothing(spelling):
    """silo-04 signs a key that gives silo-01's secret with everyone, then drops out: an honest round opens its
    seeds with all, and would open silo-01's with them if seeds did not name their pair.
    """
    federation, vectors = MaskedFederation(5), random_vectors(5, 4)
    copied = int.from_bytes(federation.offers["silo-01"].advert.exchange_key, "little")
    key = OTHER_SPELLINGS[spelling](copied).to_bytes(32, "little")
    advert = KeyAdvert(RUN, "silo-04", 3, key, b"")
    signature = federation.identities["silo-04"].sign(advert.signed_bytes)
    federation.offers["silo-04"] = KeyOffer(dataclasses.replace(advert, signature=signature), bytes(32))
    federation.agree()
    for peer in (0, 2, 3):  # the attack's ground: both names stand for one secret
        keys = federation.state(f"silo-{peer:02d}").pair_keys
        assert keys[1] == keys[4]

    request = federation.request()
    coordinator = Coalition(federation, request)
    updates = {
        name: federation.mask(name, request, vectors[k]) for k, name in enumerate(federation.names[:4])
    }
    for name, update in updates.items():
        coordinator.hear_update(update)
        alive, boxes = tuple(updates), tuple(updates[peer].boxes[federation.slot(name)] for peer in updates)
        unmask = UnmaskRequest(name, request.digest, alive, ("silo-04",), boxes)
        coordinator.hear_reply(federation.answer(unmask), unmask)
    assert coordinator.opened_sums() == {frozenset(range(4)): plain_sum(vectors[:4])}

    rest, unknown = coordinator.stripped(1)
    assert unknown == {0, 2, 3}
    opened = {peer: coordinator.seed(peer, 4) or b"" for peer in unknown}
    masking.apply_masks(rest, add=[opened[0]], subtract=[opened[2], opened[3]])
    assert not set(rest.tolist()) & set(vectors[1].tolist())


def test_a_key_offer_that_was_used_up_cannot_restart_the_run(five):
    """Joining twice would forget which rounds were masked; the state takes the offer's place in storage."""
    with pytest.raises(MaskStateDamaged, match="not a key-offer"):
        KeyOffer.from_bytes(five.stored[VICTIM])


# --- message 1 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 4, 5])
def test_a_replayed_or_earlier_round_is_refused(five, number):
    vector = random_vectors(1, 4)[0]
    five.mask(VICTIM, five.request(5), vector)
    before = five.stored[VICTIM]
    for model in (five.request(number).model_digest, OTHER_MODEL):
        with pytest.raises(RoundRefused, match=f"round {number} came again or late, after round 5"):
            five.mask(VICTIM, five.request(number, model=model), vector)
    assert five.stored[VICTIM] == before
    five.mask(VICTIM, five.request(6), vector)


def test_a_round_stays_masked_once_after_it_was_unmasked(five):
    requests = masked_round(five, 3)
    five.answer(requests[VICTIM])
    with pytest.raises(RoundRefused):
        five.mask(VICTIM, five.request(3), random_vectors(1, 4)[0])


@pytest.mark.parametrize("change", [{"run_id": "run-2"}, {"roster_digest": bytes(32)}])
def test_a_round_of_another_run_or_roster_is_refused(five, change):
    request = dataclasses.replace(five.request(), **change)
    with pytest.raises(RoundRefused, match="not of the run and roster"):
        mask_update(five.state(VICTIM), request, random_vectors(1, 4)[0])


@pytest.mark.parametrize(
    "vector",
    [np.zeros(3, np.uint64), np.zeros((1, 4), np.uint64), np.zeros(4), np.zeros(4, np.int64)],
)
def test_a_vector_of_another_shape_or_type_than_agreed_is_not_masked(five, vector):
    with pytest.raises(InvalidSetting, match=r"the round asks for uint64\[4\]"):
        mask_update(five.state(VICTIM), five.request(), vector)


@pytest.mark.parametrize(
    "change",
    [{"round": 0}, {"round": 2**32}, {"length": 0}, {"fraction_bits": 64}, {"model_digest": b"x"}],
)
def test_a_request_outside_the_protocol_cannot_be_made(five, change):
    with pytest.raises(InvalidSetting):
        dataclasses.replace(five.request(), **change)


# --- message 2 -----------------------------------------------------------------------------------------


def test_a_second_unmasking_of_a_round_is_refused(five):
    requests = masked_round(five)
    five.answer(requests[VICTIM])
    before = five.stored[VICTIM]
    with pytest.raises(UnmaskRefused, match="unmasked before, or never masked"):
        five.answer(requests[VICTIM])
    assert five.stored[VICTIM] == before


def test_a_second_unmasking_with_another_alive_set_is_refused(five):
    """The classic attack: first all alive (opens b_i), then i dropped (opens s_ij); together they bare i."""
    everyone = masked_round(five)[VICTIM]
    five.answer(everyone)
    without_last = dataclasses.replace(
        everyone, alive=everyone.alive[:-1], dropped=everyone.alive[-1:], boxes=everyone.boxes[:-1]
    )
    with pytest.raises(UnmaskRefused):
        five.answer(without_last)


def test_a_silo_both_alive_and_dropped_is_called_that(five):
    honest = masked_round(five)[VICTIM]
    with pytest.raises(UnmaskRefused, match="called both alive and dropped; no share left silo-00"):
        five.answer(dataclasses.replace(honest, dropped=honest.alive[-1:]))


def test_unmasking_before_masking_is_refused(five):
    request = masked_round(MaskedFederation(5))[VICTIM]
    with pytest.raises(UnmaskRefused, match="never masked"):
        five.answer(request)


REQUEST_ATTACKS = {
    "both alive and dropped": lambda r: {"dropped": r.alive[-1:]},
    "alive twice": lambda r: {"alive": (*r.alive[:-1], r.alive[-2])},
    "forgotten": lambda r: {"alive": r.alive[:-1], "boxes": r.boxes[:-1]},
    "invented": lambda r: {"dropped": ("silo-99",)},
    "out of order": lambda r: {"alive": (r.alive[1], r.alive[0], *r.alive[2:])},
    "itself dropped": lambda r: {"alive": r.alive[1:], "dropped": r.alive[:1], "boxes": r.boxes[1:]},
    "below the threshold": lambda r: {"alive": r.alive[:3], "dropped": r.alive[3:], "boxes": r.boxes[:3]},
    "a box missing": lambda r: {"boxes": r.boxes[:-1]},
    "another round": lambda r: {"context": bytes(32)},
    "another silo's request": lambda r: {"silo": "silo-01"},
}


@pytest.mark.parametrize("attack", REQUEST_ATTACKS)
def test_a_request_that_is_no_clear_partition_of_the_roster_is_refused(five, attack):
    honest = masked_round(five)[VICTIM]
    before = five.stored[VICTIM]
    with pytest.raises(UnmaskRefused) as refused:
        answer_unmask(five.state(VICTIM), dataclasses.replace(honest, **REQUEST_ATTACKS[attack](honest)))
    assert refused.value.hint
    assert five.stored[VICTIM] == before
    five.answer(honest)  # the refusal cost nothing: the honest request is still answered


@pytest.mark.parametrize("careful", [VICTIM, "silo-03"])
def test_a_sum_smaller_than_any_silo_asks_for_is_refused_by_every_silo(careful):
    """One of five signed that it wants all five; the threshold alone would let its peers open four."""
    federation = MaskedFederation(5, min_silos={careful: 5})
    honest = masked_round(federation)[VICTIM]
    smaller = dataclasses.replace(
        honest, alive=honest.alive[:4], dropped=honest.alive[4:], boxes=honest.boxes[:4]
    )
    with pytest.raises(UnmaskRefused, match="than a silo asks for"):
        federation.answer(smaller)


def test_an_honest_coordinator_does_not_ask_for_a_smaller_sum_than_promised():
    federation = MaskedFederation(5, min_silos={"silo-03": 5})
    current = federation.collect(federation.request(), random_vectors(5, 4), absent=["silo-04"])
    with pytest.raises(TooFewSilos, match="4 of 5 silos sent an update, 5 are needed"):
        current.unmask_requests()


@pytest.mark.parametrize("position", [0, 12, 50, -1])
def test_a_flipped_bit_in_a_share_is_refused_and_the_sender_named(five, position):
    honest = masked_round(five)[VICTIM]
    box = bytearray(honest.boxes[2])
    box[position] ^= 1
    tampered = dataclasses.replace(honest, boxes=(*honest.boxes[:2], bytes(box), *honest.boxes[3:]))
    before = five.stored[VICTIM]
    with pytest.raises(ShareRejected) as refused:
        five.answer(tampered)
    assert refused.value.silos == ("silo-02",)
    assert five.stored[VICTIM] == before


@pytest.mark.parametrize("box", [b"", b"short", bytes(40)])
def test_a_box_that_is_none_is_refused(five, box):
    honest = masked_round(five)[VICTIM]
    with pytest.raises(ShareRejected):
        five.answer(dataclasses.replace(honest, boxes=(*honest.boxes[:4], box)))


def test_a_silo_cannot_be_framed_with_sealed_shares_of_the_wrong_length(five):
    """The sender knows the key; short shares would make the victim's own reply look malformed."""
    honest, sender = masked_round(five)[VICTIM], five.state("silo-02")
    key = masking.share_key(sender.pair_keys[0], honest.context, sender=2, recipient=0)
    header = masking.share_header(honest.context, sender=2, recipient=0)
    sealed = bytes(12) + AESGCM(key).encrypt(bytes(12), bytes(33 * 4), header)
    with pytest.raises(ShareRejected, match="silo-02"):
        five.answer(dataclasses.replace(honest, boxes=(*honest.boxes[:2], sealed, *honest.boxes[3:])))


def test_shares_of_an_earlier_round_cannot_be_replayed(five):
    old = masked_round(five, 1)[VICTIM]
    new = masked_round(five, 2)[VICTIM]
    mixed = dataclasses.replace(new, boxes=(*new.boxes[:3], old.boxes[3], new.boxes[4]))
    with pytest.raises(ShareRejected, match="silo-03"):
        five.answer(mixed)
    with pytest.raises(UnmaskRefused, match="another round"):
        five.answer(old)


def test_a_box_for_another_recipient_or_direction_does_not_open(five):
    requests = masked_round(five)
    honest, other = requests[VICTIM], requests["silo-01"]
    for stolen in (other.boxes[3], requests["silo-03"].boxes[0]):
        with pytest.raises(ShareRejected):
            five.answer(dataclasses.replace(honest, boxes=(*honest.boxes[:3], stolen, honest.boxes[4])))


def test_a_silo_shown_another_model_is_not_unmasked_by_its_peers(five):
    """Equivocation: the victim trains on a model of the coordinator's choice, the rest on the agreed one."""
    vectors = random_vectors(5, 4)
    agreed, special = five.request(1), five.request(1, model=OTHER_MODEL)
    current = five.collect(agreed, vectors, absent=[VICTIM])
    forged = dataclasses.replace(five.mask(VICTIM, special, vectors[0]), context=agreed.digest)
    current.accept_update(forged)  # an honest coordinator would refuse it by its context
    with pytest.raises(MasksDisagree) as noticed:
        current.unmask_requests()
    assert noticed.value.silos == (VICTIM,)
    peer = five.names[1]
    boxes = (forged.boxes[1], *(b"" if name == peer else bytes(300) for name in five.names[1:]))
    honest_view = dataclasses.replace(
        masked_round(MaskedFederation(5))[peer], context=agreed.digest, boxes=boxes
    )
    with pytest.raises(ShareRejected, match=VICTIM):
        five.answer(honest_view)


def test_an_update_that_disagrees_can_be_excluded_and_the_rest_summed_exactly(five):
    vectors = random_vectors(5, 4)
    agreed = five.request(1)
    current = five.collect(agreed, vectors, absent=[VICTIM])
    odd = five.mask(VICTIM, five.request(1, model=OTHER_MODEL), vectors[0])
    current.accept_update(dataclasses.replace(odd, context=agreed.digest))
    with pytest.raises(MasksDisagree) as noticed:
        current.unmask_requests()
    current.exclude(noticed.value.silos[0])
    assert five.unmask(current).total.tolist() == plain_sum(vectors[1:])


def test_silos_with_different_rosters_share_no_round(five):
    """The coordinator hides silo-04 from the victim; both rosters are properly signed."""
    smaller = KeyRoster(RUN, smallest_threshold(4), five.roster.adverts[:4])
    state = join_as_victim(five, smaller)
    with pytest.raises(RoundRefused):
        mask_update(state, five.request(), random_vectors(1, 4)[0])
    own_view = dataclasses.replace(five.request(), roster_digest=smaller.digest)
    mine = mask_update(state, own_view, random_vectors(1, 4)[0]).message
    peer = five.mask("silo-01", five.request(), random_vectors(1, 4)[0])
    assert mine.commitments[32:64] != peer.commitments[:32]  # their masks would not cancel


def test_a_lower_threshold_for_one_silo_is_noticed_at_the_first_round():
    """Both thresholds are allowed; a silo told four shares nothing with silos told five."""
    federation = MaskedFederation(5, threshold=5)
    state = join_as_victim(federation, KeyRoster(RUN, 4, federation.roster.adverts))
    with pytest.raises(RoundRefused):
        mask_update(state, federation.request(), random_vectors(1, 4)[0])


@pytest.mark.parametrize("told_the_truth", [1, 2, 3, 4, 5])
def test_different_alive_sets_told_to_different_silos_never_open_two_sums(five, told_the_truth):
    """Equivocation in message 2: some silos hear that all are alive, the others that the victim is not.

    Each answers once, so at most one of the two sums reaches four of five replies.
    """
    request, vectors = five.request(), random_vectors(5, 4)
    whole, without = MaskedRound(five.roster, request), MaskedRound(five.roster, request)
    for name, vector in zip(five.names, vectors, strict=True):
        update = five.mask(name, request, vector)
        whole.accept_update(update)
        if name != VICTIM:
            without.accept_update(update)
    told_whole = {unmask.silo: unmask for unmask in whole.unmask_requests()}
    told_without = {unmask.silo: unmask for unmask in without.unmask_requests()}
    for name in five.names[:told_the_truth]:
        whole.accept_reply(five.answer(told_whole[name]))
    for name in five.names[told_the_truth:]:
        without.accept_reply(five.answer(told_without[name]))
    outcomes = []
    for view in (whole, without):
        try:
            outcomes.append(len(view.finish().silos))
        except TooFewSilos:
            outcomes.append(0)
    assert outcomes == {1: [0, 4], 2: [0, 0], 3: [0, 0], 4: [5, 0], 5: [5, 0]}[told_the_truth]


def test_a_silo_that_lies_about_its_seeds_cannot_corrupt_the_sum_unseen(five):
    """Its hash of b_i belongs to another seed than its shares: no reply can satisfy it."""
    vectors = random_vectors(5, 4)
    request = five.request()
    current = five.collect(request, vectors, absent=[VICTIM])
    update = five.mask(VICTIM, request, vectors[0])
    current.accept_update(dataclasses.replace(update, commitments=bytes(32) + update.commitments[32:]))
    with pytest.raises(ReconstructionFailed):
        five.unmask(current)


def test_the_seeds_of_one_round_open_no_other_round(five):
    """A dropout reveals s_ij of its round; the pair's masks of the next round stay unknown."""
    first = five.collect(five.request(1), random_vectors(5, 4), absent=["silo-04"])
    five.unmask(first)
    before = five.mask(VICTIM, five.request(2), np.zeros(4, np.uint64))
    after = five.mask(VICTIM, five.request(3), np.zeros(4, np.uint64))
    assert not set(before.masked.tolist()) & set(after.masked.tolist())
    hashes = [update.commitments[k : k + 32] for update in (before, after) for k in range(0, 160, 32)]
    assert len(set(hashes)) == 10
