"""One owner's broker, as far as the service knows it: whether it is there, its nonces, and what waits for it.

Plain state without a lock of its own: the exchange holds one over all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from cleanroom.service.broker_bodies import BrokerRequestBody

STILL_THERE_SECONDS = 5.0  # after a poll ended: the broker is working on what it got, or about to ask again
MOST_REMEMBERED = 4096


@dataclass(frozen=True)
class BrokerPlace:
    """Whose broker: an owner in a collaboration."""

    collaboration: str
    owner: str


@dataclass(eq=False)
class Waiter:
    """A request of a broker that is held until there is something for it."""

    loop: asyncio.AbstractEventLoop
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """From any thread."""
        self.loop.call_soon_threadsafe(self.woken.set)


@dataclass(eq=False)
class ConnectedBroker:
    """One process of a broker. `heard`: when its last poll ended, on a monotonic clock."""

    place: BrokerPlace
    heard: float
    waiters: set[Waiter] = field(default_factory=set)
    _offered: list[str] = field(default_factory=list)
    _used: dict[str, None] = field(default_factory=dict)
    _granting: dict[str, None] = field(default_factory=dict)
    _queue: list[BrokerRequestBody] = field(default_factory=list)

    def is_there(self, now: float) -> bool:
        """Whether it waits for requests, or did a moment ago."""
        return bool(self.waiters) or now - self.heard < STILL_THERE_SECONDS

    def offer(self, nonces: Sequence[str]) -> None:
        """What it offers now, in place of what it offered before; what was used is never used again."""
        self._offered = [nonce for nonce in dict.fromkeys(nonces) if nonce not in self._used]

    @property
    def has_nonce(self) -> bool:
        """Whether one is left to be used."""
        return bool(self._offered)

    def use_nonce(self) -> str:
        """One that was not used before; there must be one."""
        nonce = self._offered.pop(0)
        _remember(self._used, nonce)
        return nonce

    def gave(self, nonce: str) -> bool:
        """Whether the nonce is of this process and was used."""
        return nonce in self._used

    def grants_for(self, statement: str) -> None:
        """It was asked for keys for the statement of that digest, so that it is asked to confirm its state too."""
        _remember(self._granting, statement)

    def granted_for(self, statement: str) -> bool:
        """Whether it was."""
        return statement in self._granting

    def put(self, request: BrokerRequestBody) -> None:
        """Hand it a request with its next answer."""
        self._queue.append(request)
        for waiter in self.waiters:
            waiter.wake()

    def withdraw(self, request_id: str) -> None:
        """Nobody waits for that request any more."""
        self._queue = [request for request in self._queue if request.id != request_id]

    def take(self) -> list[BrokerRequestBody]:
        """All that waits for it; it will not be handed over again."""
        taken, self._queue = self._queue, []
        return taken

    def leave(self) -> None:
        """Its connection was lost while it waited."""
        if not self.waiters:
            self.heard = float("-inf")


def _remember(seen: dict[str, None], name: str) -> None:
    """The newest of them; the oldest are forgotten."""
    seen[name] = None
    if len(seen) > MOST_REMEMBERED:
        del seen[next(iter(seen))]
