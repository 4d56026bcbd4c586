"""Known answers: every derivation again, from `cryptography` and `hashlib` alone."""

import hashlib
import struct

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from privacy.masks.masking import pair_key
from privacy.masks.secure_aggregation import KeyAdvert, KeyRoster
from privacy.paillier.aggregation import EncryptionRound, HeldRoster, HolderAdvert, holder_advert_bytes
from privacy.paillier.blinding import blind, blinding_key, blindings, unblind
from tests.privacy.paillier.paillier_federation import weak_key

CONTEXT = hashlib.sha256(b"some sum").digest()
KEY = hashlib.sha256(b"some key").digest()


def encoded(*fields):
    """Length-prefixed fields, numbers as 8 big-endian bytes: the encoding as the documentation states it."""
    octets = [struct.pack(">Q", f) if isinstance(f, int) else f for f in fields]
    return b"".join(struct.pack(">I", len(part)) + part for part in octets)


def test_the_key_is_hkdf_of_the_diffie_hellman_secret_bound_to_sum_and_silo():
    silo, holder = (X25519PrivateKey.from_private_bytes(bytes([k]) * 32) for k in (0x11, 0x22))
    info = encoded(b"mixroom/paillier/v1/blinding", CONTEXT, "süd".encode())
    expected = HKDF(hashes.SHA256(), 32, salt=b"mixroom/secagg/v1/pair", info=info).derive(
        silo.exchange(holder.public_key())
    )
    for own, peer in ((silo, holder), (holder, silo)):
        shared = pair_key(own, peer.public_key().public_bytes_raw())
        assert blinding_key(shared, CONTEXT, "süd") == expected


def test_blindings_are_consecutive_pieces_of_aes_256_in_counter_mode_reduced_modulo_n():
    """512 bits of modulus and 128 more are 80 bytes a piece."""
    n = weak_key().modulus
    stream = Cipher(algorithms.AES(KEY), modes.CTR(bytes(16))).encryptor().update(bytes(240))

    assert blindings(KEY, n, 3) == tuple(int.from_bytes(stream[k : k + 80], "big") % n for k in (0, 80, 160))


def test_blindings_reach_from_zero_to_the_modulus_alike():
    """2,000 numbers in 16 intervals of n: 125 each, standard deviation 10.8; five of them are 54."""
    n = 2**511 + 111
    counts = [0] * 16
    for z in blindings(KEY, n, 2000):
        counts[16 * z // n] += 1

    assert max(abs(count - 125) for count in counts) < 54


def test_what_is_blinded_and_unblinded_is_the_sum():
    n, keys = weak_key().modulus, [bytes([k]) * 32 for k in range(3)]
    plaintexts = [(n - 1, 0), (1, 5), (2, 7)]
    sums = [
        sum(column) % n
        for column in zip(*(blind(m, k, n) for m, k in zip(plaintexts, keys, strict=True)), strict=True)
    ]

    assert unblind(sums, keys, n) == (2, 12)


def test_every_bit_of_key_context_and_name_changes_the_blinding():
    flips = [0, *(1 << bit for bit in range(256))]
    key, context = int.from_bytes(KEY, "big"), int.from_bytes(CONTEXT, "big")
    found = {blinding_key((key ^ flip).to_bytes(32, "big"), CONTEXT, "a") for flip in flips}
    found |= {blinding_key(KEY, (context ^ flip).to_bytes(32, "big"), "a") for flip in flips}
    found |= {blinding_key(KEY, CONTEXT, name) for name in ("", "b", "aa")}

    assert len(found) == 2 * 257 - 1 + 3  # the unchanged one is in both


def test_every_one_of_256_key_bits_changes_the_numbers():
    n, key = weak_key().modulus, int.from_bytes(KEY, "big")

    assert len({blindings((key ^ (1 << bit)).to_bytes(32, "big"), n, 1) for bit in range(256)}) == 256


@pytest.fixture(scope="module")
def advert():
    return HolderAdvert("run", 3, b"\x0c\xa1", b"k" * 32, b"signed")


def test_the_holder_signs_run_minimum_modulus_and_key(advert):
    expected = encoded(b"mixroom/paillier/v1/holder-advert", b"run", 3, b"\x0c\xa1", b"k" * 32)

    assert holder_advert_bytes("run", 3, b"\x0c\xa1", b"k" * 32) == expected == advert.signed_bytes
    assert advert.n == 0x0CA1


def test_the_held_rosters_digest_covers_roster_and_signed_advert(advert):
    adverts = tuple(
        KeyAdvert("run", name, 3, name.encode() * 32, b"signed " + name.encode()) for name in "abc"
    )
    roster = KeyRoster("run", 3, adverts)
    parts = (b"mixroom/paillier/v1/roster", roster.digest, advert.signed_bytes, b"signed")

    assert HeldRoster(roster, advert).digest == hashlib.sha256(encoded(*parts)).digest()


def test_the_rounds_digest_covers_every_field():
    expected = hashlib.sha256(
        encoded(b"mixroom/paillier/v1/round", b"run", 7, b"q" * 32, b"r" * 32, 2000, 2**56)
    ).digest()

    assert EncryptionRound("run", 7, b"q" * 32, b"r" * 32, 2000, 2**56).digest == expected
