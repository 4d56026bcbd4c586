"""Keys that wrap other keys. They stay where they are: whoever wraps or opens something names one and never sees it.

The two interfaces are what a PKCS#11 token offers (C_WrapKey, C_UnwrapKey, C_GenerateKey, C_DestroyObject, objects
found by their label), so that a hardware module can take the place of `FileKeys`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from cleanroom.broker.private_files import (
    destroy_drafts,
    destroy_file,
    private_folder,
    read_private,
    write_private,
)
from cleanroom.errors import HomeUnusable
from privacy.errors import SealBroken
from privacy.sealing import KEY_BYTES, new_key, open_bytes, seal_broken, seal_bytes

_IDENTIFIER = re.compile(r"kek-[0-9]{6}")
_SUFFIX = ".key"


class KeyEncryptionKey(Protocol):
    """One key of 256 bits. What it wrapped opens under the same context only."""

    @property
    def identifier(self) -> str:
        """Its name, which says nothing of it."""

    def wrap(self, key: bytes, context: Mapping[str, object]) -> bytes:
        """The 32-byte `key`, so that only `unwrap` opens it."""

    def unwrap(self, wrapped: bytes, context: Mapping[str, object]) -> bytes:
        """The 32-byte key. Raises SealBroken."""


class KeyEncryptionKeys(Protocol):
    """All wrapping keys of a party. There are two or more only while everything is wrapped anew.

    Whoever calls `make`, `destroy` or `finish` keeps everybody else from doing so.
    """

    def identifiers(self) -> tuple[str, ...]:
        """Every key that is there, oldest first."""

    def named(self, identifier: str) -> KeyEncryptionKey:
        """The key of this name. Raises HomeUnusable when it is not there."""

    def make(self) -> KeyEncryptionKey:
        """A new key, which is the newest from now on; it lasts once this returns."""

    def destroy(self, identifier: str) -> None:
        """Nothing that this key wrapped ever opens again; one that is not there is gone already."""

    def finish(self) -> None:
        """Nothing is left of a `make` that was interrupted."""


class FileKey:
    """A wrapping key in a file. The key never prints."""

    def __init__(self, identifier: str, key: bytes) -> None:
        self._identifier = identifier
        self._key = key

    def __repr__(self) -> str:
        return f"FileKey({self._identifier!r}, ***)"

    @property
    def identifier(self) -> str:
        """Its name, which is its file's."""
        return self._identifier

    def wrap(self, key: bytes, context: Mapping[str, object]) -> bytes:
        """AES-256-GCM under a key of its own for every call (`privacy.sealing`)."""
        return seal_bytes(self._key, key, self._bound(context))

    def unwrap(self, wrapped: bytes, context: Mapping[str, object]) -> bytes:
        """The 32-byte key. Raises SealBroken."""
        key = open_bytes(self._key, wrapped, self._bound(context))
        if len(key) != KEY_BYTES:
            raise seal_broken()
        return key

    def _bound(self, context: Mapping[str, object]) -> dict[str, object]:
        return {"purpose": "wrapped by a party", "by": self._identifier, "context": dict(context)}


class FileKeys:
    """Wrapping keys in files `kek-000001.key`, for their owner's eyes only."""

    def __init__(self, folder: Path) -> None:
        self._folder = private_folder(folder)

    def identifiers(self) -> tuple[str, ...]:
        """Every key that is there, oldest first."""
        names = (path.stem for path in self._folder.glob(f"*{_SUFFIX}"))
        return tuple(sorted(name for name in names if _IDENTIFIER.fullmatch(name)))

    def named(self, identifier: str) -> FileKey:
        """The key of this name. Raises HomeUnusable when it is not there, readable by others, or no key."""
        try:
            key = read_private(self._file(identifier))
        except FileNotFoundError as error:
            raise _unusable(f"the wrapping key {identifier:.20} is missing") from error
        if len(key) != KEY_BYTES:
            raise _unusable(f"the wrapping key {identifier} is damaged")
        return FileKey(identifier, key)

    def make(self) -> FileKey:
        """A new key from the operating system's random source; names of destroyed keys are not given again."""
        newest = self.identifiers()[-1:] or ("kek-000000",)
        identifier = f"kek-{int(newest[0][4:]) + 1:06d}"
        write_private(self._file(identifier), new_key())
        return self.named(identifier)

    def destroy(self, identifier: str) -> None:
        """Overwritten, then removed."""
        destroy_file(self._file(identifier))

    def finish(self) -> None:
        """Drafts are overwritten and removed."""
        destroy_drafts(self._folder)

    def _file(self, identifier: str) -> Path:
        if not _IDENTIFIER.fullmatch(identifier):
            raise _unusable("something was wrapped by a key that is none of this party's")
        return self._folder / f"{identifier}{_SUFFIX}"


def opened(key: KeyEncryptionKey, wrapped: bytes, context: Mapping[str, object], *, what: Path) -> bytes:
    """The unwrapped key. Raises HomeUnusable, naming the file to look at, when it does not open."""
    try:
        return key.unwrap(wrapped, context)
    except SealBroken as error:
        raise _unusable(f"{what} does not open: it was changed, or wrapped by another key") from error


def _unusable(what: str) -> HomeUnusable:
    return HomeUnusable(
        f"{what}; no key was released", hint="restore the broker's folder from one backup, whole"
    )
