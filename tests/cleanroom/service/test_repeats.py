"""Requests that are repeated after a lost answer: done once, answered alike."""

import uuid

import httpx
import pytest

from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_questions import QuestionText
from cleanroom.service.audit_bodies import ServiceBody
from tests.cleanroom.service.small_tables import uploaded

ASKED = {"sql": "SELECT region, COUNT(DISTINCT person) AS people FROM crm GROUP BY region"}


@pytest.fixture(scope="module")
def acme(service, tmp_path_factory, module_broker):
    folder = tmp_path_factory.mktemp("acme")
    home = service.founded(folder)
    uploaded(folder, home)
    return module_broker(home)


@pytest.fixture
def client(service, acme):
    with service.http(acme) as http:
        yield http


@pytest.fixture
def queries(acme):
    return f"/v1/collaborations/{acme.room.collaboration}/queries"


def key():
    return {"Idempotency-Key": str(uuid.uuid4())}


def test_a_repeated_query_is_charged_once_and_answered_alike(client, queries):
    headers = key()
    before = len(client.get(queries).json()["queries"])

    first, second = (client.post(queries, json=ASKED, headers=headers) for _ in range(2))

    assert first.status_code == 200
    assert first.json() == second.json()
    assert len(client.get(queries).json()["queries"]) == before + 1


def test_a_key_with_another_body_is_a_conflict(client, queries):
    headers = key()
    client.post(queries, json=ASKED, headers=headers)

    assert client.post(queries, json={"sql": "SELECT 1"}, headers=headers).status_code == 409


def test_a_refused_request_may_be_mended_under_the_same_key(client, queries):
    headers = key()

    assert client.post(queries, json={"sql": "SELECT 1"}, headers=headers).status_code == 403
    assert client.post(queries, json=ASKED, headers=headers).status_code == 200


@pytest.mark.parametrize("text", ["", "a b", "x" * 201, "é"])
def test_a_key_has_a_shape(client, queries, text):
    response = client.post(queries, json=ASKED, headers={b"Idempotency-Key": text.encode()})

    assert response.status_code == 422


def test_new_keys_are_never_kept_in_the_database(service, client):
    headers = key()
    first, second = (client.post("/v1/keys", json={}, headers=headers).json() for _ in range(2))

    assert first["key"] != second["key"]
    for path in service.parts.settings.data.glob("room.db*"):
        content = path.read_bytes()
        assert first["key"].encode() not in content
        assert second["key"].encode() not in content


def test_the_client_repeats_a_lost_query_under_one_key(acme, queries, monkeypatch):
    monkeypatch.setattr("cleanroom.partner.room_link.FIRST_PAUSE_SECONDS", 0.0)
    seen = []
    send = httpx.Client.request

    def lose_the_first_answer(self, method, url, **rest):
        response = send(self, method, url, **rest)
        if "/broker/" in str(url):  # the broker's own, in another thread
            return response
        seen.append(rest["headers"].get("Idempotency-Key"))
        if len(seen) == 1:
            raise httpx.ReadError("lost")
        return response

    with RoomClient(acme) as room:
        before = len(room.questions.asked().queries)
        monkeypatch.setattr(httpx.Client, "request", lose_the_first_answer)
        answer = room.questions.ask(QuestionText(ASKED["sql"]))
        monkeypatch.undo()

        assert len(seen) == 2
        assert len(set(seen)) == 1
        assert len(room.questions.asked().queries) == before + 1
        assert answer.query_id == room.questions.asked().queries[0].id


def test_reading_is_repeated_too(acme, monkeypatch):
    monkeypatch.setattr("cleanroom.partner.room_link.FIRST_PAUSE_SECONDS", 0.0)
    send = httpx.Client.request
    left = [httpx.ConnectError("lost"), httpx.RemoteProtocolError("lost")]

    def fail_twice(self, method, url, **rest):
        if left and url == "/v1/service":
            raise left.pop()
        return send(self, method, url, **rest)

    monkeypatch.setattr(httpx.Client, "request", fail_twice)
    with RoomClient(acme) as room:
        assert room.link.get("/v1/service", ServiceBody).ok
