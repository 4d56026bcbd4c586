"""One job from sealed tables to a signed release: check, open, run, release, sign. Called only by a worker."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from cleanroom.datasets.opened_table import SealedSource, load_table
from cleanroom.datasets.sealed_table import SealedTableManifest, table_broken
from cleanroom.engine.cell_sql import result_sql
from cleanroom.engine.locked_engine import locked_engine
from cleanroom.engine.person_sql import contributions_sql
from cleanroom.engine.rehearsal import released_table_sql
from cleanroom.errors import QueryFailed
from cleanroom.query.plan import Plan, scans_of
from cleanroom.query.relation_schema import Catalog
from cleanroom.release.history import History
from cleanroom.release.release_stage import release_cells
from cleanroom.release.release_terms import Cell
from cleanroom.rules.analysis_rule import Mode
from cleanroom.rules.rule_check import Question, Verdict, check
from cleanroom.worker.job import Job, JobTable, Outcome
from cleanroom.worker.release_document import (
    KIND,
    ResultTable,
    Spent,
    cells_again,
    plain_value,
    release_body,
)
from cleanroom.worker.worker_home import WorkerHome, history_digest
from privacy.errors import PrivacyError
from privacy.signed_document import open_document, sign_document

MOST_ROWS = 100_000


@dataclass(frozen=True)
class WorkerLimits:
    """What one job may use."""

    memory: str = "3GB"
    threads: int = 2


USUAL_LIMITS = WorkerLimits()


@dataclass(frozen=True)
class Finished:
    """An outcome; and what was withheld by which rule, and the cells: only an owner's own replay reads those."""

    outcome: Outcome
    withheld: tuple[str, ...] = ()
    cells: tuple[tuple[Cell, ...], ...] = ()


def run_job(job: Job, home: WorkerHome, limits: WorkerLimits = USUAL_LIMITS) -> Finished:
    """Run a job. Raises QueryFailed or SealedTableBroken, with words that do not depend on the data.

    Guarantee: only cells that passed `release_cells` under the strictest of the documents' terms are in the
    outcome. The plan is checked here again: a web process that was taken over gains nothing by skipping it.
    """
    catalog = {table.document.dataset: table.document for table in job.tables}
    verdict = check(Question(job.plan, job.asker, job.from_template, job.epsilon), catalog)
    if not verdict.allowed or set(verdict.datasets) != set(catalog):
        raise QueryFailed("the worker finds the query against the rules; nothing was opened", hint="ask anew")
    if job.reuse is not None:
        return _from_earlier(job, home, verdict, catalog)
    history = home.open_history(job.collaboration, job.sequence, job.history)
    try:
        with locked_engine(memory=limits.memory, threads=limits.threads) as engine:
            for table in job.tables:
                _open(table, job, home, engine)
            released, after, withheld = _release(job.plan, verdict, catalog, engine, history)
        result = _result(job.plan, catalog, released)
    except (duckdb.Error, MemoryError) as error:
        raise _unfinished() from error
    threshold = verdict.mode is Mode.THRESHOLD
    sealed = home.seal_history(job.collaboration, job.sequence + 1, after) if threshold else None
    is_full = threshold and min(history.room_left().values(), default=1) <= 0
    spent = Spent(verdict.epsilon, verdict.delta, *_history_digests(job, sealed), is_full)
    body = release_body(job, verdict, result, released, spent)
    return Finished(Outcome(sign_document(KIND, body, home.keys), sealed), withheld, tuple(released))


def _from_earlier(job: Job, home: WorkerHome, verdict: Verdict, catalog: Catalog) -> Finished:
    """Something else made of cells that were released before: post-processing, so it costs nothing."""
    try:
        earlier = open_document(job.reuse, kind=KIND, public_key=home.public.signing)
        plan = Plan.model_validate(earlier["plan"])
        same = plan.releases_digest() == job.plan.releases_digest() and earlier["cells"] is not None
        if not same or earlier["collaboration"] != job.collaboration or verdict.mode is not Mode.DP:
            raise _unfinished()
        released = cells_again(earlier["cells"])
        result = _result(job.plan, catalog, released)
    except (PrivacyError, ValueError, KeyError, TypeError, duckdb.Error) as error:
        raise _unfinished() from error
    body = release_body(job, verdict, result, released, Spent(0.0, 0.0, "", ""))
    return Finished(Outcome(sign_document(KIND, body, home.keys)), (), tuple(released))


def _unfinished() -> QueryFailed:
    return QueryFailed(
        "the engine could not finish; nothing was released",
        hint="ask for less at once, or ask the operator for a larger worker",
    )


def _open(table: JobTable, job: Job, home: WorkerHome, engine: duckdb.DuckDBPyConnection) -> None:
    """Decrypt and load the columns that the plan reads."""
    manifest = SealedTableManifest.of(table.manifest)
    context = manifest.context
    place = (context.collaboration, context.dataset, context.owner)
    if place != (job.collaboration, table.document.dataset, table.owner):
        raise table_broken()
    try:
        key = home.keys.unwrap(table.wrapped_key, context.wrapping())
    except PrivacyError as error:
        raise table_broken() from error
    scans = [scan for release in job.plan.releases for scan in scans_of(release.source)]
    names = {name for scan in scans if scan.dataset == context.dataset for _, name in scan.columns}
    columns = sorted({table.document.identity, *names})
    load_table(SealedSource(table.path, manifest, key), engine, name=context.dataset, columns=columns)


def _release(
    plan: Plan, verdict: Verdict, catalog: Catalog, engine: duckdb.DuckDBPyConnection, history: History
) -> tuple[list[tuple[Cell, ...]], History, tuple[str, ...]]:
    released = []
    withheld: list[str] = []
    for node, terms in zip(plan.releases, verdict.releases, strict=True):
        outcome = release_cells(engine, contributions_sql(node, catalog), terms, history)
        history = outcome.history
        withheld += outcome.diagnosis.withheld
        released.append(outcome.cells)
    return released, history, tuple(withheld)


def _result(plan: Plan, catalog: Catalog, released: list[tuple[Cell, ...]]) -> ResultTable:
    """Post-processing, in an engine that has only ever seen released cells."""
    with locked_engine(memory="512MB", threads=1) as engine:
        for index, (node, cells) in enumerate(zip(plan.releases, released, strict=True)):
            engine.execute(released_table_sql(index, node, catalog))
            rows = [[*cell.keys, *cell.values] for cell in cells]
            if rows:
                places = ", ".join("?" * len(rows[0]))
                engine.executemany(f"INSERT INTO r{index} VALUES ({places})", rows)
        answer = engine.execute(result_sql(plan))
        types = [str(column[1]) for column in answer.description or ()]
        found = answer.fetchmany(MOST_ROWS + 1)
    if len(found) > MOST_ROWS:
        raise QueryFailed(
            f"the result has more than {MOST_ROWS:,} rows", hint="group by fewer keys, or use LIMIT"
        )
    plain = [[plain_value(value) for value in row] for row in found]
    if not plan.result.order:  # rows in an order of their own would tell something of the tables
        plain.sort(key=lambda row: [(value is None, str(type(value)), value) for value in row])
    return ResultTable(tuple(zip(plan.titles, types, strict=True)), plain)


def _history_digests(job: Job, sealed: bytes | None) -> tuple[str, str]:
    """Before and after. They change with every query, so they do not say whether it added anything."""
    if sealed is None:
        return "", ""
    return (
        history_digest(job.collaboration, job.sequence, job.history),
        history_digest(job.collaboration, job.sequence + 1, sealed),
    )
