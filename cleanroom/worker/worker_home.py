"""The worker's own keys, in its own directory. The web process reads `public.json` and nothing else there.

Until an attested enclave takes the worker's place, whoever can read this directory can open every table that was
sealed for it: the service's operator promises not to.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cleanroom.errors import QueryFailed
from cleanroom.release.history import History
from privacy.canonical_json import canonical_json
from privacy.errors import PrivacyError
from privacy.party_keys import PartyKeys, PublicKeys
from privacy.sealing import new_key, open_bytes, seal_bytes

NAME = "worker"
SMALLEST_HISTORY = 64 * 1024
_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True)
class WorkerHome:
    """Keys that open tables, sign releases and seal the difference history."""

    keys: PartyKeys = field(repr=False)
    state_key: bytes = field(repr=False)

    @classmethod
    def fresh(cls) -> WorkerHome:
        """Keys that live as long as the process: for throw-away rooms."""
        return cls(PartyKeys.generate(NAME), new_key())

    @classmethod
    def create(cls, folder: Path) -> WorkerHome:
        """The keys in `folder`, made at the first start, readable by nobody else."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        state = folder / "state.key"
        if not state.exists():
            if not (folder / "public.json").exists():
                PartyKeys.generate(NAME).save(folder)
            descriptor = os.open(state, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(new_key())
        return cls.load(folder)

    @classmethod
    def load(cls, folder: Path) -> WorkerHome:
        """Raises PrivacyError for keys that are not there or that others may read."""
        return cls(PartyKeys.load(folder), (folder / "state.key").read_bytes())

    @property
    def public(self) -> PublicKeys:
        """What partners pin."""
        return self.keys.public

    def open_history(self, collaboration: str, sequence: int, sealed: bytes) -> History:
        """The collaboration's history; an empty one before its first release. Raises QueryFailed."""
        if not sealed and sequence == 0:
            return History.new(new_key())
        try:
            return History.from_bytes(
                _unpadded(open_bytes(self.state_key, sealed, _context(collaboration, sequence)))
            )
        except (PrivacyError, struct.error) as error:
            raise QueryFailed(
                "the record of earlier releases does not open; nothing was released",
                hint="restore the service's database; without the record no release can be judged",
            ) from error

    def seal_history(self, collaboration: str, sequence: int, history: History) -> bytes:
        """The history as it will stand after `sequence` releases.

        Its bytes are others every time, whether or not the history grew, and their number is a power of two from
        64 KiB on. Not covered: whoever sees the service's database sees when that number doubles, which says how much
        was released in all, roughly.
        """
        return seal_bytes(self.state_key, _padded(history.to_bytes()), _context(collaboration, sequence))


def history_digest(collaboration: str, sequence: int, sealed: bytes) -> str:
    """Names a sealed history, for releases to chain to: another one for every query, whatever came of it."""
    place = canonical_json(_context(collaboration, sequence))
    return hashlib.sha256(b"mixroom difference history\0" + place + b"\0" + sealed).hexdigest()


def public_keys(folder: Path) -> PublicKeys:
    """The public halves, for the web process."""
    return PublicKeys.of(json.loads((folder / "public.json").read_text(encoding="utf-8")))


def _padded(content: bytes) -> bytes:
    """Length, content, zeros. The seal adds a constant number of bytes."""
    size = max(SMALLEST_HISTORY, 1 << (_LENGTH.size + len(content) - 1).bit_length())
    return (_LENGTH.pack(len(content)) + content).ljust(size, b"\0")


def _unpadded(content: bytes) -> bytes:
    (length,) = _LENGTH.unpack_from(content)
    return content[_LENGTH.size : _LENGTH.size + length]


def _context(collaboration: str, sequence: int) -> Mapping[str, object]:
    return {"purpose": "difference history", "collaboration": collaboration, "sequence": sequence}
