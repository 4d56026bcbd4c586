"""Who may do what over HTTP: other collaborations do not exist, and the operator reads nothing."""

import pytest

from cleanroom.errors import Forbidden, NotFound
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_questions import QuestionText
from tests.cleanroom.service.running_room import ANALYST, AUDITOR
from tests.cleanroom.service.small_tables import uploaded

READS = ["", "/record", "/proposals", "/datasets", "/queries", "/templates", "/budget", "/audit", "/audit/export",
         "/audit/checkpoint", "/invitations"]  # fmt: skip


@pytest.fixture(scope="module")
def acme(service, tmp_path_factory):
    return service.founded(tmp_path_factory.mktemp("acme"))


@pytest.fixture(scope="module")
def stranger(service, tmp_path_factory):
    return service.founded(tmp_path_factory.mktemp("stranger"), "evil")


@pytest.mark.parametrize("path", READS)
def test_a_member_of_another_collaboration_sees_what_one_sees_of_a_room_that_is_not_there(
    service, acme, stranger, path
):
    with service.http(stranger) as client:
        real = client.get(f"/v1/collaborations/{acme.room.collaboration}{path}")
        invented = client.get(f"/v1/collaborations/col-{'2' * 16}{path}")

    assert real.status_code == 404
    assert real.json() == invented.json()


@pytest.mark.parametrize("path", READS)
def test_the_operator_reads_nothing_of_a_collaboration(service, acme, path):
    with service.operator_http() as client:
        assert client.get(f"/v1/collaborations/{acme.room.collaboration}{path}").status_code == 404


def test_the_operator_sees_sizes_and_its_own_log_only(service, acme):
    with service.operator_http() as client:
        listed = client.get("/v1/collaborations").json()["collaborations"]
        assert all(line.keys() == {"id", "created", "members"} for line in listed)
        assert client.get("/v1/service/storage").json().keys() == {"ok", "tables", "stored_bytes", "at"}
        actions = {entry["action"] for entry in client.get("/v1/service/audit").json()["entries"]}

    assert actions <= {"operator key issued", "founding code issued", "collaboration founded"} | {
        "key issued",  # the operator's own, of tests that run before
        "key rotated",
    }


def test_members_do_not_read_what_is_the_operators(service, acme):
    with service.http(acme) as client:
        for path in ("/v1/service/storage", "/v1/service/audit", "/v1/service/audit/export"):
            assert client.get(path).status_code == 403
        assert client.post("/v1/founding-codes", json={}).status_code == 403


def test_an_auditor_reads_the_log_and_asks_nothing(service, tmp_path):
    home = service.founded(tmp_path)
    uploaded(tmp_path, home)
    auditor = service.joined(home, "audrey", AUDITOR)

    with RoomClient(auditor) as room:
        assert room.verify_audit().entries
        with pytest.raises(Forbidden):
            room.questions.ask(QuestionText("SELECT COUNT(DISTINCT person) FROM crm"))


def test_an_analyst_asks_and_reads_its_own_entries_only(service, tmp_path, broker):
    home = broker(service.founded(tmp_path))
    uploaded(tmp_path, home)
    ana, bob = service.joined(home, "ana", ANALYST), service.joined(home, "bob", ANALYST)

    with RoomClient(ana) as of_ana, RoomClient(bob) as of_bob, RoomClient(home) as of_owner:
        asked = of_ana.questions.ask(QuestionText("SELECT COUNT(DISTINCT person) FROM crm"))

        assert {entry.actor for entry in of_ana.audit().entries} == {"ana"}
        assert of_bob.questions.asked().queries == []
        with pytest.raises(NotFound):
            of_bob.questions.release(asked.query_id)
        assert of_owner.questions.release(asked.query_id).release == asked.release
        with pytest.raises(Forbidden):
            of_ana.verify_audit()
