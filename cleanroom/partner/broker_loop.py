"""An owner's broker at work: asks the service for requests over an outgoing connection, and answers each.

Nothing connects to the owner's machine. While the connection is lost, questions on the owner's tables are refused
before anything is charged, and the loop tries again, slower and slower up to once in half a minute.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from cleanroom.errors import RoomError, ServiceUnreachable, ServiceUntrusted, StoreUnavailable
from cleanroom.partner.room_link import Body
from cleanroom.service.broker_bodies import (
    LONGEST_WAIT_SECONDS,
    BrokerRequestBody,
    BrokerRequestsBody,
    BrokerTakenBody,
)

CONNECTED = "connected: questions on your tables are answered"
OFFERED_NONCES = 8
NONCE_SECONDS = (
    180.0  # offered no longer; brokers take them for 300, so one that is used late is good all the same
)
RETIRE_SECONDS = 60.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
ANSWER_MARGIN_SECONDS = 15.0  # for a service that answers a long poll late


class Link(Protocol):
    """The way to the service; `HomesLink` is one."""

    def post(self, path: str, shape: type[Body], body: Mapping[str, Any] | None = None) -> Body:
        """Do something, once, however often it is tried."""

    def post_once(
        self, path: str, shape: type[Body], body: Mapping[str, Any], *, read_seconds: float
    ) -> Body:
        """Ask for what is handed out once, in one try."""


class Broker(Protocol):
    """What decides; `cleanroom.broker.key_broker.KeyBroker` is one."""

    def nonces(self, count: int = 1) -> tuple[bytes, ...]:
        """Fresh ones, of 32 bytes."""

    def answer(self, request: object) -> str | None:
        """The answer to one request of the service; None: refused."""

    def retire_expired(self) -> object:
        """Destroy the keys whose retention has ended."""


class BrokerLoop:
    """One broker on one connection.

    `tell` hears, a line each, of the connection, which begins with `greeting`, and of what `news` has after every
    decision.
    """

    def __init__(
        self,
        link: Link,
        collaboration: str,
        broker: Broker,
        *,
        tell: Callable[[str], None],
        news: Callable[[], Iterable[str]] = tuple,
        greeting: Callable[[], str] = lambda: CONNECTED,
        wait_seconds: float = LONGEST_WAIT_SECONDS,
    ) -> None:
        self._link, self._broker, self._tell, self._news = link, broker, tell, news
        self._greeting = greeting
        self._here = f"/v1/collaborations/{collaboration}/broker"
        self._wait_seconds = wait_seconds
        self._process = secrets.token_hex(16)
        self._offers = _Offers(broker)
        self._closed = threading.Event()
        self._retired = -RETIRE_SECONDS

    def run(self) -> None:
        """Until `close`. Raises what ends a broker: no longer a member, or a home that cannot be relied on."""
        connected, failures = False, 0
        while not self._closed.is_set():
            try:
                self.once(wait_seconds=None if connected else 0.0)
                if not connected:
                    self._tell(self._greeting())
                connected, failures = True, 0
            except RoomError as error:
                if not _passes(error):
                    raise
                connected, failures = False, failures + 1
                self._lost(error, failures)

    def once(self, *, wait_seconds: float | None = None) -> int:
        """Ask once and answer what came; how many that were."""
        self._retire()
        wait = self._wait_seconds if wait_seconds is None else wait_seconds
        asked = {"broker": self._process, "nonces": self._offers.now(), "wait_seconds": wait}
        found = self._link.post_once(
            f"{self._here}/requests", BrokerRequestsBody, asked, read_seconds=wait + ANSWER_MARGIN_SECONDS
        )
        for request in found.requests:
            self._answer(request)
        return len(found.requests)

    def close(self) -> None:
        """Let `run` end once what it waits for has come, `wait_seconds` at the latest. From any thread."""
        self._closed.set()

    def _answer(self, request: BrokerRequestBody) -> None:
        self._offers.forget(request.nonces.values())
        answer = self._broker.answer(request.model_dump(mode="json"))
        self._tell_news()
        taken = self._link.post(
            f"{self._here}/answers", BrokerTakenBody, {"id": request.id, "answer": answer}
        ).taken
        if not taken and answer is not None:
            self._tell("nobody waited for that answer any more; the question came to nothing")

    def _retire(self) -> None:
        now = time.monotonic()
        if now - self._retired >= RETIRE_SECONDS:
            self._retired = now
            self._broker.retire_expired()
            self._tell_news()

    def _tell_news(self) -> None:
        for line in self._news():
            self._tell(line)

    def _lost(self, error: RoomError, failures: int) -> None:
        if failures == 1:
            self._tell(f"{error}; trying again")
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** (failures - 1))
        self._closed.wait(pause * (0.5 + secrets.randbelow(512) / 1024))  # not all brokers at once


class _Offers:
    """The nonces that the service may use now."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._made: dict[str, float] = {}

    def now(self) -> list[str]:
        """All of them, topped up."""
        ended = time.monotonic() - NONCE_SECONDS
        self._made = {nonce: made for nonce, made in self._made.items() if made > ended}
        missing = OFFERED_NONCES - len(self._made)
        fresh = self._broker.nonces(missing) if missing else ()
        self._made |= {nonce.hex(): time.monotonic() for nonce in fresh}
        return list(self._made)

    def forget(self, used: Iterable[str]) -> None:
        """They were named in a request."""
        for nonce in used:
            self._made.pop(nonce, None)


def _passes(error: RoomError) -> bool:
    """Whether to try again: no connection, a proxy's own answer, a service that is busy, failed or is being updated.

    What the broker itself raises about its home is none of these.
    """
    passing = isinstance(error, ServiceUnreachable | ServiceUntrusted | StoreUnavailable)
    return passing or type(error) is RoomError
