"""What the service does by itself: ends retention, removes uploads that nobody completes, forgets old answers."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

from sqlalchemy import select

from cleanroom.governance.dataset_views import VersionState
from cleanroom.governance.tables import VersionRow
from cleanroom.service.room_parts import RoomParts

EVERY_SECONDS = 3600.0
UPLOAD_LASTS = timedelta(hours=24)
_LOG = logging.getLogger("mixroom.room")


class Housekeeping:
    """Once at the start, then every hour in a thread of its own until closed."""

    def __init__(self, parts: RoomParts, *, every_seconds: float = EVERY_SECONDS) -> None:
        self._parts = parts
        self._every = every_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Fail what a dead process left, tidy up, and go on doing so."""
        self._parts.governance.recover(now=self._parts.clock())
        tidy(self._parts)
        self._thread.start()

    def close(self) -> None:
        """Stop, after what is being done."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            try:
                tidy(self._parts)
            except Exception as error:  # the next hour tries again; the text may hold anything
                _LOG.error("housekeeping failed: %s", type(error).__name__)


def tidy(parts: RoomParts) -> None:
    """One round. Whatever is interrupted is done by the next."""
    now = parts.clock()
    for destroyed in parts.governance.retention.end(now):
        parts.vault.discard(destroyed.version)
    for stale in parts.governance.retention.drop_stale_uploads(now - UPLOAD_LASTS):
        parts.vault.discard(stale.id)
    parts.vault.sweep(now.timestamp())
    _remove_orphans(parts)
    parts.governance.idempotency.purge(now=now)


def _remove_orphans(parts: RoomParts) -> None:
    """Sealed files whose keys are destroyed already, where the process died before it unlinked them."""
    stored = parts.vault.versions()  # read first: a file never comes before its version's row
    alive = select(VersionRow.id).where(VersionRow.state != str(VersionState.DELETED))
    kept = parts.governance.store.read(lambda session: set(session.scalars(alive)))
    for version in stored:
        if version not in kept:
            parts.vault.delete(version)
