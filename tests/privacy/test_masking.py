"""Known answers: every derivation again, from `cryptography` and `hashlib` alone."""

import hashlib
import struct

import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from privacy import masking
from privacy.secure_aggregation import KeyAdvert, KeyRoster, MaskRequest, advert_bytes
from tests.privacy.masked_federation import MaskedFederation, random_vectors

CONTEXT = hashlib.sha256(b"some round").digest()


def encoded(*fields):
    """Length-prefixed fields, numbers as 8 big-endian bytes: the encoding as the documentation states it."""
    octets = [struct.pack(">Q", f) if isinstance(f, int) else f for f in fields]
    return b"".join(struct.pack(">I", len(part)) + part for part in octets)


def whole_hkdf(shared: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=b"mixroom/secagg/v1/pair", info=info).derive(shared)


def aes_counter_words(seed: bytes, length: int):
    stream = Cipher(algorithms.AES(seed), modes.CTR(bytes(16))).encryptor().update(bytes(8 * length))
    return list(struct.unpack(f"<{length}Q", stream))


@pytest.fixture(scope="module")
def two_keys():
    return X25519PrivateKey.from_private_bytes(b"\x11" * 32), X25519PrivateKey.from_private_bytes(
        b"\x22" * 32
    )


def test_pair_seeds_and_share_keys_are_hkdf_of_the_diffie_hellman_secret(two_keys):
    one, two = two_keys
    shared = one.exchange(two.public_key())
    for own, peer in ((one, two), (two, one)):
        key = masking.pair_key(own, peer.public_key().public_bytes_raw())
        expected = whole_hkdf(shared, b"mixroom/secagg/v1/pair-mask" + CONTEXT)
        assert masking.pair_seed(key, CONTEXT) == expected
        info = b"mixroom/secagg/v1/share" + CONTEXT + b"\x00\x03" + b"\x01\x00"
        assert masking.share_key(key, CONTEXT, sender=3, recipient=256) == whole_hkdf(shared, info)


@pytest.mark.parametrize("peer", [bytes(32), b"\x01" + bytes(31), b"short"])
def test_a_peer_key_that_would_fix_the_secret_is_an_error(peer):
    """0 and 1 are points of low order: the secret would be zero whatever the own key."""
    with pytest.raises(ValueError, match=r".+"):
        masking.pair_key(X25519PrivateKey.generate(), peer)


def test_a_seed_commitment_is_the_hash_of_its_place_and_seed():
    seed = b"\x07" * 32
    expected = hashlib.sha256(
        b"mixroom/secagg/v1/seed-commitment" + CONTEXT + b"\x00\x02" + b"\x00\x05" + seed
    ).digest()
    assert masking.seed_commitment(seed, CONTEXT, 5, 2) == expected
    assert masking.seed_commitment(seed, CONTEXT, 2, 5) == expected


def test_the_keystream_is_aes_256_in_counter_mode_read_little_endian():
    """AES-256 of the zero block under the zero key: hash key H of test case 13 in the GCM specification."""
    published = bytes.fromhex("dc95c078a2408989ad48a21492842087")
    assert masking.keystream(bytes(32), 2).tolist() == list(struct.unpack("<2Q", published))
    seed = hashlib.sha256(b"seed").digest()
    for length in (1, 3, 1000):
        assert masking.keystream(seed, length).tolist() == aes_counter_words(seed, length)


def test_long_keystreams_do_not_depend_on_the_chunks_they_are_made_in():
    seed, length = hashlib.sha256(b"long").digest(), 2 * masking.CHUNK_VALUES + 7
    assert masking.keystream(seed, length).tolist() == aes_counter_words(seed, length)


def test_what_is_added_and_subtracted_cancels():
    vector = random_vectors(1, 100)[0]
    masked = vector.copy()
    masking.apply_masks(masked, add=[b"\x01" * 32, b"\x02" * 32], subtract=[b"\x03" * 32])
    assert not np.array_equal(masked, vector)
    masking.apply_masks(masked, add=[b"\x03" * 32], subtract=[b"\x02" * 32, b"\x01" * 32])
    assert np.array_equal(masked, vector)


def test_every_one_of_256_seed_bits_changes_the_mask():
    """A seed folded to 32 bits would leave most of these 257 masks equal."""
    seed = int.from_bytes(hashlib.sha256(b"entropy").digest(), "big")
    variants = [seed, *(seed ^ (1 << bit) for bit in range(256))]
    masks = {masking.keystream(value.to_bytes(32, "big"), 4).tobytes() for value in variants}
    assert len(masks) == 257


def test_every_bit_of_the_pair_key_and_of_the_context_changes_the_seed():
    key, context = int.from_bytes(b"\x5a" * 32, "big"), int.from_bytes(CONTEXT, "big")
    flips = [0, *(1 << bit for bit in range(256))]
    seeds = {masking.pair_seed((key ^ flip).to_bytes(32, "big"), CONTEXT) for flip in flips}
    seeds |= {
        masking.pair_seed(key.to_bytes(32, "big"), (context ^ flip).to_bytes(32, "big")) for flip in flips
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
                    seeds.add(masking.pair_seed(key, context))
                    share_keys.add(masking.share_key(key, context, sender=slot, recipient=peer))
    assert len(seeds) == 20 * 6  # a pair shares its seed
    assert len(share_keys) == 20 * 12  # both directions
    assert not seeds & share_keys


def test_an_advert_signs_run_name_minimum_and_key():
    expected = encoded(b"mixroom/secagg/v1/key-advert", b"run", "süd".encode(), 3, b"k" * 32)
    assert advert_bytes("run", "süd", 3, b"k" * 32) == expected
    assert KeyAdvert("run", "süd", 3, b"k" * 32, b"").signed_bytes == expected


def test_the_roster_digest_covers_run_threshold_and_every_signed_advert():
    adverts = tuple(
        KeyAdvert("run", name, 3, name.encode() * 32, b"signed " + name.encode()) for name in "abc"
    )
    signed = [part for advert in adverts for part in (advert.signed_bytes, advert.signature)]
    expected = hashlib.sha256(encoded(b"mixroom/secagg/v1/roster", b"run", 3, *signed)).digest()
    assert KeyRoster("run", 3, adverts).digest == expected


def test_the_round_digest_covers_every_field():
    fields = (b"run", 7, b"m" * 32, b"r" * 32, 2000, 34)
    expected = hashlib.sha256(encoded(b"mixroom/secagg/v1/round", *fields)).digest()
    assert MaskRequest("run", 7, b"m" * 32, b"r" * 32, 2000, 34).digest == expected


def test_a_masked_update_is_what_the_formula_says():
    """y_i = x_i + PRG(b_i) + sum over later silos of PRG(s_ij) - sum over earlier ones, from scratch."""
    federation = MaskedFederation(4, threshold=3)
    request, vector = federation.request(length=5), random_vectors(1, 5)[0]
    private = {
        name: X25519PrivateKey.from_private_bytes(offer.private_key)
        for name, offer in federation.offers.items()
    }
    randomness = [b"\xb1" * 32]  # the first draw is b_i; whatever comes next makes shares and nonces
    federation.random = lambda count: randomness.pop() if randomness else bytes(count)
    message = federation.mask("silo-01", request, vector)

    def mask(peer):
        shared = private["silo-01"].exchange(private[peer].public_key())
        seed = whole_hkdf(shared, b"mixroom/secagg/v1/pair-mask" + request.digest)
        return np.array(aes_counter_words(seed, 5), dtype=np.uint64)

    self_mask = np.array(aes_counter_words(b"\xb1" * 32, 5), dtype=np.uint64)
    expected = vector + self_mask + mask("silo-02") + mask("silo-03") - mask("silo-00")
    assert message.masked.tolist() == expected.tolist()


def test_a_box_opens_under_the_documented_key_and_header_and_holds_the_recipients_shares():
    """With zero coefficients the polynomials are constant: every share is the seed, here b_i in slot 1."""
    federation = MaskedFederation(4, threshold=3)
    request = federation.request()
    private = {
        name: X25519PrivateKey.from_private_bytes(offer.private_key)
        for name, offer in federation.offers.items()
    }
    randomness = [b"\xb1" * 32]
    federation.random = lambda count: randomness.pop() if randomness else bytes(count)
    box = federation.mask("silo-01", request, random_vectors(1, 4)[0]).boxes[3]
    info = b"mixroom/secagg/v1/share" + request.digest + b"\x00\x01" + b"\x00\x03"
    key = whole_hkdf(private["silo-01"].exchange(private["silo-03"].public_key()), info)
    block = AESGCM(key).decrypt(box[:12], box[12:], info)
    assert len(block) == 4 * 33
    assert block[33:66] == b"\xb1" * 32 + b"\x00"
