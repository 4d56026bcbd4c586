"""The way to the owners' key brokers: they connect and wait, and queries leave their requests here.

Carries sealed grants and confirmations; it can open none, and whatever it did to them the worker inside the enclave
would refuse. Guarantee: a nonce is used for one query at most, a request is handed over once, and only the owner who
was asked can answer it. In the memory of one process: a service of several would need every broker to connect to each.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cleanroom.errors import BrokerAway, Conflict, KeyRefused, StoreUnavailable
from cleanroom.governance.room_ids import random_text
from cleanroom.service.broker_bodies import BrokerRequestBody, BrokerRequestKind, BrokerRequestsAsked
from cleanroom.service.connected_broker import BrokerPlace, ConnectedBroker, Waiter
from cleanroom.worker.executor import CommitRequest, GrantRequest
from privacy.canonical_json import digest_of

ANSWER_SECONDS = 10.0
NONCE_SECONDS = 5.0  # in which a broker that is there has to offer another nonce
FORGOTTEN_SECONDS = 60.0
MOST_BROKERS = 8  # of one owner in one collaboration
MOST_WAITING = 4  # requests of one broker's process


@dataclass(eq=False)
class _Question:
    """A request under way. `answer`: None while nobody answered, and when the broker refused."""

    broker: ConnectedBroker
    answer: str | None = None
    is_answered: bool = False


class BrokerExchange:
    """Brokers on one side, in the event loop; queries on the other, in threads. Implements `KeyBrokers`."""

    def __init__(
        self, *, answer_seconds: float = ANSWER_SECONDS, nonce_seconds: float = NONCE_SECONDS
    ) -> None:
        self._answer_seconds, self._nonce_seconds = answer_seconds, nonce_seconds
        self._changed = threading.Condition()
        self._brokers: dict[BrokerPlace, dict[str, ConnectedBroker]] = {}
        self._questions: dict[str, _Question] = {}
        self._closed = False

    async def poll(
        self, place: BrokerPlace, asked: BrokerRequestsAsked, *, lost: Callable[[], Awaitable[object]]
    ) -> list[BrokerRequestBody]:
        """What a broker is asked for, as soon as there is something; nothing when its time is over.

        `lost` returns when the broker's connection does not exist any more. Raises Conflict for too many at once.
        """
        waiter = Waiter(asyncio.get_running_loop())
        with self._changed:
            broker = self._arrived(place, asked)
            if taken := broker.take():
                return taken
            broker.waiters.add(waiter)
        is_lost = False
        try:
            is_lost = await _woken_or_lost(waiter, lost, asked.wait_seconds)
        finally:
            with self._changed:
                broker.waiters.discard(waiter)
                broker.heard = time.monotonic()
                if is_lost:
                    broker.leave()
        if is_lost:
            return []
        with self._changed:
            return broker.take()

    def answer(self, place: BrokerPlace, request_id: str, answer: str | None) -> bool:
        """A broker's decision; None refuses. False when nobody waits for it from this owner."""
        with self._changed:
            question = self._questions.get(request_id)
            if question is None or question.broker.place != place or question.is_answered:
                return False
            question.answer, question.is_answered = answer, True
            self._changed.notify_all()
            return True

    def require_present(self, collaboration: str, owners: Sequence[str]) -> None:
        """Raise BrokerAway for owners whose broker is not there, or offers no nonce for a while."""
        end = time.monotonic() + self._nonce_seconds
        with self._changed:
            away = [
                owner for owner in owners if self._offering(BrokerPlace(collaboration, owner), end) is None
            ]
        if away:
            raise _away(away, "no table was opened and nothing was charged")

    def nonces(self, collaboration: str, owners: Sequence[str]) -> Mapping[str, bytes]:
        """One unused nonce of every owner's broker. Raises BrokerAway."""
        end = time.monotonic() + self._nonce_seconds
        nonces: dict[str, bytes] = {}
        with self._changed:
            for owner in owners:
                broker = self._offering(BrokerPlace(collaboration, owner), end)
                if broker is None:
                    raise _away([owner], "nothing was released")
                nonces[owner] = bytes.fromhex(broker.use_nonce())
        return nonces

    def grants(self, request: GrantRequest) -> Mapping[str, bytes]:
        """Every owner's sealed grant, from the process whose nonce was used. Raises BrokerAway, KeyRefused."""
        nonces = {owner: nonce.hex() for owner, nonce in request.nonces.items()}
        statement = digest_of(request.statement)
        asked: dict[str, BrokerRequestBody] = {}
        with self._changed:
            brokers = {}
            for owner in request.owners:
                here = self._here(BrokerPlace(request.collaboration, owner))
                broker = _known(owner, (one for one in here if one.gave(nonces[owner])))
                broker.grants_for(statement)
                brokers[owner] = broker
                asked[owner] = BrokerRequestBody(
                    id=_new_id(),
                    kind=BrokerRequestKind.GRANT,
                    statement=dict(request.statement),
                    attestation=base64.b64encode(request.attestation).decode(),
                    nonces=nonces,
                )
            answers = self._asked(brokers, asked)
        return {owner: _decoded(owner, answer) for owner, answer in answers.items()}

    def confirm(self, request: CommitRequest) -> Mapping[str, str]:
        """Every owner's confirmation, from the process that granted. Raises BrokerAway, KeyRefused.

        A query that is tried again has another statement each time, with the nonces of that try.
        """
        document = dict(request.document)
        statement = str(document["body"]["statement"])
        with self._changed:
            brokers, asked = {}, {}
            for owner in request.owners:
                here = self._here(BrokerPlace(request.collaboration, owner))
                brokers[owner] = _known(owner, (one for one in here if one.granted_for(statement)))
                asked[owner] = BrokerRequestBody(
                    id=_new_id(), kind=BrokerRequestKind.COMMIT, document=document
                )
            return self._asked(brokers, asked)

    def close(self) -> None:
        """Let waiting brokers go; they find another service, or this one when it runs again."""
        with self._changed:
            self._closed = True
            for brokers in self._brokers.values():
                for broker in brokers.values():
                    for waiter in broker.waiters:
                        waiter.wake()
            self._changed.notify_all()

    def _arrived(self, place: BrokerPlace, asked: BrokerRequestsAsked) -> ConnectedBroker:
        if self._closed:
            raise StoreUnavailable("the service is stopping", hint="connect again in a moment")
        now = time.monotonic()
        here = self._brokers.setdefault(place, {})
        for name in [name for name, one in here.items() if _is_forgotten(one, now)]:
            del here[name]
        if asked.broker not in here and len(here) >= MOST_BROKERS:
            raise Conflict("too many brokers of this owner are connected", hint="stop some of them")
        broker = here.setdefault(asked.broker, ConnectedBroker(place, now))
        if len(broker.waiters) >= MOST_WAITING:
            raise Conflict("this broker waits already", hint="wait for an answer before you ask again")
        broker.heard = now
        broker.offer(asked.nonces)
        self._changed.notify_all()
        return broker

    def _offering(self, place: BrokerPlace, end: float) -> ConnectedBroker | None:
        """A broker of the owner that is there and has a nonce, waiting for one while one is there."""
        while not self._closed:
            now = time.monotonic()
            here = [one for one in self._here(place) if one.is_there(now)]
            # One that ended a moment ago looks like one between two polls: whoever was heard last is likeliest there.
            for broker in sorted(here, key=lambda one: (not one.waiters, -one.heard)):
                if broker.has_nonce:
                    return broker
            if not here or now >= end:
                return None
            self._changed.wait(min(end - now, 1.0))
        return None

    def _here(self, place: BrokerPlace) -> list[ConnectedBroker]:
        return list(self._brokers.get(place, {}).values())

    def _asked(
        self, brokers: Mapping[str, ConnectedBroker], asked: Mapping[str, BrokerRequestBody]
    ) -> dict[str, str]:
        """Ask all at once; the answers when all have come. The lock is held, and given up while waiting."""
        questions = {owner: _Question(brokers[owner]) for owner in asked}
        for owner, request in asked.items():
            self._questions[request.id] = questions[owner]
            brokers[owner].put(request)
        try:
            self._changed.wait_for(
                lambda: self._closed or all(one.is_answered for one in questions.values()),
                self._answer_seconds,
            )
        finally:
            for owner, request in asked.items():
                del self._questions[request.id]
                brokers[owner].withdraw(request.id)
        if away := [owner for owner, one in questions.items() if not one.is_answered]:
            raise _away(away, "nothing was released")
        if refused := [owner for owner, one in questions.items() if one.answer is None]:
            raise _refused(refused)
        return {owner: one.answer for owner, one in questions.items() if one.answer is not None}


async def _woken_or_lost(waiter: Waiter, lost: Callable[[], Awaitable[object]], seconds: float) -> bool:
    """Whether the connection was lost before there was anything to say and before the time was over."""
    woken, gone = asyncio.ensure_future(waiter.woken.wait()), asyncio.ensure_future(lost())
    try:
        await asyncio.wait({woken, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return gone.done()
    finally:
        woken.cancel()
        gone.cancel()


def _is_forgotten(broker: ConnectedBroker, now: float) -> bool:
    return not broker.waiters and now - broker.heard > FORGOTTEN_SECONDS


def _known(owner: str, fitting: Iterable[ConnectedBroker]) -> ConnectedBroker:
    """The process that a request has to go to."""
    for broker in fitting:
        return broker
    raise _away([owner], "nothing was released")


def _new_id() -> str:
    return "brq-" + random_text(10)


def _decoded(owner: str, answer: str) -> bytes:
    try:
        return base64.b64decode(answer, validate=True)
    except (ValueError, binascii.Error) as error:
        raise _refused([owner]) from error


def _away(owners: Sequence[str], what: str) -> BrokerAway:
    named = ", ".join(sorted(owners))
    return BrokerAway(
        f"the key broker of {named} does not answer; {what}",
        hint=f"ask {named} to run `mixroom room broker`, which holds the keys of its tables",
    )


def _refused(owners: Sequence[str]) -> KeyRefused:
    named = ", ".join(sorted(owners))
    return KeyRefused(
        f"the key broker of {named} did not release its key; nothing was released",
        hint=f"ask {named}: why stands in its broker's log (`mixroom room broker-log`)",
    )
