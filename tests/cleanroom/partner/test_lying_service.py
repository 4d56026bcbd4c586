"""A service that lies about what was signed: the client relies on signatures, not on what it is told."""

from contextlib import contextmanager

import pytest

from cleanroom.broker.broker_home import RECORD_HEAD
from cleanroom.broker.record_head import read_head
from cleanroom.errors import LogBroken, NotFound, ServiceUntrusted
from cleanroom.governance.principal import MemberRole
from cleanroom.governance.proposal_text import ProposalKind, ProposalState
from cleanroom.partner.room_client import RoomClient
from cleanroom.service.audit_bodies import AuditExportBody
from cleanroom.service.collaboration_bodies import RecordBody
from cleanroom.service.proposal_bodies import ProposalsBody
from privacy.canonical_json import digest_of
from tests.cleanroom.service.running_room import ANALYST, OWNER
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


@contextmanager
def withholding(home, monkeypatch):
    """A client from whom the service withholds what is recorded from now on."""
    with RoomClient(home) as room:
        get = room.link.get
        now = get(f"/v1/collaborations/{home.room.collaboration}/record", RecordBody)
        monkeypatch.setattr(
            room.link,
            "get",
            lambda path, shape, **more: now if shape is RecordBody else get(path, shape, **more),
        )
        yield room
    monkeypatch.undo()


def test_rules_are_not_in_force_because_the_service_says_so(acme, monkeypatch):
    with withholding(acme, monkeypatch) as room, pytest.raises(ServiceUntrusted, match="its record lacks it"):
        room.propose_rules(document(min_group_size=500))


def test_a_last_signature_puts_nothing_in_force_because_the_service_says_so(service, acme, monkeypatch):
    service.joined(acme, "carl", ANALYST)
    beta = service.joined(acme, "beta", OWNER)
    with RoomClient(acme) as room:
        removal = room.propose(ProposalKind.REMOVAL, {"member": "carl"})
    with withholding(beta, monkeypatch) as room, pytest.raises(ServiceUntrusted, match="its record lacks it"):
        room.approve(removal.id)


def test_a_proposal_that_is_listed_as_in_force_is_in_the_record_with_the_text_that_is_shown(
    acme, monkeypatch
):
    with RoomClient(acme) as room:
        room.propose_rules(document())
        listed = room.proposals()
        other = listed.proposals[0].model_copy(
            update={"content": {"document": document(min_group_size=500).canonical()}}
        )
        shown = listed.model_copy(update={"proposals": [other]})
        get = room.link.get
        monkeypatch.setattr(
            room.link,
            "get",
            lambda path, shape, **more: shown if shape is ProposalsBody else get(path, shape, **more),
        )
        with pytest.raises(ServiceUntrusted, match="its record lacks it"):
            room.proposals()


def test_what_was_seen_in_force_is_never_withheld_again(acme, monkeypatch):
    """Neither from the client nor from the broker, which notes in the same place how far the record went."""
    with withholding(acme, monkeypatch) as room:
        with RoomClient(acme) as told:
            told.propose_rules(document(min_group_size=500))
        with pytest.raises(ServiceUntrusted, match="lacks events that it had before"):
            room.verify_record()
    assert read_head(acme.broker / RECORD_HEAD).events == len(acme.record["events"]) == 1
