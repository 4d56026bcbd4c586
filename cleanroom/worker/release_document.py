"""What a release says: the result, what was asked, under which rules, of which tables, at which price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from cleanroom.release.release_terms import Cell
from cleanroom.rules.analysis_rule import Mode
from cleanroom.rules.rule_check import Verdict
from cleanroom.worker.job import Job
from privacy.canonical_json import digest_of

FORMAT = "mixroom-release/1"
KIND = "release"
UNIT = "one person: all rows of all tables under one identity"


@dataclass(frozen=True)
class ResultTable:
    """Columns as (title, engine type), and rows of plain JSON values."""

    columns: tuple[tuple[str, str], ...]
    rows: Sequence[Sequence[Any]]

    def to_plain(self) -> dict[str, Any]:
        """As it stands in the document."""
        columns = [{"name": title, "type": kind.lower()} for title, kind in self.columns]
        return {"columns": columns, "rows": [list(row) for row in self.rows]}


FULL = (
    "; the record of earlier releases is full: only numbers that those already imply are released, so found a new "
    "collaboration for other questions"
)


def notice(mode: Mode, min_group_size: int) -> str:
    """What every answer says of withholding. It is the same whether anything was withheld or not."""
    if mode is Mode.DP:
        return "every number carries noise; groups of few people may not appear, and groups that appear may be empty"
    return (
        f"numbers of fewer than {min_group_size} people, or that could be derived for so few with other releases, "
        "are withheld without being counted or marked apart from groups that do not exist"
    )


@dataclass(frozen=True)
class Spent:
    """What the release cost, and the sealed difference history it read and left (digests; empty in dp mode).

    Every threshold release of a collaboration starts where the one before it ended: two with one beginning show that
    the service put an older history in place of a newer one. is_full: before this question the history held as many
    numbers as can be checked against each other, so that none it did not already imply can be released.
    """

    epsilon: float
    delta: float
    before: str
    after: str
    is_full: bool = False


def release_body(
    job: Job, verdict: Verdict, result: ResultTable, cells: Sequence[Sequence[Cell]], spent: Spent
) -> dict[str, Any]:
    """The body that the worker signs.

    Noised cells are in it, so that the same question in other words can be answered from them again.
    """
    plain = result.to_plain()
    return {
        "format": FORMAT,
        "collaboration": job.collaboration,
        "query_id": job.query_id,
        "asked_by": job.asker,
        "issued_on": job.asked_on.isoformat(),
        "plan": job.plan.model_dump(mode="json"),
        "plan_digest": job.plan.digest(),
        "result": plain,
        "result_digest": digest_of(plain),
        "notice": notice(verdict.mode, verdict.min_group_size) + (FULL if spent.is_full else ""),
        "protection": {
            "mode": verdict.mode.value,
            "min_group_size": verdict.min_group_size,
            "largest_share": min(terms.largest_share for terms in verdict.releases),
            "epsilon": verdict.epsilon,
            "delta": verdict.delta,
            "unit": UNIT,
        },
        "policies": [
            {
                "dataset": table.document.dataset,
                "owner": table.owner,
                "digest": digest_of(table.document.canonical()),
            }
            for table in sorted(job.tables, key=lambda table: table.document.dataset)
        ],
        "datasets": [
            {
                "dataset": table.document.dataset,
                "version": table.manifest["version"],
                "sealed_sha256": table.manifest["sealed_sha256"],
            }
            for table in sorted(job.tables, key=lambda table: table.document.dataset)
        ],
        "charge": {"epsilon": spent.epsilon, "delta": spent.delta, "query_id": job.query_id},
        "history": {"before": spent.before, "after": spent.after, "full": spent.is_full},
        "cells": plain_cells(cells) if verdict.mode is Mode.DP else None,
        "measurement": None,
    }


def plain_cells(cells: Sequence[Sequence[Cell]]) -> list[list[dict[str, Any]]]:
    """The released cells of every release node as JSON has them."""
    return [
        [
            {
                "grouping_set": cell.grouping_set,
                "keys": [plain_value(key) for key in cell.keys],
                "values": [plain_value(value) for value in cell.values],
            }
            for cell in released
        ]
        for released in cells
    ]


def cells_again(plain: Sequence[Sequence[dict[str, Any]]]) -> list[tuple[Cell, ...]]:
    """What `plain_cells` wrote; days stay text, which the engine reads as days."""
    return [
        tuple(Cell(cell["grouping_set"], tuple(cell["keys"]), tuple(cell["values"])) for cell in released)
        for released in plain
    ]


def plain_value(value: object) -> Any:
    """A value of the result as JSON has it."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if value == value and abs(value) != float("inf") else None
        case Decimal():
            return float(value)
        case datetime() | date():
            return value.isoformat()
    return str(value)
