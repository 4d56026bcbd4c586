"""A plan run over opened tables: numbers through the gate, and whatever is computed from released numbers alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cleanroom.datasets.opened_table import SealedSource, load_table
from cleanroom.engine.cell_sql import result_sql
from cleanroom.engine.locked_engine import locked_engine
from cleanroom.engine.person_sql import contributions_sql
from cleanroom.engine.rehearsal import released_table_sql
from cleanroom.errors import QueryFailed
from cleanroom.query.plan import scans_of
from cleanroom.release.history import History
from cleanroom.release.release_stage import release_cells
from cleanroom.release.release_terms import Cell
from cleanroom.worker.judged_job import Judged
from cleanroom.worker.release_document import ResultTable
from cleanroom.worker.released_cells import plain_value

MOST_ROWS = 100_000


@dataclass(frozen=True)
class WorkerLimits:
    """What one job may use."""

    memory: str = "3GB"
    threads: int = 2


USUAL_LIMITS = WorkerLimits()


@dataclass(frozen=True)
class ReleasedCells:
    """What passed the gate, the history after it, and which rules withheld something."""

    cells: tuple[tuple[Cell, ...], ...]
    history: History
    withheld: tuple[str, ...]


def cells_of(
    judged: Judged, sources: Sequence[SealedSource], history: History, limits: WorkerLimits
) -> ReleasedCells:
    """Open the tables and release. Raises QueryFailed or SealedTableBroken."""
    with locked_engine(memory=limits.memory, threads=limits.threads) as engine:
        for source in sources:
            dataset = source.manifest.context.dataset
            load_table(source, engine, name=dataset, columns=_columns_read(judged, dataset))
        released = []
        withheld: list[str] = []
        for node, terms in zip(judged.job.plan.releases, judged.verdict.releases, strict=True):
            outcome = release_cells(engine, contributions_sql(node, judged.catalog), terms, history)
            history = outcome.history
            withheld += outcome.diagnosis.withheld
            released.append(outcome.cells)
    return ReleasedCells(tuple(released), history, tuple(withheld))


def result_of(judged: Judged, released: Sequence[tuple[Cell, ...]]) -> ResultTable:
    """Post-processing, in an engine that has only ever seen released cells. Raises QueryFailed."""
    plan = judged.job.plan
    with locked_engine(memory="512MB", threads=1) as engine:
        for index, (node, cells) in enumerate(zip(plan.releases, released, strict=True)):
            engine.execute(released_table_sql(index, node, judged.catalog))
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


def unfinished() -> QueryFailed:
    """The one refusal of whatever the engine could not do: its own words may quote a row."""
    return QueryFailed(
        "the engine could not finish; nothing was released",
        hint="ask for less at once, or ask the operator for a larger worker",
    )


def _columns_read(judged: Judged, dataset: str) -> list[str]:
    """The identity and every column that the plan reads of a dataset."""
    scans = [scan for release in judged.job.plan.releases for scan in scans_of(release.source)]
    names = {name for scan in scans if scan.dataset == dataset for _, name in scan.columns}
    return sorted({judged.catalog[dataset].identity, *names})
