"""HPKE's base mode written down from RFC 9180 sections 4.1, 5.1 and 6.1: an oracle for the library's."""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

X25519_SHA256 = b"KEM\x00\x20"
KEY_BYTES = {1: 16, 2: 32}  # AES-128-GCM, AES-256-GCM


def open_base(private: X25519PrivateKey, sealed: bytes, info: bytes, aad: bytes, *, aead: int) -> bytes:
    """The plaintext of `enc || ciphertext`, the first message under its key."""
    enc, ciphertext = sealed[:32], sealed[32:]
    shared = private.exchange(X25519PublicKey.from_public_bytes(enc))
    context = enc + private.public_key().public_bytes_raw()
    prk = _extract(X25519_SHA256, b"", b"eae_prk", shared)
    secret = _expand(X25519_SHA256, prk, b"shared_secret", context, 32)
    key, nonce = _key_schedule(
        b"HPKE\x00\x20\x00\x01" + aead.to_bytes(2, "big"), secret, info, KEY_BYTES[aead]
    )
    return AESGCM(key).decrypt(nonce, ciphertext, aad)


def _key_schedule(suite: bytes, shared: bytes, info: bytes, key_bytes: int) -> tuple[bytes, bytes]:
    context = (
        b"\0" + _extract(suite, b"", b"psk_id_hash", b"") + _extract(suite, b"", b"info_hash", info)
    )  # mode_base
    secret = _extract(suite, shared, b"secret", b"")
    return (
        _expand(suite, secret, b"key", context, key_bytes),
        _expand(suite, secret, b"base_nonce", context, 12),
    )


def _extract(suite: bytes, salt: bytes, label: bytes, content: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + suite + label + content, "sha256")


def _expand(suite: bytes, prk: bytes, label: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand for at most one block of SHA-256."""
    labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    assert length <= hashlib.sha256().digest_size
    return hmac.digest(prk, labelled + b"\x01", "sha256")[:length]
