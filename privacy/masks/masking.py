"""Every derivation of the masking protocol: seeds, share keys, hashes of seeds, masks.

A pair's Diffie-Hellman secret is extracted once per run (HKDF-Extract, RFC 5869) and expanded per round
with the round's context and the pair's slots, so no output serves two rounds, two purposes, two directions or
two pairs. The slots matter: X25519 ignores a key's top bit and points of small order, so a silo may offer
another spelling of a peer's key and have, unknowingly, that peer's secret with everyone (RFC 7748, section 7).
Known-answer tests recompute each.
"""

import hashlib
import hmac
from collections.abc import Iterable

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from numpy.typing import NDArray

PAIR_SALT = b"mixroom/secagg/v1/pair"
MASK_LABEL = b"mixroom/secagg/v2/pair-mask"  # v1 did not name the pair
SHARE_LABEL = b"mixroom/secagg/v1/share"
COMMITMENT_LABEL = b"mixroom/secagg/v1/seed-commitment"

# A seed keys exactly one keystream in its life: pair seeds contain the round's context, self seeds are drawn
# afresh. So the counter may start at zero: (key, counter) never repeats.
ZERO_COUNTER = CTR(bytes(16))
CHUNK_VALUES = 1 << 15  # 256 KiB: mask, keystream and zeros stay in the processor's cache
_ZEROS = bytes(8 * CHUNK_VALUES)


def pair_key(own: X25519PrivateKey, peer: bytes) -> bytes:
    """HKDF-Extract(X25519(own, peer)), equal on both sides. ValueError: low order or wrong length."""
    return hmac.digest(PAIR_SALT, own.exchange(X25519PublicKey.from_public_bytes(peer)), "sha256")


def pair_seed(key: bytes, context: bytes, first: int, second: int) -> bytes:
    """s_ij: 256 bits, equal on both sides; the pair's slots in either order."""
    return _expand(key, MASK_LABEL + context + _slots(min(first, second), max(first, second)))


def share_key(key: bytes, context: bytes, *, sender: int, recipient: int) -> bytes:
    """The AES-256-GCM key for the shares that slot `sender` seals for slot `recipient` in this round."""
    return _expand(key, SHARE_LABEL + context + _slots(sender, recipient))


def share_header(context: bytes, *, sender: int, recipient: int) -> bytes:
    """The associated data of a box: the round's full context and both ends."""
    return SHARE_LABEL + context + _slots(sender, recipient)


def seed_commitment(seed: bytes, context: bytes, first: int, second: int) -> bytes:
    """SHA-256 of a seed in its place: slots (i, i) for b_i, the pair in either order for s_ij.

    Public without harm: seeds are uniform 256-bit values, so the hash can be neither inverted nor searched.
    """
    places = _slots(min(first, second), max(first, second))
    return hashlib.sha256(COMMITMENT_LABEL + context + places + seed).digest()


def keystream(seed: bytes, length: int) -> NDArray[np.uint64]:
    """[value] the first `length` little-endian words of AES-256-CTR under the whole seed."""
    words = np.zeros(length, dtype=np.uint64)
    apply_masks(words, add=[seed], subtract=[])
    return words


def apply_masks(vector: NDArray[np.uint64], *, add: Iterable[bytes], subtract: Iterable[bytes]) -> None:
    """Add and subtract the keystreams of seeds to `vector`, in place, modulo 2^64."""
    adding, subtracting = [_stream(seed) for seed in add], [_stream(seed) for seed in subtract]
    buffer = np.empty(min(CHUNK_VALUES, vector.size), dtype="<u8")
    for start in range(0, vector.size, CHUNK_VALUES):
        chunk = vector[start : start + CHUNK_VALUES]
        words = buffer[: chunk.size]
        zeros, octets = memoryview(_ZEROS)[: words.nbytes], words.view(np.uint8).data
        for stream in adding:
            stream.update_into(zeros, octets)
            chunk += words
        for stream in subtracting:
            stream.update_into(zeros, octets)
            chunk -= words


def _stream(seed: bytes) -> CipherContext:
    return Cipher(AES256(seed), ZERO_COUNTER).encryptor()


def _expand(key: bytes, info: bytes) -> bytes:
    # HKDF-Expand for one block of output: T(1) = HMAC(key, info || 0x01).
    return hmac.digest(key, info + b"\x01", "sha256")


def _slots(first: int, second: int) -> bytes:
    return first.to_bytes(2, "big") + second.to_bytes(2, "big")
