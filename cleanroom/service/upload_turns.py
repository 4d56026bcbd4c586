"""How many parts of tables are received at once, so that slow senders hold up each other and nobody else.

Parts are stored by threads of their own: queries, proposals and everything else never wait for them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio.to_thread

from cleanroom.errors import Conflict, RoomError

AT_ONCE = 32
OF_ONE_CALLER = 4
PIECE_SECONDS = 60.0  # in which a megabyte, or the rest of a part, has to arrive
Answer = TypeVar("Answer")


class SentTooSlowly(RoomError):
    """A part of a table did not arrive in time; what arrived of it is kept."""

    code, status = "request_slow", 408


class UploadTurns:
    """Of one service. Used from the event loop only."""

    def __init__(self) -> None:
        self._limiter = anyio.CapacityLimiter(AT_ONCE)
        self._callers: Counter[str] = Counter()

    async def store(self, caller: str, work: Callable[[], Answer]) -> Answer:
        """What `work` gives, in a thread. Raises Conflict when the caller sends too much at once."""
        with self._counted(caller):
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)

    @contextmanager
    def _counted(self, caller: str) -> Iterator[None]:
        if self._callers[caller] >= OF_ONE_CALLER:
            raise Conflict(
                f"you are sending {OF_ONE_CALLER} parts already, as many as one member may at once",
                hint="send this one when another has arrived",
            )
        self._callers[caller] += 1
        try:
            yield
        finally:
            self._callers[caller] -= 1
            if not self._callers[caller]:
                del self._callers[caller]
