"""Who is who: long-term Ed25519 signing keys of silos, and the peers each silo has pinned.

A silo trusts the keys in its own file, exchanged once outside this system (compare fingerprints by
telephone), never a key that the coordinator hands over.
"""

import base64
import binascii
import hashlib
import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from privacy.errors import IdentityUnusable, InvalidSetting, UntrustedPeer

PUBLIC_KEY_BYTES = 32
OWNER_ONLY = 0o600
LONGEST_NAME = 128


def require_silo_name(name: str) -> str:
    """The name, if printable, trimmed and of 1..128 characters. Raises InvalidSetting."""
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable() or name != name.strip():
        raise InvalidSetting(
            f"{name!r:.150} is not a silo name",
            hint="use 1 to 128 printable characters without spaces at the ends",
        )
    return name


def fingerprint(public_key: bytes) -> str:
    """What two people compare: 'SHA256:' and the unpadded base64 of the raw key's hash."""
    digest = base64.b64encode(hashlib.sha256(public_key).digest()).decode()
    return "SHA256:" + digest.rstrip("=")


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `public_key` made this Ed25519 signature of `message`; False for malformed input."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@dataclass(frozen=True)
class SiloIdentity:
    """A silo's name and the key that proves it. The private key never prints."""

    silo: str
    _private_key: Ed25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        require_silo_name(self.silo)

    @classmethod
    def generate(cls, silo: str) -> "SiloIdentity":
        """A new key from the operating system's random source."""
        return cls(silo, Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, silo: str, path: Path) -> "SiloIdentity":
        """Read a key written by `save`; refuses files that others may read, missing or foreign ones."""
        try:
            if path.stat().st_mode & 0o077:
                raise IdentityUnusable(
                    f"{path} may be read by other users; it was not used",
                    hint=f"chmod 600 {path}, or make a new key",
                )
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise IdentityUnusable(
                f"{path} is not a readable signing key",
                hint="restore the file, or enrol the silo with a new key",
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise IdentityUnusable(f"{path} is not an Ed25519 key", hint="enrol the silo with a new key")
        return cls(silo, key)

    def save(self, path: Path) -> None:
        """Write the private key for the owner's eyes only (0600). An existing file is never overwritten."""
        pem = self._private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        except OSError as error:
            raise IdentityUnusable(
                f"the signing key could not be written to {path}; nothing was changed",
                hint="choose a new file in an existing folder: keys are never overwritten",
            ) from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)

    @property
    def public_key(self) -> bytes:
        """The raw 32-byte Ed25519 public key that peers pin."""
        return self._private_key.public_key().public_bytes_raw()

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the public key."""
        return fingerprint(self.public_key)

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature of `message`."""
        return self._private_key.sign(message)


@dataclass(frozen=True)
class PinnedPeers:
    """Silo name -> raw Ed25519 public key, as this silo's owner entered them. May include the silo itself."""

    keys: Mapping[str, bytes]

    def __post_init__(self) -> None:
        for name, key in self.keys.items():
            require_silo_name(name)
            if len(key) != PUBLIC_KEY_BYTES:
                raise IdentityUnusable(
                    f"the pinned key of {name} has {len(key)} bytes, not {PUBLIC_KEY_BYTES}",
                    hint=f"ask {name} for its public key again",
                )
        if len(set(self.keys.values())) != len(self.keys):
            raise IdentityUnusable(
                "one pinned key stands under two names", hint="ask both silos for their public keys again"
            )
        object.__setattr__(self, "keys", MappingProxyType(dict(self.keys)))

    @classmethod
    def load(cls, path: Path) -> "PinnedPeers":
        """Read a `[peers]` table of name = "base64 public key"."""
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
            peers = document["peers"]
            return cls({name: base64.b64decode(text, validate=True) for name, text in peers.items()})
        except (OSError, UnicodeError, tomllib.TOMLDecodeError, KeyError, AttributeError, TypeError) as error:
            raise IdentityUnusable(
                f"{path} is not a readable file of pinned peers",
                hint='write a [peers] table with one line per silo: "name" = "base64 public key"',
            ) from error
        except (binascii.Error, ValueError) as error:
            raise IdentityUnusable(
                f"a key in {path} is not base64", hint="copy the public keys again, without line breaks"
            ) from error

    def save(self, path: Path) -> None:
        """Write the table that `load` reads, in name order."""
        # A JSON string of printable characters is a TOML basic string too.
        rows = (
            f"{json.dumps(name, ensure_ascii=False)} = {json.dumps(base64.b64encode(key).decode())}"
            for name, key in sorted(self.keys.items())
        )
        path.write_text("[peers]\n" + "\n".join(rows) + "\n", encoding="utf-8")

    def require_signed(self, silo: str, message: bytes, signature: bytes) -> None:
        """Raise UntrustedPeer unless the key pinned for `silo` signed `message`."""
        key = self.keys.get(silo)
        if key is None:
            raise UntrustedPeer(
                f"no key is pinned for {silo}; the roster was refused",
                hint=f"obtain {silo}'s public key from its owner, not from the coordinator, and pin it",
            )
        if not verify(key, message, signature):
            raise UntrustedPeer(
                f"the key offered for {silo} is not signed by the key pinned for it; the roster was refused",
                hint=f"compare fingerprints with {silo}'s owner; someone may be swapping keys",
            )
