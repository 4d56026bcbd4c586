"""One job, from sealed tables to a signed release, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from cleanroom.errors import QueryFailed
from cleanroom.query.reader import read_query
from cleanroom.release.history import History, UnitHistory
from cleanroom.replay.parties import utc_now
from cleanroom.replay.throwaway_room import Site, ThrowawayRoom, build_image
from cleanroom.rules.analysis_rule import RuleDocument
from cleanroom.service.query_desk import Ask
from cleanroom.worker.job import Job, Outcome
from cleanroom.worker.run_job import USUAL_LIMITS, run_job
from cleanroom.worker.worker_home import WorkerHome
from privacy.signed_document import open_document

K = 5
CRM = RuleDocument.of(
    {
        "dataset": "crm",
        "columns": {"user_hash": {"role": "identity"}, "region": {"role": "dimension"}},
        "rule": {"min_group_size": K},
    }
)
PEOPLE = pa.table(
    {"user_hash": [f"person {n}" for n in range(30)], "region": ["north"] * 20 + ["south"] * 10}
)
BY_REGION = "SELECT region, COUNT(DISTINCT user_hash) AS people FROM crm GROUP BY region"


class Recorder:
    """Keeps the job that the desk made and runs it."""

    def __init__(self, home: WorkerHome) -> None:
        self.home = home
        self.public = home.public
        self.job: Job | None = None

    def execute(self, job: Job) -> Outcome:
        self.job = job
        return run_job(job, self.home).outcome

    def close(self) -> None:
        """Nothing runs on."""


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Job, WorkerHome]]:
    """A job as the service makes it, and the worker it is for."""
    site = Site.at(tmp_path_factory.mktemp("site"), USUAL_LIMITS)
    room: ThrowawayRoom = build_image(site, "small", {"crm": CRM}, {"crm": PEOPLE}).open_copy("first")
    recorder = Recorder(site.worker)
    room.desk._executor = recorder
    room.desk.ask(room.analyst, room.collaboration, Ask(BY_REGION), now=utc_now())
    assert recorder.job is not None
    yield recorder.job, site.worker
    room.close()


def test_a_release_holds_the_numbers_and_the_workers_signature(asked: tuple[Job, WorkerHome]) -> None:
    job, home = asked

    release = run_job(job, home).outcome.release

    body = open_document(release, kind="release", public_key=home.public.signing)
    assert body["result"]["rows"] == [["north", 20], ["south", 10]]
    assert body["policies"][0]["owner"] == "advertiser"
    assert body["history"]["full"] is False


def test_a_job_survives_its_way_through_the_pipe(asked: tuple[Job, WorkerHome]) -> None:
    job, _ = asked

    assert Job.of(job.to_bytes()) == job


def test_a_plan_that_the_rules_do_not_allow_is_not_run_whoever_sends_it(
    asked: tuple[Job, WorkerHome],
) -> None:
    """A web process that was taken over may send any plan."""
    job, home = asked
    rule = CRM.rule.model_copy(update={"dimensions": ()})
    strict = tuple(replace(table, document=CRM.model_copy(update={"rule": rule})) for table in job.tables)

    with pytest.raises(QueryFailed, match="against the rules"):
        run_job(replace(job, tables=strict), home)


def test_a_table_that_the_plan_does_not_read_is_not_taken(asked: tuple[Job, WorkerHome]) -> None:
    job, home = asked
    other = replace(job.tables[0], document=CRM.model_copy(update={"dataset": "visits"}))

    with pytest.raises(QueryFailed):
        run_job(replace(job, tables=(*job.tables, other)), home)


def test_an_older_history_does_not_open_under_a_later_number(asked: tuple[Job, WorkerHome]) -> None:
    job, home = asked
    after_first = run_job(job, home).outcome.history
    assert after_first is not None

    assert run_job(replace(job, history=after_first, sequence=1), home).outcome.history is not None
    with pytest.raises(QueryFailed, match="earlier releases does not open"):
        run_job(replace(job, history=after_first, sequence=2), home)


def test_a_full_record_of_releases_releases_nothing_new_and_says_so(asked: tuple[Job, WorkerHome]) -> None:
    job, home = asked
    empty = History.new(bytes(32), buckets=64)
    rows = np.eye(empty.capacity, empty.length, dtype=np.int64) * 1000
    full = empty.with_units({"people": UnitHistory(rows, rows.copy())})
    sealed = home.seal_history(job.collaboration, job.sequence, full)

    finished = run_job(replace(job, history=sealed), home)

    body = finished.outcome.release["body"]
    assert body["result"]["rows"] == []
    assert set(finished.withheld) == {"history full"}
    assert body["history"]["full"] is True
    assert "found a new collaboration" in body["notice"]


def test_a_release_is_reused_only_for_the_same_numbers(asked: tuple[Job, WorkerHome]) -> None:
    """Cells of threshold releases are not kept, and a release of another question opens no door."""
    job, home = asked
    release = run_job(job, home).outcome.release
    other = read_query("SELECT COUNT(DISTINCT user_hash) AS people FROM crm", {"crm": CRM})

    with pytest.raises(QueryFailed):
        run_job(replace(job, reuse=release), home)
    with pytest.raises(QueryFailed):
        run_job(replace(job, plan=other, reuse=release), home)


def test_a_missing_table_looks_like_a_changed_one(asked: tuple[Job, WorkerHome], tmp_path: Path) -> None:
    job, home = asked
    changed = tmp_path / "changed"
    content = bytearray(job.tables[0].path.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    words = set()

    for path in (changed, tmp_path / "nowhere"):
        with pytest.raises(Exception) as refused:  # noqa: PT011 - the type is part of what must be alike
            run_job(replace(job, tables=(replace(job.tables[0], path=path),)), home)
        words.add((type(refused.value).__name__, str(refused.value)))
    assert len(words) == 1
