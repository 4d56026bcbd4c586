"""A coordinator that deviates, alone or with silos on its side: each attack must fail.

It may multiply, raise and divide ciphertexts as it likes, show others other rosters, and ask again.
"""

from dataclasses import replace

import numpy as np
import pytest

from privacy.errors import OpeningRefused, RosterRefused, UntrustedPeer
from privacy.identity import SiloIdentity
from privacy.masks.key_agreement import build_roster, offer_key
from privacy.masks.mask_state import KeyOffer
from privacy.paillier.aggregation import HOLDER, HeldRoster
from privacy.paillier.blinding import blinding_key, blindings
from privacy.paillier.encrypted_sum import read_ciphertexts
from privacy.paillier.key_holder import offer_holder_keys
from privacy.paillier.keys import HolderKey, ciphertext_bytes, encrypt, multiply
from privacy.paillier.packing import Packing
from privacy.paillier.silo import PaillierState, join_held_roster
from tests.privacy.masks.masked_federation import MODEL, OTHER_MODEL, RUN
from tests.privacy.paillier.paillier_federation import (
    WEAK,
    PaillierFederation,
    integers,
    plain_sum,
    small_vectors,
    weak_key,
)

N = weak_key().modulus
NOT_THAT_SUM = "do not hold the sum of the named silos"


@pytest.fixture
def federation(tmp_path):
    return PaillierFederation(tmp_path / "holder")


@pytest.fixture
def round_one(federation):
    """The request, every silo's ciphertexts and an honest question about all five."""
    request = federation.round()
    updates = federation.updates(request, small_vectors(5))
    return updates, federation.asked(request, updates.values())


def numbers(updates, *names):
    return [read_ciphertexts(updates[name].ciphertexts, N) for name in names]


def product(*factors):
    """Ciphertext by ciphertext."""
    found = [1] * len(factors[0])
    for factor in factors:
        found = [multiply(N, one, other) for one, other in zip(found, factor, strict=True)]
    return found


def power(factors, exponent):
    return [pow(number, exponent, N * N) for number in factors]


def packed(ciphertexts):
    return b"".join(number.to_bytes(ciphertext_bytes(N), "big") for number in ciphertexts)


def assert_refused(federation, asked, match=NOT_THAT_SUM):
    with pytest.raises(OpeningRefused, match=match):
        federation.home.open(asked)


def test_a_single_silo_is_not_opened_under_its_own_name(federation, round_one):
    updates, asked = round_one
    alone = replace(asked, silos=("silo-02",), ciphertexts=updates["silo-02"].ciphertexts)

    assert_refused(federation, alone, "1 silos are in the sum, 4 are needed")


def test_a_single_silo_is_not_opened_under_many_names(federation, round_one):
    updates, asked = round_one

    assert_refused(federation, replace(asked, ciphertexts=updates["silo-02"].ciphertexts))


def test_a_silo_repeated_under_its_name_does_not_make_a_sum(federation, round_one):
    _, asked = round_one

    assert_refused(federation, replace(asked, silos=("silo-02",) * 5), "each once")


def test_invented_silos_do_not_fill_up_a_sum(federation, round_one):
    _, asked = round_one

    assert_refused(federation, replace(asked, silos=("a", "b", "c", "silo-02")), "silos of the roster")


def test_zeros_encrypted_by_the_coordinator_do_not_stand_in_for_silos(federation, round_one):
    """Anybody can encrypt under the public modulus: the rest of the sum made of packed zeros."""
    updates, asked = round_one
    packing = federation.round().packing(silos=5, modulus=N)
    zeros = [encrypt(N, plaintext) for plaintext in packing.pack(integers([0] * 4))]
    (target,) = numbers(updates, "silo-02")

    assert_refused(federation, replace(asked, ciphertexts=packed(product(target, *[zeros] * 4))))


def test_a_named_silo_left_out_is_noticed(federation, round_one):
    updates, asked = round_one
    rest = product(*numbers(updates, "silo-00", "silo-01", "silo-02", "silo-03"))

    assert_refused(federation, replace(asked, ciphertexts=packed(rest)))


def test_a_silo_in_the_sum_that_is_not_named_is_noticed(federation, round_one):
    _, asked = round_one

    assert_refused(federation, replace(asked, silos=asked.silos[:4]))


@pytest.mark.parametrize("exponent", [2, -1, 0, 1000, N - 1])
def test_a_silo_doubled_negated_dropped_or_scaled_is_noticed(federation, round_one, exponent):
    updates, asked = round_one
    first, *others = numbers(updates, *federation.names)

    assert_refused(federation, replace(asked, ciphertexts=packed(product(power(first, exponent), *others))))


@pytest.mark.parametrize("slots", [1, 2])
def test_dividing_by_a_slots_width_does_not_push_a_secret_into_a_known_place(federation, slots):
    """Where the lowest slot's value is known, the product with c^(1/2^bits) holds v_j + v_(j+1) of one silo.

    Against a tag in a slot of its own this works: tag and sum move by too little to be seen.
    """
    request, vectors = federation.round(length=4), small_vectors(5)
    vectors[:, :slots] = 0
    updates = federation.updates(request, vectors)
    packing = request.packing(silos=5, modulus=N)
    shift = packing.slot_bits * slots
    known = sum(packing.largest << (packing.slot_bits * k) for k in range(slots))
    (target,) = numbers(updates, "silo-02")
    rest_of_target = multiply(N, target[0], encrypt(N, N - known))  # the known slots taken off
    moved = pow(rest_of_target, pow(2, -shift, N), N * N)
    everyone = product(*numbers(updates, *federation.names))
    asked = federation.asked(request, updates.values())

    assert_refused(federation, replace(asked, ciphertexts=packed(product(everyone, [moved]))))


def test_the_division_would_work_if_nothing_were_blinded():
    """The same attack on bare packed plaintexts, so that the test above is known to test something."""
    key, modulus = weak_key(), N
    packing = Packing(silos=4, largest=1000, modulus_bits=N.bit_length())
    vectors = [[0, 5, -7], [0, 1, 1], [0, 2, 2]]
    bare = [encrypt(modulus, packing.pack(integers(v))[0]) for v in vectors]
    moved = pow(
        multiply(modulus, bare[0], encrypt(modulus, modulus - packing.largest)),
        pow(2, -packing.slot_bits, modulus),
        modulus * modulus,
    )
    total = key.decrypt(multiply(modulus, product(*[[c] for c in bare])[0], moved))
    lowest = total % 2**packing.slot_bits

    assert lowest - 3 * packing.largest == 5 + packing.largest  # silo 0's second value, laid bare


def test_ciphertexts_of_another_round_do_not_fit_in(federation, round_one):
    old, _ = round_one
    request = federation.round(2)
    updates = federation.updates(request, small_vectors(5))
    asked = federation.asked(request, updates.values())
    mixed = product(*numbers(old, "silo-00"), *numbers(updates, *federation.names[1:]))

    assert_refused(federation, replace(asked, ciphertexts=packed(mixed)))


def test_a_whole_earlier_round_cannot_be_opened_under_a_new_number(federation, round_one):
    _, asked = round_one

    assert_refused(federation, replace(asked, round=2))


def test_ciphertexts_for_one_question_do_not_answer_another(federation, round_one):
    _, asked = round_one

    assert_refused(federation, replace(asked, question=OTHER_MODEL))


def test_another_bound_or_length_does_not_read_the_slots_differently(federation, round_one):
    _, asked = round_one
    assert_refused(federation, replace(asked, largest=10))
    assert_refused(federation, replace(asked, round=2, length=3))


def test_a_second_subset_of_an_opened_round_gets_the_first_answer(federation, round_one):
    """Their difference would be one silo's vector."""
    updates, asked = round_one
    first = federation.home.open(asked)
    fewer = federation.asked(federation.round(), [updates[name] for name in federation.names[:4]])

    assert federation.home.open(fewer) == first


def test_a_second_subset_is_not_opened_in_a_resumed_run_either(federation, round_one):
    _, asked = round_one
    first = federation.home.open(asked)
    federation.meet(left_out=["silo-04"])
    request = federation.round()
    again = federation.asked(request, federation.updates(request, small_vectors(5)).values())

    assert again.silos == ("silo-00", "silo-01", "silo-02", "silo-03")
    assert federation.home.open(again) == first


def test_another_question_under_an_answered_number_is_refused(federation, round_one):
    _, asked = round_one
    federation.home.open(asked)
    federation.meet()
    request = federation.round(question=OTHER_MODEL)
    other = federation.asked(request, federation.updates(request, small_vectors(5)).values())

    assert_refused(federation, other, "sum 1 of this run was another one")


def test_a_refused_sum_stays_refused_however_it_is_asked_again(federation, round_one):
    """A silo on the coordinator's side could otherwise move a sum to the edge, again and again, and measure it."""
    _, asked = round_one
    assert_refused(federation, replace(asked, silos=asked.silos[:4]))

    assert_refused(federation, asked)


def test_a_passed_over_round_stays_closed(federation, round_one):
    _, asked = round_one
    request = federation.round(2)
    federation.home.open(federation.asked(request, federation.updates(request, small_vectors(5)).values()))

    assert_refused(federation, asked, "a later sum of this run was opened")


def test_a_key_holder_of_the_coordinators_making_is_refused(federation):
    """The coordinator makes a key holder of its own, to open everything itself."""
    own = SiloIdentity.generate(HOLDER)
    fake = offer_holder_keys(own, weak_key(), RUN).advert
    with pytest.raises(UntrustedPeer, match="key-holder"):
        join_held_roster(
            federation.offers["silo-00"], HeldRoster(federation.roster, fake), federation.peers, rule=WEAK
        )


def test_a_swapped_modulus_breaks_the_key_holders_signature(federation):
    modulus = HolderKey.generate(WEAK, min_silos=3).modulus.to_bytes(64, "big")
    for change in ({"modulus": modulus}, {"exchange_key": b"\x09" + bytes(31)}, {"min_silos": 4}):
        fake = replace(federation.held.holder, **change)
        with pytest.raises(UntrustedPeer, match="not signed by the key pinned"):
            join_held_roster(
                federation.offers["silo-00"], HeldRoster(federation.roster, fake), federation.peers, rule=WEAK
            )


def test_a_key_holders_advert_of_another_run_is_refused(federation):
    other = offer_holder_keys(federation.home.identity, weak_key(), "run-2").advert
    with pytest.raises(RosterRefused, match="of another run"):
        HeldRoster(federation.roster, other)


def test_an_older_advert_of_the_key_holder_opens_nothing(federation):
    """Silos are shown the advert of before the run was resumed, the key holder has made a new one."""
    older = federation.held.holder
    federation.meet()
    federation.held = HeldRoster(federation.roster, older)
    federation.stored = {name: federation.join(offer).to_bytes() for name, offer in federation.offers.items()}
    request = federation.round()
    asked = federation.asked(request, federation.updates(request, small_vectors(5)).values())

    assert_refused(federation, asked, "not of the run and roster that the key holder joined")


def test_silos_invented_for_the_roster_are_refused_by_silos_and_key_holder(federation):
    friends = [offer_key(SiloIdentity.generate(f"friend-{k}"), RUN).advert for k in range(4)]
    own = federation.offers["silo-00"]
    roster = build_roster([own.advert, *friends])
    federation.home.offer(RUN)
    with pytest.raises(UntrustedPeer, match="no key is pinned for friend-0"):
        federation.home.start(roster)
    with pytest.raises(UntrustedPeer, match="no key is pinned for friend-0"):
        join_held_roster(own, HeldRoster(roster, federation.held.holder), federation.peers, rule=WEAK)


def test_a_lowered_threshold_is_refused_by_the_key_holder(federation):
    roster = build_roster([offer.advert for offer in federation.offers.values()], threshold=3)
    federation.home.offer(RUN)
    with pytest.raises(RosterRefused, match="not above two thirds"):
        federation.home.start(roster)


def test_a_silo_that_was_shown_another_roster_spoils_the_sum_instead_of_standing_alone_in_it(federation):
    """Equivocation: one silo agrees with the key holder on a roster that the others do not share."""
    others = build_roster([federation.offers[name].advert for name in federation.names[:4]])
    shown = HeldRoster(others, federation.held.holder)
    state = join_held_roster(federation.offers["silo-00"], shown, federation.peers, rule=WEAK)
    federation.stored["silo-00"] = state.to_bytes()
    vectors, request = small_vectors(5), federation.round()
    strange = federation.encrypt("silo-00", replace(request, roster_digest=shown.digest), vectors[0])
    updates = {
        name: federation.encrypt(name, request, vectors[k]) for k, name in enumerate(federation.names) if k
    }
    updates["silo-00"] = replace(strange, context=request.digest)

    assert_refused(federation, federation.asked(request, updates.values()))


def test_another_spelling_of_a_peers_exchange_key_does_not_share_its_blinding(federation):
    """X25519 ignores the top bit: a silo offering such a key would have, unknowingly, its peer's secret."""
    victim = federation.offers["silo-00"].advert
    twin = bytearray(victim.exchange_key)
    twin[31] ^= 0x80
    shared = PaillierState.from_bytes(federation.stored["silo-00"]).holder_key
    context = federation.round().digest

    assert bytes(twin) != victim.exchange_key
    assert blinding_key(shared, context, "silo-00") != blinding_key(shared, context, "silo-01")


def test_every_other_input_with_the_same_sum_explains_all_that_coordinator_and_colluding_silos_see(
    federation,
):
    """Perfect secrecy, spelt out. Two of five silos collude, and let every ciphertext be decrypted.

    For other vectors of the three honest silos with the same sum there are blindings, as likely as the true ones,
    under which each decrypted contribution and the key holder's answer are what they were.
    """
    request, vectors = federation.round(), small_vectors(5, largest=500)
    packing = request.packing(silos=5, modulus=N)
    keys = [PaillierState.from_bytes(federation.stored[name]).holder_key for name in federation.names[:3]]
    true = [packing.pack(vector)[0] for vector in vectors[:3]]
    z = [
        blindings(blinding_key(key, request.digest, name), N, 1)[0]
        for key, name in zip(keys, federation.names, strict=False)
    ]
    seen = [(m + blinding) % N for m, blinding in zip(true, z, strict=True)]
    vectors[0] += np.uint64(400)
    vectors[1] -= np.uint64(400)
    other = [packing.pack(vector)[0] for vector in vectors[:3]]
    explained = [(y - m) % N for y, m in zip(seen, other, strict=True)]

    assert other != true
    assert sum(other) == sum(true)
    assert sum(explained) % N == sum(z) % N  # so that the key holder's answer is the same as well


def test_decrypted_contributions_are_uniform_whatever_they_hold():
    """Chi-square over 8 bins of 200 lowest vectors: 7 degrees of freedom, below 24.3 with probability 0.999."""
    modulus = 2**511 + 111
    (plaintext,) = Packing(silos=3, largest=1000, modulus_bits=512).pack(integers([-1000] * 4))
    counts = [0] * 8
    for number in range(200):
        (z,) = blindings(blinding_key(b"k" * 32, number.to_bytes(32, "big"), "silo-00"), modulus, 1)
        counts[8 * ((plaintext + z) % modulus) // modulus] += 1

    assert sum((count - 25) ** 2 / 25 for count in counts) < 24.3


def test_a_malformed_ciphertext_does_not_reach_the_private_key(federation, round_one):
    """Zero, or a multiple of a prime factor, would make the decryption speak about the factors."""
    _, asked = round_one
    for place, number in enumerate((0, weak_key().p, N, N * N), start=1):
        bad = replace(asked, round=place, ciphertexts=packed([number % 2 ** (8 * ciphertext_bytes(N))]))
        assert_refused(federation, bad)


def test_a_lost_answer_is_given_again_to_the_same_question(federation, round_one):
    vectors, (_, asked) = small_vectors(5), round_one
    first = federation.home.open(asked)
    federation.meet()
    request = federation.round(question=MODEL)
    again = federation.asked(request, federation.updates(request, vectors).values())

    assert federation.home.open(again) == first
    assert federation.total(request, again) == plain_sum(vectors)


def test_a_stolen_offer_does_not_join_twice(federation):
    """The coordinator hands a silo its own advert under another silo's name."""
    own = federation.offers["silo-00"]
    renamed = replace(own.advert, silo="silo-01")
    others = [offer.advert for name, offer in federation.offers.items() if name != "silo-01"]
    roster = build_roster([*others, renamed])
    with pytest.raises(RosterRefused, match="one exchange key stands under two names"):
        join_held_roster(
            KeyOffer(own.advert, own.private_key),
            HeldRoster(roster, federation.held.holder),
            federation.peers,
            rule=WEAK,
        )
