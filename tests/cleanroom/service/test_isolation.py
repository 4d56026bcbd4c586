"""What queries run in: told to everybody, chosen by the operator, accepted or refused by every owner's broker."""

import base64
from datetime import UTC, datetime

import pytest

from cleanroom.broker.allowed_code import CodeRules
from cleanroom.broker.broker_home import BrokerHome
from cleanroom.errors import KeyRefused
from cleanroom.partner.release_verification import verify_release
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_questions import QuestionText
from cleanroom.service.opening import open_room
from cleanroom.service.settings import RoomSettings
from privacy.enclave import bubblewrap
from privacy.enclave.isolation import Isolation
from privacy.errors import EnclaveUnavailable
from tests.cleanroom.owners_brokers import this_installation, trust_of, with_broker
from tests.cleanroom.service.running_room import running_room
from tests.cleanroom.service.small_tables import PEOPLE, uploaded

EVERYBODY = QuestionText("SELECT COUNT(DISTINCT person) AS people FROM crm")


@pytest.fixture(scope="module")
def reduced(tmp_path_factory):
    with running_room(tmp_path_factory.mktemp("reduced"), isolation="reduced") as room:
        yield room


def told(service):
    with service.http() as nobody:
        return nobody.get("/v1/service").json()["enclave"]


def test_anybody_is_told_what_queries_run_in(service, tmp_path):
    home, enclave = service.founded(tmp_path), told(service)

    assert base64.b64decode(enclave["root"]) == home.room.enclave_root
    assert enclave["root_fingerprint"] == home.room.root_fingerprint
    assert enclave["measurement"] == this_installation().full
    assert enclave["isolation"] == "full"


def test_reduced_isolation_is_told_and_measured_differently(reduced):
    enclave = told(reduced)

    assert enclave["isolation"] == "reduced"
    assert enclave["measurement"] == this_installation().reduced != this_installation().full


def test_an_owner_who_does_not_accept_reduced_isolation_gives_no_key_to_it(reduced, tmp_path):
    home = reduced.founded(tmp_path)
    uploaded(tmp_path, home)
    with with_broker(home), RoomClient(home) as room, pytest.raises(KeyRefused):
        room.questions.ask(EVERYBODY)

    BrokerHome(home.broker).allow(CodeRules(reduced=True), now=datetime.now(UTC))
    with with_broker(home), RoomClient(home) as room:
        release = room.questions.ask(EVERYBODY).release
    assert release["body"]["result"]["rows"] == [[PEOPLE]]
    assert any("reduced isolation" in line for line in verify_release(release, trust_of(home)).proved)


def test_where_a_worker_cannot_be_isolated_nothing_is_started_and_it_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(bubblewrap, "_PROGRAMS", "/nowhere")
    with (
        pytest.raises(EnclaveUnavailable, match="was not started") as refused,
        open_room(RoomSettings(data=tmp_path)),
    ):
        pass

    assert "bubblewrap" in str(refused.value) + refused.value.hint
    assert "mixroom room serve --isolation reduced" in refused.value.hint
    assert not (tmp_path / "room.db").exists()


def test_a_service_whose_worker_nothing_separates_is_no_setting(tmp_path):
    with pytest.raises(ValueError, match="full, or reduced"):
        RoomSettings(data=tmp_path, isolation=Isolation.NONE)


def test_the_root_stays_the_same_over_a_restart(tmp_path):
    roots = set()
    for _ in range(2):
        with open_room(RoomSettings(data=tmp_path)) as parts:
            roots.add(parts.executor.root)
    assert len(roots) == 1
