"""The key under which credentials are hashed; it lies beside the database, never in it.

A stolen database alone does not tell whether a guessed key or code is one.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cleanroom.errors import StoreUnavailable

PEPPER_BYTES = 32


@dataclass(frozen=True)
class Pepper:
    """32 secret bytes of the service."""

    _key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self._key) != PEPPER_BYTES:
            raise StoreUnavailable(
                f"the service's hashing key has {len(self._key)} bytes, not {PEPPER_BYTES}",
                hint="restore the file from a backup; with another key no credential would be known any more",
            )

    @classmethod
    def load_or_create(cls, path: Path) -> Pepper:
        """Read the file, or make it with mode 0600; two processes that start at once end up with the same."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        if not path.exists():
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                os.write(descriptor, secrets.token_bytes(PEPPER_BYTES))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            try:
                os.link(draft, path)  # fails where the name exists, so the first one stays
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        if path.stat().st_mode & 0o077:
            raise StoreUnavailable(
                "other users may read the service's hashing key", hint="chmod 600 the file, then start again"
            )
        return cls(path.read_bytes())

    def keyed_hash(self, purpose: str, secret: str) -> bytes:
        """HMAC-SHA256; a hash for one purpose says nothing about the other."""
        return hmac.new(self._key, f"{purpose}\0{secret}".encode(), hashlib.sha256).digest()
