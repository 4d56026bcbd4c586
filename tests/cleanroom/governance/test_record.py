"""Members verify offline what the service decided."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from cleanroom.errors import Forbidden, RoomError, SignatureInvalid
from cleanroom.governance.proposal_text import ProposalKind
from cleanroom.governance.record import verify_record
from cleanroom.worker.statement import template_digest
from tests.cleanroom.governance.example_room import ANALYST, ExampleRoom


@pytest.fixture
def record(room: ExampleRoom) -> dict[str, Any]:
    """adv founds; bea and dan join; each owner has rules; adv's were changed; dan left."""
    room.add("bea")
    room.add("dan", ANALYST)
    room.put_rules("adv", "visits")
    room.put_rules("bea", "crm")
    room.put_rules("adv", "visits", min_group_size=20)
    room.agree("bea", ProposalKind.REMOVAL, {"member": "dan"})
    return room.governance.collaborations.record(room.principals["bea"], room.collaboration)


def test_the_record_gives_the_same_members_and_rules(record: dict[str, Any]) -> None:
    state = verify_record(record)
    assert state.owners == {"adv", "bea"}
    assert state.former == {"dan"} == state.former_keys.keys()
    assert state.rules["visits"].document.rule.min_group_size == 20
    assert state.rules["crm"].owner == "bea"


def test_every_removed_signature_is_noticed(record: dict[str, Any]) -> None:
    for number, event in enumerate(record["events"]):
        for position in range(len(event.get("signatures", []))):
            forged = copy.deepcopy(record)
            del forged["events"][number]["signatures"][position]
            with pytest.raises(RoomError):
                verify_record(forged)


def test_every_event_left_out_before_the_last_is_noticed_or_changes_no_rule_of_others(
    record: dict[str, Any],
) -> None:
    founding = record["events"][:2]  # bea's membership and acceptance
    for number in range(len(founding)):
        forged = copy.deepcopy(record)
        del forged["events"][number]
        with pytest.raises(RoomError):
            verify_record(forged)


def test_changed_content_is_noticed(record: dict[str, Any]) -> None:
    for event in record["events"]:
        if event.get("kind") == "rules":
            event["content"]["document"]["rule"]["min_group_size"] = 2
            break
    with pytest.raises(SignatureInvalid):
        verify_record(record)


def test_rules_put_back_in_force_are_noticed(record: dict[str, Any]) -> None:
    old = next(event for event in record["events"] if event.get("kind") == "rules")
    record["events"].append(old)
    with pytest.raises(SignatureInvalid, match="twice"):
        verify_record(record)


@pytest.mark.parametrize("junk", [None, [], {}, {"terms": {}, "events": []}, {"terms": 1}])
def test_what_is_no_record_is_refused(junk: object) -> None:
    with pytest.raises(RoomError):
        verify_record(junk)


def test_a_proposal_whose_proposer_lost_the_role_does_not_take_effect(room: ExampleRoom) -> None:
    room.put_rules("adv", "visits")
    room.add("dan", ANALYST)
    content = {"name": "overlap", "template": {"sql": "SELECT 1"}, "datasets": ["visits"]}
    waiting = room.propose("dan", ProposalKind.TEMPLATE, content)
    room.agree("adv", ProposalKind.MEMBERSHIP, {"member": "dan", "roles": ["auditor"]})
    with pytest.raises(Forbidden):
        room.sign("adv", waiting)
    verify_record(room.governance.collaborations.record(room.principals["adv"], room.collaboration))


def test_the_record_says_which_text_of_a_template_is_approved(room: ExampleRoom) -> None:
    room.add("bea")
    room.put_rules("adv", "visits")
    room.put_rules("bea", "crm")
    for text, datasets in (("SELECT 1", ["visits"]), ("SELECT 2", ["visits", "crm"])):
        content = {"name": "overlap", "template": {"sql": text}, "datasets": datasets}
        room.agree("adv", ProposalKind.TEMPLATE, content)
    record = room.governance.collaborations.record(room.principals["adv"], room.collaboration)
    state = verify_record(record)
    assert state.template_datasets(template_digest("overlap", "SELECT 2")) == ("visits", "crm")
    assert state.template_datasets(template_digest("overlap", "SELECT 1")) == ()  # replaced since
    assert state.template_datasets(template_digest("other", "SELECT 2")) == ()
