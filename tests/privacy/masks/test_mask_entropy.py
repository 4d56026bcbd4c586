"""Mask seeds carry all of their 256 bits: none is constant, none follows from others, none is left unused."""

import hashlib
import secrets
from collections.abc import Iterable

import numpy as np
import pytest
from numpy.typing import NDArray

from privacy.masks import masking
from privacy.masks.key_agreement import offer_key
from privacy.masks.mask_silo import mask_update
from tests.privacy.masks.coalition import Coalition, told
from tests.privacy.masks.masked_federation import RUN, ChosenBytes, MaskedFederation, random_vectors
from tests.privacy.masks.test_masking import CONTEXT

ROUNDS = 100


def test_every_one_of_256_seed_bits_changes_the_mask():
    """A seed folded to 32 bits would leave most of these 257 masks equal."""
    seed = int.from_bytes(hashlib.sha256(b"entropy").digest(), "big")
    variants = [seed, *(seed ^ (1 << bit) for bit in range(256))]
    masks = {masking.keystream(value.to_bytes(32, "big"), 4).tobytes() for value in variants}
    assert len(masks) == 257


def test_every_bit_of_the_pair_key_and_of_the_context_changes_the_seed():
    key, context = int.from_bytes(b"\x5a" * 32, "big"), int.from_bytes(CONTEXT, "big")
    flips = [0, *(1 << bit for bit in range(256))]
    seeds = {masking.pair_seed((key ^ flip).to_bytes(32, "big"), CONTEXT, 0, 1) for flip in flips}
    seeds |= {
        masking.pair_seed(key.to_bytes(32, "big"), (context ^ flip).to_bytes(32, "big"), 0, 1)
        for flip in flips
    }
    assert len(seeds) == 2 * 257 - 1  # the unchanged one is in both
    assert {len(seed) for seed in seeds} == {32}


def test_no_secret_of_a_run_is_ever_used_twice():
    """Seeds and share keys of all pairs, directions and 20 rounds are distinct."""
    federation = MaskedFederation(4)
    seeds, share_keys = set(), set()
    for number in range(1, 21):
        context = federation.request(number).digest
        for slot, name in enumerate(federation.names):
            for peer, key in enumerate(federation.state(name).pair_keys):
                if peer != slot:
                    seeds.add(masking.pair_seed(key, context, slot, peer))
                    share_keys.add(masking.share_key(key, context, sender=slot, recipient=peer))
    assert len(seeds) == 20 * 6  # a pair shares its seed
    assert len(share_keys) == 20 * 12  # both directions
    assert not seeds & share_keys


def bits_of(seeds: Iterable[bytes]) -> NDArray[np.uint8]:
    """[seed, bit]"""
    rows = np.frombuffer(b"".join(seeds), np.uint8).reshape(-1, 32)
    return np.unpackbits(rows, axis=1)


def rank_over_gf2(rows: NDArray[np.uint8]) -> int:
    """Number of independent bit columns, by elimination; dependent ones would be a relation between bits."""
    remaining = [int.from_bytes(np.packbits(row).tobytes(), "big") for row in rows]
    rank = 0
    while remaining:
        pivot = remaining.pop()
        if pivot:
            rank += 1
            low = pivot & -pivot
            remaining = [row ^ pivot if row & low else row for row in remaining]
    return rank


def require_full_entropy(seeds: list[bytes]) -> None:
    """256 independent columns; each a fair coin within five standard deviations sqrt(N) / 2; no seed twice."""
    bits = bits_of(seeds)
    assert len(set(seeds)) == len(seeds)
    assert rank_over_gf2(bits) == 256
    assert np.abs(bits.sum(axis=0) - len(seeds) / 2).max() < 5 * np.sqrt(len(seeds)) / 2


@pytest.fixture(scope="module")
def opened() -> dict[str, list[bytes]]:
    """Every seed that the messages of many rounds open, rebuilt from shares: silo-03 drops out in each.

    So these are the seeds that masks were made of, not those that some function would return.
    """
    federation, vectors = MaskedFederation(4, seed="entropy"), random_vectors(4, 2)
    own, pairs = [], []
    for number in range(1, ROUNDS + 1):
        request = federation.request(number, length=2)
        coordinator = Coalition(federation, request)
        updates = {
            name: federation.mask(name, request, vector)
            for name, vector in zip(federation.names, vectors, strict=True)
        }
        for name in federation.names[:3]:
            unmask = told(updates, name, dropped=["silo-03"])
            coordinator.hear_update(updates[name])
            coordinator.hear_reply(federation.answer(unmask), unmask)
        own += [coordinator.seed(slot, slot) or b"" for slot in range(3)]
        pairs += [coordinator.seed(slot, 3) or b"" for slot in range(3)]
    return {"self seeds": own, "pair seeds": pairs}


@pytest.mark.parametrize("kind", ["self seeds", "pair seeds"])
def test_seeds_of_a_hundred_rounds_have_256_independent_balanced_bits(opened, kind):
    assert len(opened[kind]) == 3 * ROUNDS
    require_full_entropy(opened[kind])


def test_share_keys_of_a_hundred_rounds_do_too():
    federation = MaskedFederation(4, seed="share keys")
    key = federation.state("silo-00").pair_keys
    require_full_entropy(
        [
            masking.share_key(key[peer], federation.request(number).digest, sender=0, recipient=peer)
            for number in range(1, ROUNDS + 1)
            for peer in (1, 2, 3)
        ]
    )


def test_public_keys_of_many_offers_have_all_255_bits_a_point_can_have():
    """The top bit is always clear; private keys are 32 random bytes each."""
    identity, random = MaskedFederation(3).identities["silo-00"], ChosenBytes("offers")
    keys = [offer_key(identity, RUN, randbytes=random).advert.exchange_key for _ in range(400)]
    bits = bits_of(keys)
    assert random.calls == 400
    assert rank_over_gf2(bits) == 255
    assert not bits[:, 31 * 8].any()  # bits are unpacked from the highest of each byte


@pytest.mark.parametrize(
    "flaw",
    [
        lambda seed: seed[:4] + bytes(28),
        lambda seed: (int.from_bytes(seed, "big") & 0x0FFFFFFF).to_bytes(32, "big"),
        lambda seed: seed[:16] * 2,
        lambda seed: bytes([seed[0] & 0xFE]) + seed[1:],
    ],
    ids=["32 bits", "28 bits", "128 bits twice", "one constant bit"],
)
def test_the_check_notices_seeds_with_less(opened, flaw):
    with pytest.raises(AssertionError):
        require_full_entropy([flaw(seed) for seed in opened["pair seeds"]])


@pytest.mark.parametrize("first", range(29))
def test_a_keystream_is_not_decided_by_any_32_bits_of_its_seed(first):
    """Whatever four neighbouring bytes one keeps, clearing or changing the others changes the stream."""
    seed = bytes.fromhex("9f3c" * 16)
    window = slice(first, first + 4)
    others = [bytes(32), b"\xff" * 32, bytes(range(32))]
    kept = [other[: window.start] + seed[window] + other[window.stop :] for other in others]
    streams = {masking.keystream(each, 2).tobytes() for each in (seed, *kept)}
    assert len(streams) == 4


def test_few_bits_would_be_found_by_trying_and_256_are_not(monkeypatch):
    """Hashes of seeds are public, so a seed of 8 bits is found in 256 tries: then a vector lies bare."""

    def bared() -> bool:
        federation, vectors = MaskedFederation(3, seed="tries"), random_vectors(3, 4)
        request = federation.request()
        updates = {
            name: federation.mask(name, request, vector)
            for name, vector in zip(federation.names, vectors, strict=True)
        }
        coordinator = Coalition(federation, request)
        for name, update in updates.items():
            coordinator.hear_update(update)
            unmask = told(updates, name)
            coordinator.hear_reply(federation.answer(unmask), unmask)
        rest, unknown = coordinator.stripped(0)
        hashes = updates["silo-00"].commitments
        found = [
            guess
            for guess in (bytes([k]) + bytes(31) for k in range(256))
            for peer in sorted(unknown)
            if masking.seed_commitment(guess, request.digest, 0, peer) == hashes[32 * peer : 32 * peer + 32]
        ]
        masking.apply_masks(rest, add=[], subtract=found)
        return rest.tolist() == vectors[0].tolist()

    assert not bared()
    whole = masking.pair_seed
    monkeypatch.setattr(masking, "pair_seed", lambda *place: whole(*place)[:1] + bytes(31))
    assert bared()


def test_randomness_comes_from_the_operating_system_unless_a_test_says_otherwise():
    for drawn in (offer_key, mask_update):
        assert (drawn.__kwdefaults__ or {})["randbytes"] is secrets.token_bytes
