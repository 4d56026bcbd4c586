"""Many processes at once, and processes that die: never one charge too many, never half a release."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cleanroom.governance.audit_chain import verify_log
from cleanroom.governance.tables import AuditEntryRow, ChargeRow, QueryRow
from tests.cleanroom.governance.charging_process import QUESTIONS, THREADS
from tests.cleanroom.governance.example_room import NOON, ExampleRoom

PROCESSES = 5


@pytest.fixture
def asked(room: ExampleRoom) -> ExampleRoom:
    """With a dataset that pays for 40 queries and one that pays for many."""
    room.put_rules("adv", "visits", dp={"epsilon_budget": 40})
    room.put_rules("adv", "sales", dp={"epsilon_budget": 10_000})
    return room


@pytest.fixture
def wide(room: ExampleRoom) -> ExampleRoom:
    """With datasets that pay for as many queries as a loop can ask."""
    for dataset in ("visits", "sales"):
        room.put_rules("adv", dataset, dp={"epsilon_budget": 10_000})
    return room


class Process:
    """One `charging_process`."""

    def __init__(self, job: str, url: str, room: ExampleRoom, repository: Path) -> None:
        module = "tests.cleanroom.governance.charging_process"
        command = [sys.executable, "-m", module, job, url, room.collaboration]
        self.running = subprocess.Popen(
            command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        assert self.running.stdout is not None
        return self.running.stdout.readline().strip()

    def end(self) -> str:
        output, errors = self.running.communicate(timeout=120)
        assert self.running.returncode == 0, errors
        return output

    def kill(self) -> None:
        self.running.kill()
        self.running.communicate()


@pytest.fixture
def started(database_url: str, repository: Path) -> Iterator[list[Process]]:
    """Whatever the test starts is ended with it."""
    processes: list[Process] = []
    yield processes
    for process in processes:
        process.kill()


@pytest.mark.slow
def test_parallel_queries_of_many_processes_never_overspend_by_one_charge(
    asked: ExampleRoom, database_url: str, repository: Path, started: list[Process]
) -> None:
    assert PROCESSES * THREADS == 50  # in parallel, 150 in all, of which 40 can be paid
    assert PROCESSES * THREADS * QUESTIONS == 150
    started += [Process("charge", database_url, asked, repository) for _ in range(PROCESSES)]
    assert sum(int(process.end()) for process in started) == 40

    def counts(session: Session) -> dict[str, int]:
        query = select(ChargeRow.dataset, func.count(), func.sum(ChargeRow.micro_epsilon))
        rows = session.execute(query.group_by(ChargeRow.dataset)).all()
        return {dataset: int(total) for dataset, count, total in rows if count == 40}

    assert asked.governance.store.read(counts) == {"visits": 40_000_000, "sales": 40_000_000}
    export = asked.governance.audit.export(asked.principals["adv"], asked.collaboration)
    entries = verify_log(export.lines, [], asked.service_keys.public.signing).entries
    assert sum(entry.action == "query charged" for entry in entries) == 40


@pytest.mark.slow
def test_a_killed_process_leaves_its_charge_and_no_release(
    asked: ExampleRoom, database_url: str, repository: Path, started: list[Process]
) -> None:
    process = Process("hang", database_url, asked, repository)
    started.append(process)
    query_id = process.line()
    process.kill()
    assert asked.governance.recover(now=NOON) == (query_id,)
    left = {
        budget.dataset: budget.left_epsilon
        for budget in asked.governance.ledger.remaining(asked.collaboration, now=NOON)
    }
    assert left == {"visits": 39.0, "sales": 9_999.0}
    view = asked.governance.queries.view(asked.principals["adv"], asked.collaboration, query_id)
    assert view.state == "failed"
    assert asked.governance.queries.state(asked.collaboration).candidates == ()


@pytest.mark.slow
def test_whenever_a_process_is_killed_everything_fits_together(
    wide: ExampleRoom, database_url: str, repository: Path, started: list[Process]
) -> None:
    for number in range(4):
        process = Process("loop", database_url, wide, repository)
        started.append(process)
        assert process.line() == "looping"
        time.sleep(0.25 + 0.037 * number)
        process.kill()
        assert len(wide.governance.recover(now=NOON)) <= 1
        require_consistent(wide)
    export = wide.governance.audit.export(wide.principals["adv"], wide.collaboration)
    verify_log(export.lines, [], wide.service_keys.public.signing)


def released_in_order(session: Session) -> list[str]:
    """All have one moment; the log knows which came first."""
    entries = select(AuditEntryRow).order_by(AuditEntryRow.sequence)
    return [entry.details["query"] for entry in session.scalars(entries) if entry.action == "query released"]


def require_consistent(room: ExampleRoom) -> None:
    """Two charges a query; a release for each released one; the newest release's state is there.

    Behind it may stand one that was prepared for a query whose process died: an owner may have committed to it.
    """
    state = room.governance.queries.state(room.collaboration)
    kept = [sealed.decode() for _, sealed in state.candidates]
    room.governance.store.read(lambda session: require_stored(session, kept))


def require_stored(session: Session, kept: list[str]) -> None:
    """The same, given the states that are kept."""
    queries = list(session.scalars(select(QueryRow)))
    order = released_in_order(session)
    charges = session.scalar(select(func.count()).select_from(ChargeRow))
    assert charges == 2 * len(queries)
    released = [query for query in queries if query.state == "released"]
    assert released
    assert all(query.release == {"query": query.id} for query in released)
    assert all(query.release is None for query in queries if query.state != "released")
    last = max(released, key=lambda query: order.index(query.id))
    assert last.id in kept
    assert set(kept) <= {query.id for query in queries}
