"""A data key named without being told: what the service keeps of a key that stays with its owner."""

from __future__ import annotations

import hashlib

_DOMAIN = b"mixroom dataset key 1\0"


def key_commitment(version: str, key: bytes) -> str:
    """SHA-256 over the version and its 32-byte data key, as 64 hexadecimal digits.

    A key that turns up later can be told to be the one that was used, or destroyed. It says nothing of the key, which
    is random.
    """
    return hashlib.sha256(_DOMAIN + version.encode() + b"\0" + key).hexdigest()
