"""How many refusals are written to the log: whoever asks without end fills no disk and slows no question."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cleanroom.broker.release_log import Entry, Turn

MOST, WITHIN = 100, timedelta(minutes=1)


class RefusalLimit:
    """At most MOST lines in a minute, then one that says so; the next one written tells how many were left out.

    Called within a turn of the log, so one at a time.
    """

    def __init__(self) -> None:
        self._since = datetime.min.replace(tzinfo=UTC)
        self._refused = 0

    def write(self, turn: Turn, body: Mapping[str, Any], now: datetime) -> None:
        """A line about a refusal, or none."""
        left_out = 0
        if not self._since <= now < self._since + WITHIN:
            left_out = max(0, self._refused - MOST)
            self._since, self._refused = now, 0
        self._refused += 1
        if self._refused <= MOST:
            unwritten = {"unwritten": left_out} if left_out else {}
            turn.append(Entry.REFUSED, {**body, **unwritten}, now=now)
        elif self._refused == MOST + 1:
            turn.append(Entry.UNWRITTEN, {}, now=now)
