"""An owner's broker beside a real service: questions are answered while it runs, and refused in words when not."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cleanroom.broker.broker_home import BrokerHome
from cleanroom.datasets.key_commitment import key_commitment
from cleanroom.errors import (
    BrokerAway,
    HomeUnusable,
    KeyRefused,
    LogBroken,
    NotAuthorised,
    NotFound,
    ServiceUnreachable,
    ServiceUntrusted,
    StateRolledBack,
)
from cleanroom.partner.broker_loop import CONNECTED, OFFERED_NONCES, BrokerLoop
from cleanroom.partner.homes_link import HomesLink
from cleanroom.partner.installed_worker import OWN, known_measurements
from cleanroom.partner.joining import key_by_signature
from cleanroom.partner.owners_broker import broker_loop, running_broker
from cleanroom.partner.release_verification import ReleaseTrust, verify_release
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_link import RoomLink
from cleanroom.partner.room_questions import QuestionText
from cleanroom.service.broker_bodies import (
    BrokerRequestBody,
    BrokerRequestKind,
    BrokerRequestsBody,
    BrokerTakenBody,
)
from tests.cleanroom.owners_brokers import SHORT_POLL_SECONDS, this_installation, with_broker
from tests.cleanroom.service.running_room import ANALYST
from tests.cleanroom.service.small_tables import uploaded

SQL = "SELECT region, COUNT(DISTINCT person) AS people FROM crm GROUP BY region ORDER BY region"
ROWS = [["north", 160], ["south", 80]]


@pytest.fixture
def acme(service, tmp_path):
    home = service.founded(tmp_path)
    uploaded(tmp_path, home)
    return home


@contextmanager
def told_broker(home) -> Iterator[list[str]]:
    """What the broker of a home says while it runs."""
    said: list[str] = []
    with running_broker(
        home, tell=said.append, installed=this_installation(), wait_seconds=SHORT_POLL_SECONDS
    ):
        yield said


def ask(home, sql=SQL):
    with RoomClient(home) as room:
        return room.questions.ask(QuestionText(sql)).release


# --- with a broker, and without -------------------------------------------------------------------------


def test_a_question_is_answered_while_the_broker_runs_and_each_step_is_told(acme):
    with told_broker(acme) as said:
        body = ask(acme)["body"]

    query = f"query {body['query_id']} of acme"
    assert body["result"]["rows"] == ROWS
    assert said == [
        CONNECTED,
        f"gave the key of crm for {query}, threshold protection, no epsilon, to a worker that measures "
        f"{this_installation().full[:16]}",
        f"confirmed {query}: the record of releases is now {body['history']['after'][:16]}",
    ]


def test_a_release_is_proved_to_be_of_this_installations_worker(acme):
    with with_broker(acme):
        release = ask(acme)
    with RoomClient(acme) as client:
        client.verify_record()
    room = acme.room

    trust = ReleaseTrust(room.collaboration, room.enclave_root, known_measurements())
    said = verify_release(release, trust, record=acme.record)

    assert any(f"measurement {this_installation().full[:16]}, {OWN}" in line for line in said.proved)
    assert "acme signed that its broker gave this worker its keys for this question" in said.proved


def test_without_a_broker_the_asker_is_told_who_should_run_it_and_that_nothing_was_charged(acme):
    with pytest.raises(
        BrokerAway, match=r"the key broker of acme does not answer.*nothing was charged"
    ) as away:
        ask(acme)

    assert "mixroom room broker" in away.value.hint
    with RoomClient(acme) as room:
        assert room.questions.asked().queries == []
        assert room.questions.budget().budgets[0].queries_today == 0


def test_a_paused_owner_gives_nothing_and_goes_on_where_it_was(acme):
    kept = BrokerHome(acme.broker)
    with told_broker(acme) as said:
        kept.pause(now=datetime.now(UTC))
        with pytest.raises(KeyRefused, match="acme"):
            ask(acme)
        kept.resume(now=datetime.now(UTC))
        assert ask(acme)["body"]["result"]["rows"] == ROWS

    assert any(line.startswith("refused keys for query") and "has paused crm" in line for line in said)
    assert "gives no keys at present for any table" in said
    assert "gives keys again for every table" in said


def test_a_worker_that_is_not_this_installations_gets_nothing_and_its_measurement_is_told(acme):
    said: list[str] = []
    other = replace(this_installation(), full="9" * 96)
    with (
        running_broker(acme, tell=said.append, installed=other, wait_seconds=SHORT_POLL_SECONDS),
        pytest.raises(KeyRefused),
    ):
        ask(acme)

    measured = this_installation().full
    assert said[0] == (
        f"connected, and no key is given: the service's worker measures {measured}, another version: "
        "see its `mixroom enclave measure`, then --allow"
    )
    assert "the worker runs another program than those allowed" in said[1]
    assert measured in said[1]


# --- keys on the owner's machine ------------------------------------------------------------------------


def test_an_uploaded_tables_key_is_kept_here_and_only_named_there(acme, service):
    (held,) = BrokerHome(acme.broker).keys.all_held()
    key = BrokerHome(acme.broker).keys.get(held.version)
    with RoomClient(acme) as room:
        (version,) = room.versions("crm").versions

    assert version.key_commitment == key_commitment(held.version, key)
    for path in service.parts.settings.data.rglob("*"):
        assert not path.is_file() or key not in path.read_bytes(), path


def test_a_deleted_tables_key_is_gone_although_the_service_does_not_answer(acme, monkeypatch):
    monkeypatch.setattr("cleanroom.partner.room_link.FIRST_PAUSE_SECONDS", 0.0)
    (held,) = BrokerHome(acme.broker).keys.all_held()

    with RoomClient(acme) as room:
        room.link = RoomLink("http://127.0.0.1:9", acme.api_key)
        with pytest.raises(ServiceUnreachable):
            room.destroy("crm", held.version)
    with pytest.raises(NotFound):
        BrokerHome(acme.broker).keys.get(held.version)

    with RoomClient(acme) as room:  # the same command again
        assert len(room.destroy("crm", held.version).key_commitment) == 64


# --- who may run one ------------------------------------------------------------------------------------


def test_an_analyst_has_no_keys_to_give(service, acme):
    home = service.joined(acme, "ana", ANALYST)

    with pytest.raises(HomeUnusable, match="did not join as a data owner"), with_broker(home):
        pass


def test_one_broker_runs_on_a_home(acme):
    with with_broker(acme), pytest.raises(HomeUnusable, match="another broker runs"), with_broker(acme):
        pass


def test_an_ended_api_key_ends_the_broker(acme, monkeypatch):
    monkeypatch.setattr("cleanroom.partner.homes_link.PAUSE_SECONDS", 0.0)
    with (
        broker_loop(
            acme, tell=lambda line: None, installed=this_installation(), wait_seconds=SHORT_POLL_SECONDS
        ) as loop,
        RoomClient(acme) as room,
    ):
        key_by_signature(acme, acme.room, room.link, end_others=True)  # and the home does not get it
        with pytest.raises(NotAuthorised):
            loop.run()


def test_a_replaced_api_key_is_taken_up_by_the_running_broker(acme):
    with told_broker(acme) as said, RoomClient(acme) as room:
        room.rotate_key()
        assert ask(acme)["body"]["result"]["rows"] == ROWS

    assert said[0] == CONNECTED
    assert len(said) == 3


# --- the connection -------------------------------------------------------------------------------------


class Forwarding(socketserver.ThreadingTCPServer):
    """A way to the service that can be closed."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int, target: int) -> None:
        self.target = target
        super().__init__(("127.0.0.1", port), Forwarded)


class Forwarded(socketserver.BaseRequestHandler):
    """One connection."""

    def handle(self) -> None:
        assert isinstance(self.server, Forwarding)
        with socket.create_connection(("127.0.0.1", self.server.target)) as onward:
            back = threading.Thread(target=carry, args=(onward, self.request), daemon=True)
            back.start()
            carry(self.request, onward)
            back.join()


def carry(source: socket.socket, target: socket.socket) -> None:
    """Until one of the two ends."""
    try:
        while content := source.recv(65536):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def until(condition) -> None:
    """Fails after ten seconds."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_lost_connection_is_told_once_and_the_broker_connects_again(service, acme, monkeypatch):
    monkeypatch.setattr("cleanroom.partner.broker_loop.FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("cleanroom.partner.broker_loop.LONGEST_PAUSE_SECONDS", 0.05)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said: list[str] = []
    link = RoomLink(f"http://127.0.0.1:{port}", acme.api_key)
    broker = Offering()
    loop = BrokerLoop(link, acme.room.collaboration, broker, tell=said.append, wait_seconds=0.1)
    thread = threading.Thread(target=loop.run)
    thread.start()
    until(lambda: broker.asked and said)
    time.sleep(0.2)
    assert said == [f"http://127.0.0.1:{port} does not answer; trying again"]

    with Forwarding(port, int(service.url.rpartition(":")[2])) as way:
        threading.Thread(target=way.serve_forever, args=(0.05,), daemon=True).start()
        until(lambda: said[1:] == [CONNECTED])
        loop.close()
        thread.join(10)
        way.shutdown()

    assert not thread.is_alive()
    link.close()


class Offering:
    """Gives out numbered nonces, answers as told, and remembers."""

    def __init__(self, *answers: object) -> None:
        self.asked: list[object] = []
        self.made = 0
        self._answers = iter(answers)

    def nonces(self, count: int = 1) -> tuple[bytes, ...]:
        self.asked.append(count)
        self.made += count
        return tuple(number.to_bytes(32) for number in range(self.made - count, self.made))

    def answer(self, request: object) -> str | None:
        answer = next(self._answers)
        if isinstance(answer, Exception):
            raise answer
        return None if answer is None else str(answer)

    def retire_expired(self) -> None:
        """No key has ended."""


class Scripted:
    """A link on which given requests come in, a list a poll."""

    def __init__(self, *polls: list[BrokerRequestBody]) -> None:
        self._polls = iter(polls)
        self.offered: list[list[str]] = []
        self.answers: list[object] = []

    def post_once(self, path, shape, body, *, read_seconds):
        self.offered.append(body["nonces"])
        return BrokerRequestsBody(requests=next(self._polls))

    def post(self, path, shape, body=None):
        self.answers.append(body["answer"])
        return BrokerTakenBody(taken=False)


def asked_for(nonce: str = "", number: int = 2) -> BrokerRequestBody:
    return BrokerRequestBody(
        id=f"brq-{number}", kind=BrokerRequestKind.GRANT, nonces={"acme": nonce} if nonce else {}
    )


def test_offered_nonces_are_topped_up_and_used_ones_are_not_offered_again():
    link, broker = Scripted([], [asked_for((3).to_bytes(32).hex())], []), Offering(None)
    loop = BrokerLoop(link, "col-abcdefgh23456722", broker, tell=lambda line: None)
    for _ in range(3):
        loop.once()

    first = [number.to_bytes(32).hex() for number in range(OFFERED_NONCES)]
    assert link.offered[:2] == [first, first]
    assert sorted(link.offered[2]) == sorted({*first, OFFERED_NONCES.to_bytes(32).hex()} - {first[3]})


def test_nonces_are_not_offered_until_they_end(monkeypatch):
    link, broker = Scripted([], []), Offering()
    loop = BrokerLoop(link, "col-abcdefgh23456722", broker, tell=lambda line: None)
    loop.once()
    monkeypatch.setattr("cleanroom.partner.broker_loop.NONCE_SECONDS", 0.0)
    loop.once()

    assert set(link.offered[0]).isdisjoint(link.offered[1])


def test_answers_and_refusals_go_back_and_an_answer_too_late_is_told():
    said: list[str] = []
    link, broker = Scripted([asked_for(), asked_for(number=3)]), Offering("c2VhbGVk", None)

    assert BrokerLoop(link, "col-abcdefgh23456722", broker, tell=said.append).once() == 2
    assert link.answers == ["c2VhbGVk", None]
    assert said == ["nobody waited for that answer any more; the question came to nothing"]


def test_a_home_that_was_put_back_ends_the_broker_instead_of_being_tried_again():
    """Its error counts as a failure of a service elsewhere; here it must not."""
    link, broker = Scripted([asked_for()]), Offering(StateRolledBack("rolled back"))

    with pytest.raises(StateRolledBack):
        BrokerLoop(link, "col-abcdefgh23456722", broker, tell=lambda line: None).run()


@pytest.mark.parametrize("kind", [HomeUnusable, LogBroken, StateRolledBack])
def test_a_service_does_not_speak_for_the_home(acme, monkeypatch, kind):
    """Or it would end the broker with one answer."""

    def answering(*_: object, **__: object) -> object:
        raise kind("said the service")

    monkeypatch.setattr(RoomLink, "post_once", answering)
    monkeypatch.setattr(RoomLink, "get", answering)
    with HomesLink(acme) as link:
        with pytest.raises(ServiceUntrusted, match="said the service"):
            link.post_once("/v1", BrokerRequestsBody, {}, read_seconds=1.0)
        with pytest.raises(ServiceUntrusted):
            link.get("/v1", BrokerRequestsBody)
