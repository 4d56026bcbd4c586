"""Known answers: every derivation again, from `hmac`, `hashlib` and single AES blocks, next to published vectors."""

import hashlib
import hmac
import struct

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from privacy.masks import masking
from privacy.masks.mask_silo import NONCE_BYTES
from privacy.masks.secret_sharing import PRIME, SHARE_BYTES, Sharing, read_share, split
from privacy.masks.secure_aggregation import KeyAdvert, KeyRoster, MaskRequest, advert_bytes
from privacy.run_terms import PrivacyMode, PrivacyTerms, SecureAggregation
from privacy.wire import Invitation, SumRequest
from tests.privacy.masks.masked_federation import MaskedFederation, random_vectors

CONTEXT = hashlib.sha256(b"some round").digest()
SALT = b"mixroom/secagg/v1/pair"
hexadecimal = bytes.fromhex


def encoded(*fields):
    """Length-prefixed fields, numbers as 8 big-endian bytes: the encoding as the documentation states it."""
    octets = [struct.pack(">Q", f) if isinstance(f, int) else f for f in fields]
    return b"".join(struct.pack(">I", len(part)) + part for part in octets)


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int = 32) -> bytes:
    """RFC 5869, section 2, word by word."""
    extracted = hmac.new(salt, secret, hashlib.sha256).digest()
    block, output = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.new(extracted, block + info + bytes([counter]), hashlib.sha256).digest()
        output += block
    return output[:length]


def aes_block(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


def counter_words(seed: bytes, length: int) -> list[int]:
    """SP 800-38A, section 6.5: encrypted counters 0, 1, 2, ... (16 bytes, big endian), as little-endian words."""
    blocks = (aes_block(seed, counter.to_bytes(16, "big")) for counter in range(-(-length // 2)))
    return list(struct.unpack(f"<{length}Q", b"".join(blocks)[: 8 * length]))


# --- the primitives, against what is published -------------------------------------------------------------

# RFC 7748, section 5.2 (both vectors; the second point has its top bit set, which is ignored) and section 6.1
X25519_VECTORS = {
    "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4": (
        "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    ),
    "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d": (
        "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
    ),
    "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a": (
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
    ),
    "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb": (
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
    ),
}


@pytest.mark.parametrize("scalar", X25519_VECTORS)
def test_a_pair_key_is_the_extract_step_over_the_x25519_of_rfc_7748(scalar):
    own = X25519PrivateKey.from_private_bytes(hexadecimal(scalar))
    peer, shared = map(hexadecimal, X25519_VECTORS[scalar])
    assert masking.pair_key(own, peer) == hmac.new(SALT, shared, hashlib.sha256).digest()


def test_seeds_and_share_keys_are_expanded_as_in_rfc_5869():
    """Appendix A.1, whose first block of output is all that 32 bytes take; and this file's own HKDF, all of it."""
    secret, salt, info = b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA))
    extracted = hexadecimal("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    output = hexadecimal(
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )
    assert hkdf(secret, salt, info, 42) == output
    assert hmac.new(salt, secret, hashlib.sha256).digest() == extracted
    assert masking._expand(extracted, info) == output[:32]


NIST_KEY = hexadecimal("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")


def test_single_aes_256_blocks_are_those_of_sp_800_38a():
    """F.1.5, first block; F.5.5, first output block of the counter f0f1...ff."""
    plain = hexadecimal("6bc1bee22e409f96e93d7e117393172a")
    assert aes_block(NIST_KEY, plain) == hexadecimal("f3eed1bdb5d2a03c064b5a7e3db181f8")
    counter = bytes(range(0xF0, 0x100))
    cipher = hexadecimal("601ec313775789a5b7a7f504bbf3d228")
    assert bytes(a ^ b for a, b in zip(aes_block(NIST_KEY, counter), plain, strict=True)) == cipher


def test_boxes_are_sealed_with_the_aes_256_gcm_of_its_specification():
    """Test case 16 of McGrew and Viega: the cipher that seals boxes, tag behind."""
    key, nonce = hexadecimal("feffe9928665731c6d6a8f9467308308" * 2), hexadecimal("cafebabefacedbaddecaf888")
    plain = hexadecimal(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
    )
    header = hexadecimal("feedfacedeadbeeffeedfacedeadbeefabaddad2")
    sealed = hexadecimal(
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b"
    )
    assert AESGCM(key).encrypt(nonce, plain, header) == sealed


# --- seeds, keys and hashes --------------------------------------------------------------------------------


def test_pair_seeds_and_share_keys_are_hkdf_of_the_diffie_hellman_secret():
    """Slots as two big-endian bytes: for a seed the smaller first, for a share key sender, then recipient."""
    scalar = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"
    peer, shared = map(hexadecimal, X25519_VECTORS[scalar])
    key = masking.pair_key(X25519PrivateKey.from_private_bytes(hexadecimal(scalar)), peer)
    expected = hkdf(shared, SALT, b"mixroom/secagg/v2/pair-mask" + CONTEXT + b"\x00\x03" + b"\x01\x00")
    assert masking.pair_seed(key, CONTEXT, 3, 256) == masking.pair_seed(key, CONTEXT, 256, 3) == expected
    info = b"mixroom/secagg/v1/share" + CONTEXT + b"\x01\x00" + b"\x00\x03"
    assert masking.share_key(key, CONTEXT, sender=256, recipient=3) == hkdf(shared, SALT, info)
    assert masking.share_header(CONTEXT, sender=256, recipient=3) == info


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
        assert masking.keystream(seed, length).tolist() == counter_words(seed, length)


def test_long_keystreams_do_not_depend_on_the_chunks_they_are_made_in():
    """Two words around every border of chunks, against the block with that counter."""
    seed, length = hashlib.sha256(b"long").digest(), 2 * masking.CHUNK_VALUES + 7
    words = masking.keystream(seed, length)
    for first in (0, masking.CHUNK_VALUES - 2, masking.CHUNK_VALUES, 2 * masking.CHUNK_VALUES, length - 3):
        block = aes_block(seed, (first // 2).to_bytes(16, "big"))
        assert words[first : first + 2].tolist() == list(struct.unpack("<2Q", block))


def test_what_is_added_and_subtracted_cancels():
    vector = random_vectors(1, 100)[0]
    masked = vector.copy()
    masking.apply_masks(masked, add=[b"\x01" * 32, b"\x02" * 32], subtract=[b"\x03" * 32])
    assert not np.array_equal(masked, vector)
    masking.apply_masks(masked, add=[b"\x03" * 32], subtract=[b"\x02" * 32, b"\x01" * 32])
    assert np.array_equal(masked, vector)


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
        slots = b"".join(sorted([b"\x00\x01", federation.slot(peer).to_bytes(2, "big")]))
        seed = hkdf(shared, SALT, b"mixroom/secagg/v2/pair-mask" + request.digest + slots)
        return np.array(counter_words(seed, 5), dtype=np.uint64)

    self_mask = np.array(counter_words(b"\xb1" * 32, 5), dtype=np.uint64)
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
    key = hkdf(private["silo-01"].exchange(private["silo-03"].public_key()), SALT, info)
    block = AESGCM(key).decrypt(box[:12], box[12:], info)
    assert len(block) == 4 * 33
    assert block[33:66] == b"\xb1" * 32 + b"\x00"


def test_shares_of_small_numbers_are_what_a_pencil_gives():
    """f(x) = 5 + 3 x + 2 x^2 at 1, -1, 2, -2 and 3: 10, 4, 19, 7, 32."""
    coefficients = (3).to_bytes(40, "little") + (2).to_bytes(40, "little")
    blocks = split([(5).to_bytes(32, "little")], Sharing(5, 3), lambda count: coefficients[:count])
    assert [read_share(block, 0) for block in blocks] == [10, 4, 19, 7, 32]


def test_a_share_is_33_bytes_little_endian_modulo_the_documented_prime():
    """f(x) = 1 - x has its value at holder 2, point 2, just below zero: p - 1 with p = 2^256 + 297."""
    coefficients = (2**256 + 296).to_bytes(40, "little")
    blocks = split([(1).to_bytes(32, "little")], Sharing(3, 2), lambda count: coefficients[:count])
    assert PRIME == 2**256 + 297
    assert blocks[2] == (2**256 + 296).to_bytes(33, "little")
    assert [len(block) for block in blocks] == [SHARE_BYTES] * 3 == [33] * 3


def test_a_sum_request_binds_invitation_and_every_value_to_the_round():
    """From what a silo agreed to, down to the context of its masks: three digests, each inside the next."""
    terms = PrivacyTerms(PrivacyMode.DISTRIBUTED, 8.0, 1e-4, 25, 3, survivors=7, colluding=1, values=673)
    invitation = Invitation.of(
        "run", terms, secure_aggregation=SecureAggregation.MASKS, model='{"channels": []}'
    )
    fields = (
        b"run",
        b"distributed",
        b"8.0",
        b"0.0001",
        b"1.0",
        25,
        3,
        7,
        1,
        673,
        b"masks",
        0,  # no enclave
        b'{"channels": []}',
    )
    agreed = hashlib.sha256(encoded(b"mixroom/invitation/v3", *fields)).digest()
    values = (struct.pack("<2d", 0.5, -1.0), b"")
    request = SumRequest("run", 7, "round", values, 2000, 28, 2.0**28, invitation.digest)
    model = hashlib.sha256(
        encoded(b"mixroom/sum-request/v1", b"run", 7, b"round", 2000, 28, b"268435456.0", agreed, *values)
    ).digest()
    round_fields = (b"run", 7, model, b"r" * 32, 2000, 28)
    expected = hashlib.sha256(encoded(b"mixroom/secagg/v1/round", *round_fields)).digest()
    assert invitation.digest == agreed
    assert request.masked(b"r" * 32).digest == expected


def test_a_roster_of_real_offers_has_the_digest_of_its_bytes():
    """The whole chain once more, from names and keys as they travel."""
    federation = MaskedFederation(3)
    parts: list[bytes] = []
    for name, identity in federation.identities.items():
        key = X25519PrivateKey.from_private_bytes(federation.offers[name].private_key)
        public = key.public_key().public_bytes_raw()
        signed = encoded(b"mixroom/secagg/v1/key-advert", b"run-1", name.encode(), 3, public)
        parts += [signed, identity.sign(signed)]  # Ed25519 signatures are deterministic
    expected = hashlib.sha256(encoded(b"mixroom/secagg/v1/roster", b"run-1", 3, *parts)).digest()
    assert federation.roster.digest == expected


def test_commitments_stand_in_slot_order_and_nonces_in_front_of_boxes():
    federation = MaskedFederation(3)
    request = federation.request()
    drawn: list[bytes] = []
    draw = federation.random

    def remembered(count: int) -> bytes:
        drawn.append(draw(count))
        return drawn[-1]

    federation.random = remembered
    update = federation.mask("silo-01", request, random_vectors(1, 4)[0])
    own, nonces = drawn[0], drawn[-1]
    assert (len(own), len(nonces)) == (32, 3 * NONCE_BYTES)
    assert update.boxes[1] == b""
    assert [update.boxes[k][:12] for k in (0, 2)] == [nonces[:12], nonces[24:36]]
    keys = federation.state("silo-01").pair_keys
    seeds = [
        masking.pair_seed(keys[0], request.digest, 1, 0),
        own,
        masking.pair_seed(keys[2], request.digest, 1, 2),
    ]
    places = (b"\x00\x00\x00\x01", b"\x00\x01\x00\x01", b"\x00\x01\x00\x02")
    label = b"mixroom/secagg/v1/seed-commitment" + request.digest
    expected = [
        hashlib.sha256(label + place + seed).digest() for place, seed in zip(places, seeds, strict=True)
    ]
    assert update.commitments == b"".join(expected)
