"""A service that lies about what was signed: the client relies on signatures, not on what it is told."""

import pytest

from cleanroom.errors import LogBroken, NotFound, ServiceUntrusted
from cleanroom.governance.principal import MemberRole
from cleanroom.governance.proposal_text import ProposalState
from cleanroom.partner.room_client import RoomClient
from cleanroom.service.audit_bodies import AuditExportBody
from cleanroom.service.collaboration_bodies import RecordBody
from privacy.canonical_json import digest_of
from tests.cleanroom.service.running_room import OWNER
from tests.cleanroom.service.small_tables import document, table


@pytest.fixture
def acme(service, tmp_path):
    return service.founded(tmp_path)


def test_a_record_of_another_room_is_not_relied_on(service, acme, tmp_path_factory, monkeypatch):
    forged = service.founded(tmp_path_factory.mktemp("forged"))
    with RoomClient(forged) as room:
        other = room.link.get(f"/v1/collaborations/{forged.room.collaboration}/record", RecordBody)

    with RoomClient(acme) as room:
        monkeypatch.setattr(room.link, "get", lambda *_, **__: other)
        with pytest.raises(ServiceUntrusted, match="another room"):
            room.verify_record()
    assert acme.record is None


def test_a_table_is_sealed_under_the_rules_that_its_owner_signed(acme, tmp_path, monkeypatch):
    with RoomClient(acme) as room:
        room.propose_rules(document(min_group_size=500))
        loose = room.dataset("crm").model_copy(update={"rules": document(min_group_size=2).canonical()})
        monkeypatch.setattr(room, "dataset", lambda name: loose)

        done = room.upload(table(tmp_path, acme), "crm")

    assert done.version.manifest["policy_digest"] == digest_of(document(min_group_size=500).canonical())


def test_rules_that_only_the_service_knows_of_are_none(acme, tmp_path, monkeypatch):
    with RoomClient(acme) as room, pytest.raises(NotFound, match="no rules"):
        room.upload(table(tmp_path, acme), "crm")


def test_nobody_is_invited_because_the_service_says_that_all_have_signed(service, acme, monkeypatch):
    service.joined(acme, "beta", OWNER)
    with RoomClient(acme) as room:
        waiting = room.invite("carl", frozenset({OWNER}))
        assert waiting.text is None
        said = room.proposal(waiting.proposal).model_copy(update={"state": ProposalState.EFFECTIVE})
        monkeypatch.setattr(room, "_membership", lambda content: said)
        with pytest.raises(ServiceUntrusted, match="cannot prove"):
            room.invite("carl", frozenset({MemberRole.OWNER}))


def test_a_log_that_was_cut_since_it_was_last_verified_is_noticed(acme, monkeypatch):
    with RoomClient(acme) as room:
        earlier = room.link.get(f"/v1/collaborations/{acme.room.collaboration}/audit/export", AuditExportBody)
        room.propose_rules(document())
        room.verify_audit()
        monkeypatch.setattr(room.link, "get", lambda *_, **__: earlier)
        with pytest.raises(LogBroken):
            room.verify_audit()
