"""A party's own keys, on its own machine: one Ed25519 key signs, one X25519 key opens what was sealed for it.

Two keys, as one key for two purposes would need a proof that the purposes do not meet. The private halves never
print and leave the machine only in the two 0600 files that `save` writes.
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from privacy.errors import IdentityUnusable, InvalidSetting
from privacy.identity import OWNER_ONLY, PUBLIC_KEY_BYTES, fingerprint, require_silo_name
from privacy.sealing import WRAPPING, message_info, seal_broken

SIGNING_FILE = "signing.pem"
SEALING_FILE = "sealing.pem"
PUBLIC_FILE = "public.json"


@dataclass(frozen=True)
class PublicKeys:
    """What a party tells the others: its name and the public halves, 32 raw bytes each."""

    name: str
    signing: bytes
    sealing: bytes

    def __post_init__(self) -> None:
        require_silo_name(self.name)
        if len(self.signing) != PUBLIC_KEY_BYTES or len(self.sealing) != PUBLIC_KEY_BYTES:
            raise IdentityUnusable(
                f"a public key of {self.name} does not have {PUBLIC_KEY_BYTES} bytes",
                hint=f"ask {self.name} for its public keys again",
            )

    @property
    def fingerprint(self) -> str:
        """What two people compare; it covers both keys, so that neither can be swapped alone."""
        return fingerprint(b"mixroom party keys 1\0" + self.signing + self.sealing)

    def to_plain(self) -> dict[str, str]:
        """As JSON values, keys in base64."""
        return {"name": self.name, "signing": _text(self.signing), "sealing": _text(self.sealing)}

    @classmethod
    def of(cls, plain: object) -> "PublicKeys":
        """From what `to_plain` gave. Raises IdentityUnusable for anything else."""
        try:
            if not isinstance(plain, Mapping) or set(plain) != {"name", "signing", "sealing"}:
                raise ValueError("not name, signing and sealing")
            if not all(isinstance(value, str) for value in plain.values()):
                raise ValueError("not texts")
            signing, sealing = (base64.b64decode(plain[use], validate=True) for use in ("signing", "sealing"))
            return cls(plain["name"], signing, sealing)
        except (ValueError, binascii.Error, InvalidSetting) as error:
            raise IdentityUnusable(
                "these are not a party's public keys", hint="copy the party's public.json again"
            ) from error


@dataclass(frozen=True)
class PartyKeys:
    """A party's name and private keys. Neither key ever prints."""

    name: str
    _signing: Ed25519PrivateKey = field(repr=False)
    _sealing: X25519PrivateKey = field(repr=False)

    def __post_init__(self) -> None:
        require_silo_name(self.name)

    def __repr__(self) -> str:
        return f"PartyKeys({self.name!r}, ***)"

    @classmethod
    def generate(cls, name: str) -> "PartyKeys":
        """New keys from the operating system's random source. Raises InvalidSetting for an unusable name."""
        return cls(name, Ed25519PrivateKey.generate(), X25519PrivateKey.generate())

    @classmethod
    def load(cls, folder: Path) -> "PartyKeys":
        """Read what `save` wrote; refuses keys that others may read, missing, foreign or mixed ones."""
        signing, sealing = _read_key(folder / SIGNING_FILE), _read_key(folder / SEALING_FILE)
        try:
            public = PublicKeys.of(json.loads((folder / PUBLIC_FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError, RecursionError) as error:
            raise _unusable(folder / PUBLIC_FILE) from error
        if not isinstance(signing, Ed25519PrivateKey) or not isinstance(sealing, X25519PrivateKey):
            raise _unusable(folder)
        keys = cls(public.name, signing, sealing)
        if keys.public != public:
            raise IdentityUnusable(
                f"the private keys in {folder} do not belong to its {PUBLIC_FILE}",
                hint="restore all three files from the same backup",
            )
        return keys

    def save(self, folder: Path) -> None:
        """Write three files: both private keys for the owner's eyes only (0600), and public.json.

        Raises IdentityUnusable when one of them exists: keys are never overwritten.
        """
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, key in ((SIGNING_FILE, self._signing), (SEALING_FILE, self._sealing)):
                _write_new(folder / name, _pem(key), OWNER_ONLY)
            text = json.dumps(self.public.to_plain(), ensure_ascii=False, indent=2) + "\n"
            _write_new(folder / PUBLIC_FILE, text.encode(), 0o644)
        except OSError as error:
            raise IdentityUnusable(
                f"the keys could not be written to {folder}; no existing key was changed",
                hint="choose a new folder: keys are never overwritten",
            ) from error

    @property
    def public(self) -> PublicKeys:
        """The public halves."""
        return PublicKeys(
            self.name,
            self._signing.public_key().public_bytes_raw(),
            self._sealing.public_key().public_bytes_raw(),
        )

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature of `message`; sign documents through `sign_document`."""
        return self._signing.sign(message)

    def open_message(self, sealed: bytes, context: Mapping[str, object]) -> bytes:
        """What `seal_message` sealed for this party under the same context. Raises SealBroken."""
        try:
            return WRAPPING.decrypt(bytes(sealed), self._sealing, message_info(context))
        except (InvalidTag, ValueError, TypeError) as error:
            raise seal_broken() from error


def _read_key(path: Path) -> object:
    try:
        if path.stat().st_mode & 0o077:
            raise IdentityUnusable(
                f"{path} may be read by other users; it was not used",
                hint=f"chmod 600 {path}, or make new keys",
            )
        return serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _unusable(path) from error


def _unusable(path: Path) -> IdentityUnusable:
    return IdentityUnusable(
        f"{path} does not hold a party's keys", hint="restore the files from a backup, or make new keys"
    )


def _pem(key: Ed25519PrivateKey | X25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()
