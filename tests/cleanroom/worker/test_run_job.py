"""The core without an enclave: a judged job, opened files and keys in, what its release says out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cleanroom.errors import QueryFailed, SealedTableBroken
from cleanroom.release.history import History, UnitHistory
from cleanroom.worker.job import Job, JobTemplate
from cleanroom.worker.judged_job import judge
from cleanroom.worker.run_job import Access, Finished, WorkerLimits, run_job
from cleanroom.worker.sealed_history import KnownState, StatePlace, open_state, seal_state
from tests.cleanroom.worker.two_owners import (
    BOTH,
    COLLABORATION,
    CRM_ALONE,
    ONE_REGION,
    STATE_KEY,
    Tables,
    document,
)

PLACE = StatePlace(COLLABORATION, STATE_KEY)
LIMITS = WorkerLimits("1GB", 1)


@contextmanager
def access(tables: Tables, job: Job, **changes: Any) -> Iterator[Access]:
    """Everything that the job needs."""
    with ExitStack() as opened:
        files = {
            table.document.dataset: opened.enter_context(table.path.open("rb"))
            for table in job.tables
            if table.path is not None
        }
        committed: Mapping[str, str | None] = dict.fromkeys(job.owners)
        yield replace(Access(files, tables.keys, STATE_KEY, committed), **changes)


def run(tables: Tables, job: Job, **changes: Any) -> Finished:
    with access(tables, job, **changes) as given:
        return run_job(judge(job), given, LIMITS)


def test_what_a_release_says_is_found_without_any_enclave(tables: Tables) -> None:
    finished = run(tables, tables.job(BOTH))

    assert finished.body["result"]["rows"] == [["north", 200], ["south", 100]]
    assert "attestation" not in finished.body
    assert finished.state is not None
    assert finished.state.base is None


def test_a_replay_is_told_what_was_withheld(tables: Tables) -> None:
    few = "SELECT segment, COUNT(DISTINCT person) AS people FROM crm GROUP BY segment"
    finished = run(tables, tables.job(few))

    assert finished.body["result"]["rows"] == [["many", 309]]
    assert set(finished.withheld) == {"min_group_size"}


def test_a_history_goes_on_from_the_state_that_owners_committed_to(tables: Tables) -> None:
    first = run(tables, tables.job(CRM_ALONE)).state
    assert first is not None
    job = tables.job(CRM_ALONE, candidates=((first.id, first.sealed),))
    second = run(tables, job, committed={"advertiser": first.id}).state

    assert second is not None
    assert second.base == first.id
    opened = open_state(PLACE, [(second.id, second.sealed)], {"advertiser": first.id})
    assert opened.history.units["people"].size == 2


def test_a_full_record_of_releases_releases_nothing_new_and_says_so(tables: Tables) -> None:
    empty = History.new(bytes(32), buckets=64)
    rows = np.eye(empty.capacity, empty.length, dtype=np.int64) * 1000
    full = empty.with_units({"people": UnitHistory(rows, rows.copy())})
    state = seal_state(PLACE, KnownState(None, empty), {"advertiser": None}, full)
    finished = run(tables, tables.job(CRM_ALONE, candidates=((state.id, state.sealed),)))

    assert finished.body["result"]["rows"] == []
    assert set(finished.withheld) == {"history full"}
    assert finished.body["history"]["full"] is True
    assert "found a new collaboration" in finished.body["notice"]


def test_a_file_or_a_key_that_is_not_there_is_refused_like_one_that_does_not_fit(tables: Tables) -> None:
    words = set()
    lacking: list[dict[str, Any]] = [
        {"files": {}},
        {"dataset_keys": {}},
        {"dataset_keys": {"ver-crm": bytes(32)}},
    ]
    for changes in lacking:
        with pytest.raises(SealedTableBroken) as refusal:
            run(tables, tables.job(CRM_ALONE), **changes)
        words.add(str(refusal.value))
    assert len(words) == 1


def test_a_template_with_half_a_letter_in_it_is_against_the_rules(tables: Tables) -> None:
    """JSON can spell what UTF-8 cannot."""
    template = JobTemplate("one region", f"{ONE_REGION} -- \udcff", {"region": "north"})
    job = tables.job(ONE_REGION, template=replace(template, sql=ONE_REGION))

    with pytest.raises(QueryFailed, match="against the rules"):
        judge(replace(job, template=template))


def test_a_job_and_what_it_may_use_never_print_a_key_or_a_state(tables: Tables) -> None:
    job = tables.job(CRM_ALONE, candidates=(("0" * 64, b"SECRET-STATE"),))
    with access(tables, job) as given:
        printed = f"{job} {given} {judge(job)} {PLACE}"

    assert "SECRET-STATE" not in printed
    assert str(STATE_KEY) not in printed
    assert not [key for key in tables.keys.values() if str(key) in printed]


def test_a_document_without_its_identity_in_the_manifest_is_refused(tables: Tables) -> None:
    job = tables.job(CRM_ALONE)
    (table,) = job.tables
    columns = {**table.manifest["columns"], "person": "string", "region": "uuid"}
    other = replace(table, manifest={**table.manifest, "columns": columns}, document=document("crm"))

    with pytest.raises(SealedTableBroken):
        judge(replace(job, tables=(other,)))
