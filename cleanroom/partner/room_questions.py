"""What a member asks of a room: questions in SQL or by template, what they would cost, what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cleanroom.partner.room_link import RoomLink
from cleanroom.service.query_bodies import (
    AnswerBody,
    BudgetsBody,
    DryRunBody,
    QueriesBody,
    ReleaseBody,
    TemplatesBody,
)

Value = str | int | float


@dataclass(frozen=True)
class QuestionText:
    """SQL, or the name of an approved template, with a value for each `:name` in it. epsilon 0: the rules' usual."""

    sql: str = ""
    template: str = ""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    epsilon: float = 0.0

    def body(self) -> dict[str, object]:
        """As the service takes it."""
        return {**vars(self), "parameters": dict(self.parameters)}


class RoomQuestions:
    """Questions over one connection. Every answer is a release signed by the worker."""

    def __init__(self, link: RoomLink, collaboration: str) -> None:
        self._link = link
        self._here = f"/v1/collaborations/{collaboration}"

    def ask(self, question: QuestionText) -> AnswerBody:
        """Ask; charged once, however often the connection is lost. Raises QueryRefused, BudgetSpent, QueryFailed."""
        return self._link.post(f"{self._here}/queries", AnswerBody, question.body())

    def dry_run(self, question: QuestionText) -> DryRunBody:
        """Verdict, price and expected noise; nothing is charged."""
        return self._link.post(f"{self._here}/queries/dry-run", DryRunBody, question.body())

    def asked(self) -> QueriesBody:
        """Queries that were charged."""
        return self._link.get(f"{self._here}/queries", QueriesBody)

    def release(self, query: str) -> ReleaseBody:
        """A release as it was given."""
        return self._link.get(f"{self._here}/queries/{query}/release", ReleaseBody)

    def templates(self) -> TemplatesBody:
        """Templates in force."""
        return self._link.get(f"{self._here}/templates", TemplatesBody)

    def budget(self) -> BudgetsBody:
        """What is left of every dataset's budget."""
        return self._link.get(f"{self._here}/budget", BudgetsBody)
