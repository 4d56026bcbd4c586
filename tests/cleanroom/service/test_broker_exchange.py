"""Brokers that wait and queries that ask them: who gets what, once, and what becomes of those that are not there."""

import asyncio
import base64
import threading
import time
from contextlib import contextmanager

import pytest

from cleanroom.errors import BrokerAway, Conflict, KeyRefused, StoreUnavailable
from cleanroom.service import connected_broker
from cleanroom.service.broker_bodies import BrokerRequestsAsked
from cleanroom.service.broker_exchange import MOST_BROKERS, MOST_WAITING, BrokerExchange
from cleanroom.service.connected_broker import BrokerPlace
from cleanroom.worker.executor import CommitRequest, GrantRequest
from privacy.canonical_json import digest_of

ROOM = "col-a"
ACME, BETA = BrokerPlace(ROOM, "acme"), BrokerPlace(ROOM, "beta")
STATEMENT = {"query_id": "qry-a", "asker": "ana"}
COMMIT = {"body": {"query_id": "qry-a", "statement": digest_of(STATEMENT)}}


def nonce(number):
    return bytes([number]) * 32


class FakeBroker:
    """One process of an owner's broker, in an event loop of its own, that answers as told."""

    def __init__(self, exchange, place, *nonces, process=1, answers=lambda request: "AAAA"):
        self.exchange, self.place, self.answers = exchange, place, answers
        self.process, self.nonces, self.seen, self.taken = process, nonces, [], []
        self.loop, self.lost = asyncio.new_event_loop(), asyncio.Event()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def poll(self, wait_seconds=5.0):
        """Ask once, and answer what came; what came."""
        return self._polling(wait_seconds).result(10)

    def start(self, wait_seconds=5.0):
        """Wait in the background; back once the exchange knows of it."""
        future = self._polling(wait_seconds)
        self.settle()
        return future

    def lose(self):
        """The connection is lost."""
        self.loop.call_soon_threadsafe(self.lost.set)
        self.settle()

    def settle(self):
        time.sleep(0.05)

    def close(self):
        async def rest():
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(rest(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _polling(self, wait_seconds):
        async def once():
            nonces = [each.hex() for each in self.nonces]
            asked = BrokerRequestsAsked(
                broker=f"{self.process:032x}", nonces=nonces, wait_seconds=wait_seconds
            )
            found = await self.exchange.poll(self.place, asked, lost=self.lost.wait)
            for request in found:
                self.seen.append(request)
                answer = self.answers(request)
                if answer != "silence":
                    self.taken.append(self.exchange.answer(self.place, request.id, answer))
            return found

        return asyncio.run_coroutine_threadsafe(once(), self.loop)


@pytest.fixture
def exchange():
    made = BrokerExchange(answer_seconds=0.4, nonce_seconds=0.3)
    yield made
    made.close()


@pytest.fixture
def broker(exchange):
    """Makes brokers of this exchange."""
    made = []

    def make(place, *nonces, **more):
        made.append(FakeBroker(exchange, place, *nonces, **more))
        return made[-1]

    yield make
    exchange.close()
    for each in made:
        each.close()


def granted(exchange, *owners):
    """What a query does: take nonces, ask for keys."""
    nonces = exchange.nonces(ROOM, owners)
    return exchange.grants(GrantRequest(ROOM, STATEMENT, b"document", nonces, owners))


def test_a_waiting_broker_gets_the_request_at_once_and_its_grant_arrives(exchange, broker):
    acme = broker(ACME, nonce(1), answers=lambda request: base64.b64encode(b"sealed").decode())
    waiting = acme.start()

    assert granted(exchange, "acme") == {"acme": b"sealed"}
    (request,) = waiting.result(5)
    assert (request.kind, request.statement, request.nonces) == (
        "grant",
        STATEMENT,
        {"acme": nonce(1).hex()},
    )
    assert base64.b64decode(request.attestation) == b"document"
    assert acme.taken == [True]


def test_without_its_broker_an_owner_is_named_and_nothing_is_charged(exchange, broker):
    broker(ACME, nonce(1)).start()
    exchange.require_present(ROOM, ["acme"])
    started = time.monotonic()
    with pytest.raises(BrokerAway, match=r"broker of beta does not answer; .*nothing was charged"):
        exchange.require_present(ROOM, ["acme", "beta"])
    assert time.monotonic() - started < 0.2  # nobody waits for one that is not there
    with pytest.raises(BrokerAway):
        exchange.require_present("col-b", ["acme"])


def test_one_that_asked_a_moment_ago_is_there_and_then_no_longer(exchange, broker, monkeypatch):
    monkeypatch.setattr(connected_broker, "STILL_THERE_SECONDS", 0.2)
    broker(ACME, nonce(1)).poll(wait_seconds=0)
    exchange.require_present(ROOM, ["acme"])
    time.sleep(0.25)
    with pytest.raises(BrokerAway):
        exchange.require_present(ROOM, ["acme"])


def test_of_two_that_asked_a_moment_ago_the_later_one_is_asked(exchange, broker):
    """The other may be the process that this one took the place of."""
    for number in (1, 2):
        broker(ACME, nonce(number), process=number).poll(wait_seconds=0)
    assert exchange.nonces(ROOM, ["acme"]) == {"acme": nonce(2)}


def test_one_whose_connection_was_lost_is_away_at_once_and_gets_nothing(exchange, broker):
    acme = broker(ACME, nonce(1))
    waiting = acme.start()
    acme.lose()
    assert waiting.result(5) == []
    with pytest.raises(BrokerAway):
        exchange.require_present(ROOM, ["acme"])


def test_a_nonce_is_used_once_however_often_it_is_offered(exchange, broker):
    acme = broker(ACME, nonce(1), nonce(2))
    used = []
    for _ in range(2):
        acme.start(wait_seconds=0.2)
        used.append(exchange.nonces(ROOM, ["acme"])["acme"])
    acme.start()
    assert sorted(used) == [nonce(1), nonce(2)]
    with pytest.raises(BrokerAway):
        exchange.nonces(ROOM, ["acme"])


def test_a_broker_that_is_there_is_given_a_moment_to_offer_another_nonce(exchange, broker):
    acme = broker(ACME)
    acme.start()
    found = []
    asking = threading.Thread(target=lambda: found.append(exchange.nonces(ROOM, ["acme"])))
    asking.start()
    acme.nonces = (nonce(7),)
    acme.start()
    asking.join()
    assert found == [{"acme": nonce(7)}]


def test_a_refusal_says_whose_and_nothing_else(exchange, broker):
    broker(ACME, nonce(1)).start()
    broker(BETA, nonce(2), answers=lambda request: None).start()
    with pytest.raises(KeyRefused) as refused:
        granted(exchange, "acme", "beta")
    assert str(refused.value) == "the key broker of beta did not release its key; nothing was released"


@pytest.mark.parametrize("answer", ["no base64", "AAA"])
def test_an_answer_that_is_none_is_a_refusal(exchange, broker, answer):
    broker(ACME, nonce(1), answers=lambda request: answer).start()
    with pytest.raises(KeyRefused):
        granted(exchange, "acme")


def test_who_answers_too_late_is_away_and_the_answer_is_not_taken(exchange, broker):
    acme = broker(ACME, nonce(1), answers=lambda request: "silence")
    acme.start()
    with pytest.raises(BrokerAway, match="nothing was released"):
        granted(exchange, "acme")
    (request,) = acme.seen
    assert exchange.answer(ACME, request.id, "AAAA") is False
    assert acme.poll(wait_seconds=0) == []  # handed over once


def test_a_request_that_nobody_fetched_is_gone_when_its_query_is(exchange, broker):
    acme = broker(ACME, nonce(1), nonce(2))
    acme.poll(wait_seconds=0)
    with pytest.raises(BrokerAway):
        granted(exchange, "acme")
    assert acme.poll(wait_seconds=0) == []


def test_nobody_answers_for_another_owner_or_twice(exchange, broker):
    broker(BETA, nonce(9)).start()
    taken = []

    def answers(request):
        taken.append(exchange.answer(BETA, request.id, "AAAA"))
        taken.append(exchange.answer(BrokerPlace("col-b", "acme"), request.id, "AAAA"))
        taken.append(exchange.answer(ACME, request.id, "AAAA"))
        return "BBBB"

    acme = broker(ACME, nonce(1), answers=answers)
    acme.start()
    assert granted(exchange, "acme") == {"acme": base64.b64decode("AAAA")}
    acme.settle()
    assert (taken, acme.taken) == ([False, False, True], [False])


def test_of_two_processes_the_one_whose_nonce_it_is_grants_and_confirms(exchange, broker):
    first, second = (
        broker(ACME, nonce(number), process=number, answers=lambda request, number=number: f"{number}AAA")
        for number in (1, 2)
    )
    first.start()
    second.start()
    used = exchange.nonces(ROOM, ["acme"])
    chosen, other = (first, second) if used["acme"] == nonce(1) else (second, first)
    assert exchange.grants(GrantRequest(ROOM, STATEMENT, b"document", used, ("acme",)))
    chosen.start()
    confirmed = exchange.confirm(CommitRequest(ROOM, ("acme",), COMMIT))
    assert confirmed == {"acme": f"{chosen.process}AAA"}
    assert [request.kind for request in chosen.seen] == ["grant", "commit"]
    assert chosen.seen[1].document == COMMIT
    assert other.seen == []


def test_a_query_that_is_tried_again_is_confirmed_by_the_process_that_granted_this_try(exchange, broker):
    """The broker of the first try has ended, and is not forgotten yet."""
    first = broker(ACME, nonce(1), process=1)
    first.start()
    granted(exchange, "acme")
    first.settle()
    second = broker(ACME, nonce(2), process=2)
    second.start()
    used = exchange.nonces(ROOM, ["acme"])
    again = {**STATEMENT, "nonces": {"acme": nonce(2).hex()}}
    exchange.grants(GrantRequest(ROOM, again, b"document", used, ("acme",)))
    second.start()

    commit = {"body": {"query_id": "qry-a", "statement": digest_of(again)}}
    assert exchange.confirm(CommitRequest(ROOM, ("acme",), commit)) == {"acme": "AAAA"}
    assert [request.kind for request in second.seen] == ["grant", "commit"]


def test_one_that_died_between_grant_and_commit_is_away(exchange, broker):
    acme = broker(ACME, nonce(1))
    acme.start()
    granted(exchange, "acme")
    acme.settle()
    acme.start()
    acme.lose()
    with pytest.raises(BrokerAway, match="nothing was released"):
        exchange.confirm(CommitRequest(ROOM, ("acme",), COMMIT))


def test_who_granted_nothing_is_not_asked_to_confirm(exchange, broker):
    broker(ACME, nonce(1)).start()
    with pytest.raises(BrokerAway):
        exchange.confirm(CommitRequest(ROOM, ("acme",), COMMIT))


def test_nobody_takes_the_room_of_others(exchange, broker):
    for number in range(MOST_BROKERS):
        broker(ACME, process=number).poll(wait_seconds=0)
    with pytest.raises(Conflict):
        broker(ACME, process=99).poll(wait_seconds=0)
    broker(BETA).poll(wait_seconds=0)

    acme = broker(ACME, process=0)
    for _ in range(MOST_WAITING):
        acme.start()
    with pytest.raises(Conflict):
        acme.poll()


def test_closing_lets_everybody_go(exchange, broker):
    acme = broker(ACME, nonce(1))
    waiting = acme.start()
    with ended_within(1.0):
        exchange.close()
        assert waiting.result(5) == []
    with pytest.raises(StoreUnavailable):
        acme.poll()
    with pytest.raises(BrokerAway):
        exchange.require_present(ROOM, ["acme"])


@contextmanager
def ended_within(seconds):
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds
