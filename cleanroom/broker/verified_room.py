"""The collaboration as its signed documents prove it to this party's broker, read anew after a minute at most.

Guarantee: never older than the newest record that the party's client or broker saw. The client sees every proposal
that it is told is in force (`room_client`), so the broker obeys it from then on.
Not covered: a service that never shows the newest events of others to this party.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from cleanroom.broker.record_head import read_head
from cleanroom.broker.verified_record import VerifiedRecord, verified_record
from cleanroom.errors import HomeUnusable, RoomError, ServiceUntrusted
from cleanroom.governance.room_state import RoomState
from privacy.party_keys import PublicKeys

LASTS = timedelta(seconds=60)


class VerifiedRoom:
    """Reads the record through `read`, which may raise RoomError. Safe to use from several threads.

    `path`: of the record's head. HomeUnusable, from every method, is about that file alone.
    """

    def __init__(
        self, path: Path, read: Callable[[], object], *, keys: PublicKeys, terms_digest: str
    ) -> None:
        self._path = path
        self._read = read
        self._keys = keys
        self._terms_digest = terms_digest
        self._lock = threading.Lock()
        self._known: tuple[datetime, VerifiedRecord] | None = None

    def state(self, now: datetime) -> RoomState:
        """As verified within the last minute, or anew. Raises ServiceUntrusted when it cannot be had."""
        with self._lock:
            if self._known is None or not self._is_fresh(*self._known, now):
                self._known = (now, self._verified())
            return self._known[1].state

    def anew(self, now: datetime) -> RoomState:
        """As it is now."""
        with self._lock:
            self._known = None
        return self.state(now)

    def retention_days(self, now: datetime) -> Mapping[str, int]:
        """By dataset, under the rules in force; under those last seen when the record cannot be had."""
        with suppress(ServiceUntrusted):
            self.state(now)
        return read_head(self._path).retention_days

    def _is_fresh(self, since: datetime, known: VerifiedRecord, now: datetime) -> bool:
        return since <= now < since + LASTS and known.head == read_head(self._path)

    def _verified(self) -> VerifiedRecord:
        try:
            return verified_record(self._path, self._shown, keys=self._keys, terms_digest=self._terms_digest)
        except HomeUnusable:
            raise
        except RoomError as error:
            raise ServiceUntrusted(str(error), hint=error.hint) from error

    def _shown(self) -> object:
        """Whatever the service answers instead of its record is never this home's own trouble."""
        try:
            return self._read()
        except RoomError as error:
            raise ServiceUntrusted(f"the record cannot be had: {error}", hint=error.hint) from error
