"""Questions whose owners' key brokers are away, refuse, or die on the way: what is charged, and what goes on."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from cleanroom.broker.broker_home import BrokerHome
from cleanroom.errors import BrokerAway, KeyRefused
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_questions import QuestionText
from tests.cleanroom.owners_brokers import BrokerDied, with_broker, with_trouble
from tests.cleanroom.service.running_room import ANALYST, OWNER, running_room
from tests.cleanroom.service.small_tables import PEOPLE, uploaded

OF_CRM = QuestionText("SELECT COUNT(DISTINCT person) AS people FROM crm")
OF_VISITS = QuestionText("SELECT COUNT(DISTINCT person) AS people FROM visits")
OF_BOTH = QuestionText(
    "SELECT COUNT(DISTINCT a.person) AS people FROM crm a JOIN visits b ON a.person = b.person"
)


@pytest.fixture
def owners(service, tmp_path):
    """Two owners with one table each; acme's is crm."""
    acme = service.founded(tmp_path)
    beta = service.joined(acme, "beta", OWNER)
    uploaded(tmp_path, acme, "crm", joins=["visits"])
    uploaded(tmp_path, beta, "visits", joins=["crm"])
    return acme, beta


@pytest.fixture
def hasty(service, monkeypatch):
    """The service gives brokers a few seconds to answer."""
    monkeypatch.setattr(service.parts.brokers, "_answer_seconds", 4.0)


def asked(home, question):
    with RoomClient(home) as room:
        return room.questions.ask(question).release["body"]


def ended(home):
    """State of every query, oldest first."""
    with RoomClient(home) as room:
        return [query.state for query in reversed(room.questions.asked().queries)]


def dies_at(kind, *, having_done_it):
    """A broker whose process ends at a request of this kind, before or after it did what it was asked for."""

    def trouble(broker, request):
        if request["kind"] != kind:
            return broker.answer(request)
        if having_done_it:
            assert broker.answer(request) is not None
        raise BrokerDied

    return trouble


def test_nothing_is_charged_while_a_broker_is_away(service, owners):
    acme, _ = owners
    queries = f"/v1/collaborations/{acme.room.collaboration}/queries"
    with service.http(acme) as client:
        answer = client.post(queries, json={"sql": OF_CRM.sql})

    assert answer.status_code == 409
    assert answer.json()["error"] == {
        "code": "broker_away",
        "message": "the key broker of acme does not answer; no table was opened and nothing was charged",
        "hint": "ask acme to run `mixroom room broker`, which holds the keys of its tables",
    }
    assert ended(acme) == []


def test_of_two_owners_the_one_whose_broker_is_away_is_named(owners):
    acme, beta = owners
    with with_broker(acme):
        with pytest.raises(BrokerAway, match=r"broker of beta .* nothing was charged"):
            asked(acme, OF_BOTH)
        assert asked(acme, OF_CRM)["result"]["rows"] == [[PEOPLE]]
        with with_broker(beta):
            assert asked(acme, OF_BOTH)["result"]["rows"] == [[PEOPLE]]
    assert ended(acme) == ["released", "released"]


def test_a_refusal_is_told_without_its_reason_and_the_charge_stays(owners):
    acme, beta = owners
    BrokerHome(beta.broker).pause(now=datetime.now(UTC))
    with with_broker(acme, beta), pytest.raises(KeyRefused) as refused:
        asked(acme, OF_BOTH)

    assert str(refused.value) == "the key broker of beta did not release its key; nothing was released"
    assert ended(acme) == ["failed"]
    with RoomClient(acme) as room:
        last = room.audit().entries[-1]
    assert (last.action, last.details["reason"]) == ("query failed", "key_refused")


def test_the_log_names_whose_brokers_a_charged_query_asks(owners):
    acme, beta = owners
    with with_broker(acme, beta):
        asked(acme, OF_BOTH)
    with RoomClient(beta) as room:
        charged = [entry for entry in room.audit().entries if entry.action == "query charged"]
    assert [entry.details["key_brokers"] for entry in charged] == [["acme", "beta"]]


@pytest.mark.parametrize("having_done_it", [False, True], ids=["before it committed", "after"])
def test_a_broker_that_dies_at_the_commit_stops_its_query_and_no_later_one(owners, hasty, having_done_it):
    acme, beta = owners
    with with_broker(acme):
        with (
            with_trouble(beta, dies_at("commit", having_done_it=having_done_it)),
            pytest.raises(BrokerAway, match="nothing was released"),
        ):
            asked(acme, OF_BOTH)
        assert ended(acme) == ["failed"]
        with with_broker(beta):
            for question in (OF_VISITS, OF_CRM, OF_BOTH):
                assert asked(acme, question)["result"]["rows"] == [[PEOPLE]]
    assert ended(acme) == ["failed", *["released"] * 3]


def test_what_owners_committed_to_without_a_release_is_built_upon(owners, hasty):
    acme, beta = owners
    with with_broker(acme):
        with with_trouble(beta, dies_at("commit", having_done_it=True)), pytest.raises(BrokerAway):
            asked(acme, OF_BOTH)
        with with_broker(beta):
            first, second = asked(acme, OF_CRM)["history"], asked(acme, OF_BOTH)["history"]

    assert first["before"] != ""  # the state whose release never came
    assert second["before"] == first["after"]


def test_a_broker_that_dies_before_it_grants_leaves_its_nonce_behind_and_nothing_else(owners, hasty):
    acme, _ = owners
    with with_trouble(acme, dies_at("grant", having_done_it=False)), pytest.raises(BrokerAway):
        asked(acme, OF_CRM)
    with with_broker(acme):
        assert asked(acme, OF_CRM)["history"]["before"] == ""
    assert ended(acme) == ["failed", "released"]


def test_an_answer_in_other_words_than_the_commit_asks_for_gets_no_release(owners):
    acme, _ = owners

    def lies(broker, request):
        answer = broker.answer(request)
        return "0" * 64 if request["kind"] == "commit" else answer

    with with_trouble(acme, lies), pytest.raises(KeyRefused):
        asked(acme, OF_CRM)
    assert ended(acme) == ["failed"]


def test_the_same_noised_answer_comes_again_without_any_broker(service, tmp_path):
    home = service.founded(tmp_path)
    uploaded(tmp_path, home, privacy="dp", dp={"epsilon_per_query": 1.0, "epsilon_budget": 1.5})
    with with_broker(home):
        first = asked(home, OF_CRM)
    assert asked(home, OF_CRM) == first


def test_brokers_get_in_while_queries_take_every_thread(tmp_path):
    """Each of them waits for what only its broker can bring."""
    with running_room(tmp_path / "service", request_threads=4) as service:
        home = service.founded(tmp_path, "acme", ANALYST)
        uploaded(tmp_path, home)
        texts = [
            f"SELECT COUNT(DISTINCT person) AS people FROM crm WHERE region <> 'x{each}'" for each in range(8)
        ]
        with with_broker(home), ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda sql: asked(home, QuestionText(sql)), texts))
    assert [answer["result"]["rows"] for answer in answers] == [[[PEOPLE]]] * 8


def test_no_member_reads_what_brokers_are_asked(service, owners):
    """Requests go to the owner that is asked, and to nobody else's connection."""
    acme, beta = owners
    poll = {"broker": "1" * 32, "nonces": ["2" * 64], "wait_seconds": 0.5}
    path = f"/v1/collaborations/{acme.room.collaboration}/broker/requests"
    with with_broker(acme), service.http(beta) as client, ThreadPoolExecutor(1) as pool:
        answered = pool.submit(client.post, path, json=poll)
        asked(acme, OF_CRM)
        assert json.loads(answered.result().content) == {"ok": True, "requests": []}
