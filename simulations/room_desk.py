"""The agency at work: it asks, keeps what it asked and what came back, and turns releases into tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cleanroom.errors import BudgetSpent, QueryRefused
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_questions import QuestionText
from mmm_models.reporting.figure import Cell, Column, Table
from simulations.errors import NotRefused
from simulations.room_questions import Question


@dataclass(frozen=True)
class Released:
    """A signed release, and where its file is. `cached`: given before, at no further charge."""

    question: Question
    document: Mapping[str, Any]
    path: Path
    cached: bool

    @property
    def rows(self) -> list[list[Any]]:
        """The released rows."""
        rows: list[list[Any]] = self.document["body"]["result"]["rows"]
        return rows

    @property
    def notice(self) -> str:
        """What every answer says of withholding."""
        return str(self.document["body"]["notice"])

    @property
    def table(self) -> Table:
        """As people read it."""
        shown = self.question.columns
        cells = [self.values(name) for name in shown]
        rows = [map(_cell, shown.values(), row) for row in zip(*cells, strict=True)]
        return Table(tuple(shown.values()), tuple(tuple(row) for row in rows))

    def values(self, column: str) -> list[Any]:
        """One column of the answer."""
        names = [item["name"] for item in self.document["body"]["result"]["columns"]]
        place = names.index(column)
        return [row[place] for row in self.rows]


@dataclass
class AnalystDesk:
    """Asks as one member; every question and every release becomes a file."""

    room: RoomClient
    folder: Path
    asked: int = field(default=0, init=False)

    def ask(self, question: Question) -> Released:
        """Ask in SQL, or the approved template when the question has parameters."""
        number = self._keep(question)
        answer = self.room.questions.ask(
            QuestionText(template=question.name, parameters=question.parameters)
            if question.parameters
            else QuestionText(question.sql)
        )
        path = self.folder / "releases" / f"{number:02d}-{question.name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(answer.release, indent=1), encoding="utf-8")
        return Released(question, answer.release, path, answer.cached)

    def refusal(self, question: Question) -> Table:
        """Why it is refused, reason by reason. Raises NotRefused should it be answered."""
        self._keep(question)
        try:
            self.room.questions.ask(QuestionText(question.sql))
        except (QueryRefused, BudgetSpent) as error:
            reasons = tuple((reason.message, reason.fix) for reason in error.reasons)
            return Table((Column("Refused, because"), Column("What would be right")), reasons)
        raise NotRefused(f"{question.name} was answered", hint="do not use this version")

    def _keep(self, question: Question) -> int:
        self.asked += 1
        path = self.folder / "queries" / f"{self.asked:02d}-{question.name}.sql"
        path.parent.mkdir(exist_ok=True)
        path.write_text(question.sql + "\n", encoding="utf-8")
        return self.asked


def _cell(column: Column, value: Any) -> Cell:
    if value is None or isinstance(value, str):
        return value
    return float(value) if column.is_number else f"{value:g}"
