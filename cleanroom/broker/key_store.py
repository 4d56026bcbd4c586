"""The data keys of a party's tables, each wrapped by the party's own wrapping key, in a folder of the party.

`ver-....key` is a wrapped key with what it is bound to; `ver-....gone` says that it was destroyed. A key with a
tombstone counts as destroyed whether or not its file is still there: the tombstone comes first.

Guarantee: after `destroy`, and after `rotate` for what older wrapping keys had wrapped, nothing in the folder opens
the key. Every step lasts before the next one begins, and the next opening finishes what was interrupted.
Not covered: what `private_files` names, and memory of the process that used a key.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cleanroom.broker.held_keys import HeldKey, Tombstone
from cleanroom.broker.key_encryption import KeyEncryptionKeys, opened
from cleanroom.broker.private_files import (
    destroy_drafts,
    destroy_file,
    locked,
    private_folder,
    read_private,
    write_private,
)
from cleanroom.datasets.key_commitment import key_commitment
from cleanroom.datasets.sealed_table import SealedTableManifest
from cleanroom.errors import Conflict, HomeUnusable, NotFound
from cleanroom.governance.room_ids import VERSION_ID

FORMAT = "mixroom-kept-key/1"
_KEY, _GONE = ".key", ".gone"


@dataclass(frozen=True)
class Rotation:
    """All keys are wrapped by `identifier` now; `rewrapped` of them were not before."""

    identifier: str
    rewrapped: int


class KeyStore:
    """Opened by as many processes as need it: they take turns."""

    def __init__(self, folder: Path, wrapping_keys: KeyEncryptionKeys) -> None:
        """Raises HomeUnusable when others may look into the folder, or something in it is damaged."""
        self._folder = private_folder(folder)
        self._wrapping_keys = wrapping_keys
        with self._turn():
            self._finish()

    def put(self, manifest: SealedTableManifest, key: bytes, *, now: datetime) -> HeldKey:
        """Keep the data key of a table. The same again changes nothing.

        Raises Conflict for another key or table under the version's id, or one that was destroyed.
        """
        held = HeldKey.of(manifest, now)
        with self._turn():
            if self._file(held.version, _GONE).exists():
                raise Conflict(
                    "the key of this version was destroyed; it does not come back",
                    hint="upload the table again",
                )
            if not self._file(held.version, _KEY).exists():
                self._write(held, key)
                return held
            known, wrapped = self._read(held.version)
            if self._open(known, wrapped) != key or known.manifest_digest != held.manifest_digest:
                raise Conflict(
                    "another key is kept for this version; nothing was changed", hint="use a new version"
                )
            return known

    def held(self, version: str) -> HeldKey:
        """What is known of a key that is there. Raises NotFound for a destroyed or unknown one."""
        with self._turn():
            return self._read(version)[0]

    def get(self, version: str) -> bytes:
        """The 32-byte data key. Raises NotFound for a destroyed or unknown one."""
        with self._turn():
            return self._open(*self._read(version))

    def all_held(self) -> tuple[HeldKey, ...]:
        """Every key that is there, by version."""
        with self._turn():
            return tuple(self._read(version)[0] for version in self._versions(_KEY))

    def destroyed(self) -> tuple[Tombstone, ...]:
        """Every key that is gone, by version."""
        with self._turn():
            return tuple(self._tombstone(version) for version in self._versions(_GONE))

    def destroy(self, version: str, *, now: datetime, why: str) -> Tombstone:
        """The key is gone once this returns; destroyed again, the first tombstone stands. NotFound when unknown."""
        with self._turn():
            if self._file(version, _GONE).exists():
                self._finish()
                return self._tombstone(version)
            held, wrapped = self._read(version)
            commitment = key_commitment(version, self._open(held, wrapped))
            tombstone = Tombstone(held.dataset, version, commitment, now.astimezone(UTC), why)
            write_private(self._file(version, _GONE), json.dumps(tombstone.to_plain()).encode())
            self._finish()
            return tombstone

    def rotate(self) -> Rotation:
        """Make a new wrapping key, wrap every data key by it, then destroy the older wrapping keys."""
        with self._turn():
            newest = self._wrapping_keys.make().identifier
            return Rotation(newest, self._rewrap())

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with locked(self._folder / ".lock"):
            yield

    def _finish(self) -> None:
        """What an interrupted step left: drafts may hold wrapped keys, tombstones may still have a key beside them."""
        destroy_drafts(self._folder)
        self._wrapping_keys.finish()
        for version in self._versions(_GONE):
            destroy_file(self._file(version, _KEY))
        if not self._wrapping_keys.identifiers():
            if self._versions(_KEY):
                raise _damaged(self._folder, "has keys, and the keys that wrapped them are missing")
            self._wrapping_keys.make()
        if len(self._wrapping_keys.identifiers()) > 1:
            self._rewrap()

    def _rewrap(self) -> int:
        *older, newest = self._wrapping_keys.identifiers()
        rewrapped = 0
        for version in self._versions(_KEY):
            held, (identifier, wrapped) = self._read(version)
            if identifier != newest:
                self._write(held, self._open(held, (identifier, wrapped)))
                rewrapped += 1
        for identifier in older:
            self._wrapping_keys.destroy(identifier)
        return rewrapped

    def _write(self, held: HeldKey, key: bytes) -> None:
        wrapping_key = self._wrapping_keys.named(self._wrapping_keys.identifiers()[-1])
        plain = {
            "format": FORMAT,
            "held": held.to_plain(),
            "wrapped_by": wrapping_key.identifier,
            "wrapped": base64.b64encode(wrapping_key.wrap(key, held.to_plain())).decode(),
        }
        write_private(self._file(held.version, _KEY), json.dumps(plain, indent=1).encode() + b"\n")

    def _read(self, version: str) -> tuple[HeldKey, tuple[str, bytes]]:
        path = self._file(version, _KEY)
        if self._file(version, _GONE).exists():
            raise NotFound("the key of this version was destroyed", hint="upload the table again")
        try:
            plain = json.loads(read_private(path))
            held = HeldKey.read(plain["held"])
            if plain["format"] != FORMAT or held.version != version:
                raise ValueError("another format or version")
            return held, (str(plain["wrapped_by"]), base64.b64decode(plain["wrapped"], validate=True))
        except FileNotFoundError as error:
            raise NotFound(
                "no key of this version is kept here", hint="look at the home's versions"
            ) from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _damaged(path, "is damaged") from error

    def _open(self, held: HeldKey, wrapped: tuple[str, bytes]) -> bytes:
        identifier, content = wrapped
        key = self._wrapping_keys.named(identifier)
        return opened(key, content, held.to_plain(), what=self._file(held.version, _KEY))

    def _tombstone(self, version: str) -> Tombstone:
        path = self._file(version, _GONE)
        try:
            return Tombstone.read(read_private(path))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise _damaged(path, "is damaged") from error

    def _versions(self, suffix: str) -> tuple[str, ...]:
        names = (path.stem for path in self._folder.glob(f"*{suffix}"))
        return tuple(sorted(name for name in names if VERSION_ID.fullmatch(name)))

    def _file(self, version: str, suffix: str) -> Path:
        if not VERSION_ID.fullmatch(version):
            raise NotFound("no key of this version is kept here", hint="look at the home's versions")
        return self._folder / f"{version}{suffix}"


def _damaged(path: Path, what: str) -> HomeUnusable:
    return HomeUnusable(
        f"{path} {what}; no key was released", hint="restore the broker's folder from one backup, whole"
    )
