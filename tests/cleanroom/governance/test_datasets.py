"""Uploads become current when they are complete; what is deleted is never read again, and the log says so."""

from __future__ import annotations

import pytest

from cleanroom.errors import Conflict, Forbidden, NotFound
from cleanroom.governance.dataset_views import NewVersion, VersionState
from cleanroom.governance.proposal_text import ProposalKind
from cleanroom.governance.room_ids import new_version_id
from privacy.canonical_json import digest_of
from tests.cleanroom.governance.example_room import (
    ANALYST,
    COMMITMENT,
    NOON,
    ExampleRoom,
    later,
    upload,
)


def test_an_upload_becomes_current_when_it_is_complete(room: ExampleRoom) -> None:
    room.put_rules("adv", "visits")
    datasets, adv = room.governance.datasets, room.principals["adv"]
    begun = datasets.begin_upload(adv, NewVersion(room.collaboration, "visits", new_version_id()), now=NOON)
    assert begun.state is VersionState.UPLOADING
    assert datasets.view(adv, room.collaboration, "visits").current is None
    with pytest.raises(Conflict, match="no table"):
        datasets.ready(room.collaboration, ["visits"], now=NOON)
    first, second = upload(room, "adv", "visits"), upload(room, "adv", "visits", later(hours=1))
    (ready,) = datasets.ready(room.collaboration, ["visits"], now=later(hours=2))
    assert ready.version == second
    assert first.key_commitment == ready.version.key_commitment == COMMITMENT
    uploads = list(room.governance.audit.entries(adv, room.collaboration))[-2:]
    assert [entry.details["key_commitment"] for entry in uploads] == [COMMITMENT, COMMITMENT]


def test_only_its_owner_touches_a_dataset(room: ExampleRoom) -> None:
    room.put_rules("adv", "visits")
    version = upload(room, "adv", "visits")
    datasets = room.governance.datasets
    for name, roles in (("bea", None), ("dan", ANALYST)):
        other = room.add(name, roles) if roles else room.add(name)
        with pytest.raises(Forbidden):
            datasets.begin_upload(other, NewVersion(room.collaboration, "visits", new_version_id()), now=NOON)
        with pytest.raises(Forbidden):
            datasets.delete(other, room.collaboration, "visits", version.id, now=NOON)
    with pytest.raises(NotFound):
        datasets.list(room.operator(), room.collaboration)


def test_an_upload_without_rules_or_without_end_leaves_nothing(room: ExampleRoom) -> None:
    datasets, retention, adv = room.governance.datasets, room.governance.retention, room.principals["adv"]
    with pytest.raises(NotFound):
        datasets.begin_upload(adv, NewVersion(room.collaboration, "visits", new_version_id()), now=NOON)
    room.put_rules("adv", "visits")
    for end in ("abandoned", "stale"):
        begun = datasets.begin_upload(
            adv, NewVersion(room.collaboration, "visits", new_version_id()), now=NOON
        )
        if end == "abandoned":
            datasets.abandon_upload(adv, room.collaboration, begun.id)
        else:
            assert retention.drop_stale_uploads(NOON) == ()
            (dropped,) = retention.drop_stale_uploads(later(days=1))
            assert dropped.id == begun.id
        assert datasets.versions(adv, room.collaboration, "visits") == ()


def test_deletion_names_the_key_that_its_owner_destroys(room: ExampleRoom) -> None:
    room.put_rules("adv", "visits")
    version = upload(room, "adv", "visits")
    datasets, adv = room.governance.datasets, room.principals["adv"]
    destroyed = datasets.delete(adv, room.collaboration, "visits", version.id, now=NOON)
    assert destroyed.key_commitment == COMMITMENT
    assert destroyed.manifest_digest == digest_of({"version": version.id})
    assert destroyed.sealed_path == f"vault/{version.id}"
    entry = room.governance.audit.entries(adv, room.collaboration)[-1]
    assert (entry.action, entry.details["key_commitment"]) == ("version destroyed", COMMITMENT)
    assert datasets.view(adv, room.collaboration, "visits").current is None
    with pytest.raises(Conflict):
        datasets.delete(adv, room.collaboration, "visits", version.id, now=NOON)


def test_retention_ends_by_itself(room: ExampleRoom) -> None:
    room.put_rules("adv", "visits", retention_days=30)
    room.put_rules("adv", "sales")
    version = upload(room, "adv", "visits")
    upload(room, "adv", "sales")
    retention = room.governance.retention
    assert retention.end(later(days=30, seconds=-1)) == ()
    with pytest.raises(Conflict):  # even before the clock has called
        room.governance.datasets.ready(room.collaboration, ["visits"], now=later(days=30))
    (expired,) = retention.expired(later(days=30))
    (ended,) = retention.end(later(days=30))
    assert expired.id == ended.version == version.id
    assert retention.end(later(days=31)) == ()


def test_a_removed_owners_tables_are_destroyed(room: ExampleRoom) -> None:
    room.add("bea")
    room.put_rules("bea", "crm")
    version = upload(room, "bea", "crm")
    proposal = room.agree("adv", ProposalKind.REMOVAL, {"member": "bea"})
    assert [destroyed.version for destroyed in proposal.destroyed] == [version.id]
    with pytest.raises(NotFound):
        room.governance.datasets.ready(room.collaboration, ["crm"], now=NOON)


def test_a_shorter_retention_holds_for_what_is_there_already(room: ExampleRoom) -> None:
    room.put_rules("adv", "visits")
    version = upload(room, "adv", "visits")
    assert version.expires is None
    room.put_rules("adv", "visits", retention_days=1)
    (ended,) = room.governance.retention.end(later(days=1))
    assert ended.version == version.id
