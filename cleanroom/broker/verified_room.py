"""The collaboration as its signed documents prove it to this party, never older than it was seen before.

The service hands over the record and could hand over an older one, in which a member is not yet removed or a rule not
yet in force. So how long the record was, and what stood in it, is kept on the party's disk.

Not covered: a service that never shows the newest events to this party. What concerns its own datasets the party has
signed itself, and sees with its next refresh.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cleanroom.broker.private_files import read_private, write_private
from cleanroom.errors import HomeUnusable, ServiceUntrusted
from cleanroom.governance.record import verify_record
from cleanroom.governance.room_state import RoomState
from cleanroom.governance.terms import Terms
from privacy.canonical_json import digest_of
from privacy.party_keys import PublicKeys

LASTS = timedelta(seconds=60)


class VerifiedRoom:
    """Reads the record through `read`, which may raise RoomError. Safe to use from several threads."""

    def __init__(
        self, path: Path, read: Callable[[], object], *, keys: PublicKeys, terms_digest: str
    ) -> None:
        self._path = path
        self._read = read
        self._keys = keys
        self._terms_digest = terms_digest
        self._lock = threading.Lock()
        self._known: tuple[datetime, RoomState] | None = None

    def state(self, now: datetime) -> RoomState:
        """As verified within the last minute, or anew. Raises RoomError, also what `read` raises."""
        with self._lock:
            if self._known is None or not self._known[0] <= now < self._known[0] + LASTS:
                self._known = (now, self._verified())
            return self._known[1]

    def anew(self, now: datetime) -> RoomState:
        """As it is now."""
        with self._lock:
            self._known = None
        return self.state(now)

    def _verified(self) -> RoomState:
        record: Any = self._read()
        state = verify_record(record)
        mine = state.members.get(self._keys.name)
        is_joined = Terms.of(record["terms"]["body"]).digest == self._terms_digest
        if not is_joined or mine is None or mine.keys != self._keys:
            raise _untrusted("is that of another room, or one that this party has left")
        self._require_no_older(record["events"])
        return state

    def _require_no_older(self, events: list[Mapping[str, Any]]) -> None:
        length, digest = self._seen()
        if len(events) < length or (length and _digest(events[:length]) != digest):
            raise _untrusted("lacks events that it had before")
        if len(events) > length:
            seen = {"events": len(events), "digest": _digest(events)}
            write_private(self._path, json.dumps(seen).encode() + b"\n")

    def _seen(self) -> tuple[int, str]:
        try:
            plain = json.loads(read_private(self._path))
            return int(plain["events"]), str(plain["digest"])
        except FileNotFoundError:
            return 0, ""
        except (ValueError, KeyError, TypeError) as error:
            raise HomeUnusable(
                f"{self._path} is damaged; no key was released", hint="restore it from a backup"
            ) from error


def _digest(events: list[Mapping[str, Any]]) -> str:
    """Without the signatures: further ones may come to a proposal that is in force."""
    return digest_of(
        [{name: part for name, part in event.items() if name != "signatures"} for event in events]
    )


def _untrusted(what: str) -> ServiceUntrusted:
    return ServiceUntrusted(
        f"the record that the service shows {what}; no key was released",
        hint="ask the other members over another channel",
    )
