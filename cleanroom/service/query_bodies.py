"""Questions, verdicts, releases, templates and budgets as requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from cleanroom.governance.ledger import BudgetView
from cleanroom.governance.query_views import QueryState, QueryView
from cleanroom.rules.analysis_rule import Mode, Refresh
from cleanroom.service.answer_bodies import ONLY_NUMBERS, Answered, Asked, ErrorReason

Value = Annotated[str, Field(strict=True)] | Annotated[int, ONLY_NUMBERS] | Annotated[float, ONLY_NUMBERS]
Parameters = Annotated[
    dict[str, Value],
    Field(max_length=100, description="A value for each `:name` in the text."),
]
Epsilon = Annotated[
    float, Field(ge=0, le=100, description="Only in dp mode; 0 takes what the rules say."), ONLY_NUMBERS
]

_EXAMPLE = "SELECT channel, COUNT(DISTINCT person) AS people FROM exposures GROUP BY channel"


class TemplateQueryAsked(Asked):
    """Values for an approved template."""

    parameters: Parameters = Field(default_factory=dict)
    epsilon: Epsilon = 0.0


class QueryAsked(TemplateQueryAsked):
    """A question in SQL, or by the name of an approved template."""

    sql: Annotated[str, Field(max_length=20_000)] = ""
    template: Annotated[str, Field(max_length=40, pattern="^[a-z0-9_]*$")] = ""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sql": _EXAMPLE, "parameters": {}}]})


class AnswerBody(Answered):
    """A release, signed by the worker. `cached`: the same noised question was answered before, free of charge.

    Groups that may not be shown are not in it, and nothing says whether there were any.
    """

    query_id: str
    cached: bool
    release: dict[str, Any]


class NoiseBody(BaseModel):
    """The noise that one measure of one release would carry."""

    release: int
    grouping_set: int
    measure: int
    function: str
    standard_deviation: float
    half_width_95: float
    key_threshold: int


class BudgetWords(BaseModel):
    """A dataset's budget in words."""

    dataset: str
    words: str


class DryRunBody(Answered):
    """What a question would come to. Nothing was charged and no data were touched."""

    allowed: bool
    reasons: list[ErrorReason]
    mode: Mode | None
    min_group_size: int | None
    datasets: list[str]
    epsilon: float
    delta: float
    expected_noise: list[NoiseBody]
    budgets: list[BudgetWords]
    notice: str | None
    plan_digest: str | None
    plan: dict[str, Any] | None


class QueryContent(BaseModel):
    """A query that was charged, without its result."""

    id: str
    collaboration: str
    member: str
    question: str
    plan_digest: str
    basis_digest: str
    mode: Mode
    state: QueryState
    datasets: list[str]
    epsilon: float
    delta: float
    asked: datetime
    ended: datetime | None

    @classmethod
    def of(cls, view: QueryView) -> QueryContent:
        """From the view."""
        return cls(**{**vars(view), "datasets": list(view.datasets)})


class QueryBody(Answered, QueryContent):
    """One query."""


class QueriesBody(Answered):
    """The caller's own queries; all of them for owners and auditors."""

    queries: list[QueryContent]


class ReleaseBody(Answered):
    """A release as it was given."""

    query_id: str
    release: dict[str, Any]


class TemplateBody(BaseModel):
    """A query with parameters that every owner in it has signed."""

    name: str
    template: dict[str, Any]
    datasets: list[str]
    proposal: str


class TemplatesBody(Answered):
    """All templates in force."""

    templates: list[TemplateBody]


class BudgetBody(BaseModel):
    """What is left of one dataset's budget."""

    dataset: str
    owner: str
    mode: Mode
    refresh: Refresh
    budget_epsilon: float
    spent_epsilon: float
    left_epsilon: float
    spent_delta: float
    queries_per_day: int
    queries_today: int
    queries_left: int | None
    renews: datetime | None
    words: str

    @classmethod
    def of(cls, view: BudgetView) -> BudgetBody:
        """From the view."""
        return cls(**vars(view), queries_left=view.queries_left)


class BudgetsBody(Answered):
    """Per dataset, by name."""

    budgets: list[BudgetBody]
