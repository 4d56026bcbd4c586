"""Jobs of a service that was taken over: other plans, templates, tables, manifests, cells."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cleanroom.errors import QueryFailed, RoomError, SealedTableBroken
from cleanroom.query.reader import read_query
from cleanroom.worker.job import Job, JobTable, JobTemplate
from privacy.sealing import new_key
from tests.cleanroom.worker.conftest import Room
from tests.cleanroom.worker.two_owners import BOTH, CRM_ALONE, ONE_REGION, Brokers, document


def refused(room: Room, job: Job, kind: type[RoomError] = QueryFailed) -> None:
    """Before any owner was asked for a key."""
    with pytest.raises(kind):
        room.run(job)
    assert room.brokers.asked == []
    assert len(room.backend.started[-1].sent) == 1  # the refusal


def test_a_plan_that_the_rules_do_not_allow_asks_for_no_key(room: Room) -> None:
    job = room.tables.job(CRM_ALONE)
    (table,) = job.tables
    refused(room, replace(job, tables=(replace(table, document=document("crm", dimensions=())),)))


def test_a_table_that_the_plan_does_not_read_asks_for_no_key(room: Room) -> None:
    refused(room, replace(room.tables.job(CRM_ALONE), tables=room.tables.job(BOTH).tables))


def test_a_table_given_twice_asks_for_no_key(room: Room) -> None:
    """The second document would be the one that holds."""
    job = room.tables.job(CRM_ALONE)
    weaker = replace(job.tables[0], document=document("crm", min_group_size=2))
    refused(room, replace(job, tables=(job.tables[0], weaker)))


def test_no_table_asks_for_no_key(room: Room) -> None:
    refused(room, replace(room.tables.job(CRM_ALONE), tables=()))


@pytest.mark.parametrize(
    "template",
    [
        JobTemplate("other text", CRM_ALONE, {}),
        JobTemplate("other value", ONE_REGION, {"region": "south"}),
        JobTemplate("no value", ONE_REGION, {}),
        JobTemplate("not SQL", "hello", {"region": "north"}),
    ],
    ids=lambda template: template.name,
)
def test_a_template_whose_text_does_not_give_the_plan_is_none(room: Room, template: JobTemplate) -> None:
    plan = read_query(ONE_REGION, {"crm": document("crm")}, {"region": "north"})
    job = room.tables.job(CRM_ALONE, rule={"query": "templates"})
    refused(room, replace(job, plan=plan, template=template))


def other_manifest(table: JobTable, **changes: Any) -> JobTable:
    return replace(table, manifest={**table.manifest, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"owner": "publisher"},
        {"dataset": "panel"},
        {"collaboration": "col-b"},
        {"more": 1},
        {"rows": "many"},
        {"columns": {"person": "string", "region": "string", "other": "uuid"}},
    ],
    ids=str,
)
def test_a_manifest_of_another_place_asks_for_no_key(room: Room, changes: dict[str, Any]) -> None:
    job = room.tables.job(CRM_ALONE)
    refused(room, replace(job, tables=(other_manifest(job.tables[0], **changes),)), SealedTableBroken)


@pytest.mark.parametrize(
    "changes", [{"rows": 318}, {"sealed_sha256": "0" * 64}, {"identity_tag": "00000000"}], ids=str
)
def test_a_manifest_that_the_file_does_not_fit_opens_nothing(room: Room, changes: dict[str, Any]) -> None:
    """A broker would refuse it for its digest; should one not, the table does not open either."""
    job = room.tables.job(CRM_ALONE)
    with pytest.raises(SealedTableBroken):
        room.run(replace(job, tables=(other_manifest(job.tables[0], **changes),)))
    assert room.brokers.commits == []


def test_two_tables_of_one_version_ask_for_no_key(room: Room) -> None:
    job = room.tables.job(BOTH)
    crm, panel = job.tables
    refused(room, replace(job, tables=(crm, other_manifest(panel, version="ver-crm"))), SealedTableBroken)


def test_a_flipped_byte_a_missing_file_and_a_swapped_one_are_refused_alike(
    room: Room, tmp_path: Path
) -> None:
    job = room.tables.job(BOTH)
    crm, panel = job.tables
    assert crm.path is not None
    content = bytearray(crm.path.read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "changed").write_bytes(content)
    words = set()

    for path in (tmp_path / "changed", tmp_path / "nowhere", panel.path, Path("/dev/null")):
        with pytest.raises(SealedTableBroken) as refusal:
            room.run(replace(job, tables=(replace(crm, path=path), panel)))
        words.add(str(refusal.value))
    assert len(words) == 1
    assert room.brokers.commits == []


def noised(room: Room) -> dict[str, Any]:
    """A genuine release with noise, to be changed."""
    release: dict[str, Any] = copy.deepcopy(dict(room.ask(BOTH, noised=True).release))
    return release


def forged_number(release: dict[str, Any]) -> None:
    release["body"]["cells"][0][0]["values"][0] = 1_000_000


def cell_gone(release: dict[str, Any]) -> None:
    release["body"]["cells"][0].pop()


def own_code(release: dict[str, Any]) -> None:
    release["body"]["cells_mac"] = "0" * 64


def no_code(release: dict[str, Any]) -> None:
    release["body"]["cells_mac"] = None


def no_cells(release: dict[str, Any]) -> None:
    release["body"]["cells"] = None


def no_body(release: dict[str, Any]) -> None:
    release["body"] = []


@pytest.mark.parametrize("forge", [forged_number, cell_gone, own_code, no_code, no_cells, no_body])
def test_forged_cells_are_not_presented_anew(room: Room, forge: Callable[[dict[str, Any]], None]) -> None:
    release = noised(room)
    forge(release)

    with pytest.raises(QueryFailed, match="cannot be used again"):
        room.ask(BOTH, noised=True, reuse=release)


def test_cells_of_another_question_are_not_presented_anew(room: Room) -> None:
    with pytest.raises(QueryFailed, match="cannot be used again"):
        room.ask(CRM_ALONE, noised=True, reuse=noised(room))


def test_cells_of_another_upload_are_not_presented_anew(room: Room) -> None:
    release, job = noised(room), room.tables.job(BOTH, noised=True)
    newer = other_manifest(job.tables[0], version="ver-crm-2")

    with pytest.raises(QueryFailed, match="cannot be used again"):
        room.run(replace(job, tables=(newer, job.tables[1]), reuse=release))


def test_cells_with_another_epsilon_are_not_presented_anew(room: Room) -> None:
    with pytest.raises(QueryFailed, match="cannot be used again"):
        room.ask(BOTH, noised=True, epsilon=0.5, reuse=noised(room))


def test_cells_of_a_worker_under_another_state_key_are_not_presented_anew(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = noised(room)
    monkeypatch.setattr("tests.cleanroom.worker.two_owners.STATE_KEY", new_key())

    with pytest.raises(QueryFailed, match="cannot be used again"):
        room.ask(BOTH, noised=True, reuse=release)


def test_without_noise_nothing_is_presented_anew(room: Room) -> None:
    """A threshold question has a history to be held against."""
    release = room.ask(BOTH).release
    room.brokers = Brokers(room.tables.keys, dict(room.brokers.committed))

    refused(room, replace(room.tables.job(BOTH), reuse=release))
