"""Every derivation of Paillier aggregation: the one-time numbers that a silo adds and the key holder takes off.

The secret of silo and key holder (X25519, extracted as in `masking`) is expanded with the sum's context and the
silo's name into one AES-256 key per silo and sum; the name matters because X25519 has several spellings of one
key, so that two silos could otherwise share a keystream unknowingly. Known-answer tests recompute each.
"""

import hmac
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from privacy.masks.secure_aggregation import canonical_bytes

BLINDING_LABEL = "mixroom/paillier/v1/blinding"
SURPLUS_BITS = 128  # longer than n, so that the remainder is uniform below n up to 2^-128

# A key serves one silo in one sum and contains its context, so the counter may start at zero.
_ZERO_COUNTER = bytes(16)


def blinding_key(pair_key: bytes, context: bytes, silo: str) -> bytes:
    """The AES-256 key of one silo and sum: HKDF-Expand, one block of output."""
    return hmac.digest(pair_key, canonical_bytes(BLINDING_LABEL, context, silo) + b"\x01", "sha256")


def blindings(key: bytes, modulus: int, count: int) -> tuple[int, ...]:
    """z_1 ... z_count below `modulus`: consecutive pieces of the AES-256-CTR keystream, big endian, reduced."""
    size = (modulus.bit_length() + SURPLUS_BITS + 7) // 8
    stream = Cipher(AES256(key), CTR(_ZERO_COUNTER)).encryptor().update(bytes(size * count))
    pieces = (stream[k * size : (k + 1) * size] for k in range(count))
    return tuple(int.from_bytes(piece, "big") % modulus for piece in pieces)


def blind(plaintexts: Sequence[int], key: bytes, modulus: int) -> tuple[int, ...]:
    """Add the blinding of each plaintext, modulo n."""
    numbers = blindings(key, modulus, len(plaintexts))
    return tuple((m + z) % modulus for m, z in zip(plaintexts, numbers, strict=True))


def unblind(sums: Sequence[int], keys: Sequence[bytes], modulus: int) -> tuple[int, ...]:
    """Take off the blindings of every key, modulo n."""
    taken = [blindings(key, modulus, len(sums)) for key in keys]
    return tuple(
        (d - sum(column)) % modulus for d, column in zip(sums, zip(*taken, strict=True), strict=True)
    )
