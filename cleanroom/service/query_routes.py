"""Ask, ask what asking would come to, and look up what was answered."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from cleanroom.service.callers import Caller
from cleanroom.service.error_answers import method_not_allowed
from cleanroom.service.path_names import CollaborationId, QueryId, TemplateName
from cleanroom.service.query_bodies import (
    AnswerBody,
    BudgetBody,
    BudgetsBody,
    DryRunBody,
    QueriesBody,
    QueryAsked,
    QueryBody,
    QueryContent,
    ReleaseBody,
    TemplateBody,
    TemplateQueryAsked,
    TemplatesBody,
)
from cleanroom.service.question_reading import Ask
from cleanroom.service.quota_headers import DOCUMENTED, quota_headers
from cleanroom.service.repeats import Once, Repeat
from cleanroom.service.room_parts import Parts

router = APIRouter(prefix="/v1/collaborations/{collaboration}", tags=["queries"])
_WITH_QUOTA: dict[int | str, dict[str, Any]] = {200: {"headers": DOCUMENTED}}


@router.post("/queries", responses=_WITH_QUOTA)
def ask(
    collaboration: CollaborationId, asked: QueryAsked, caller: Caller, repeat: Repeat, response: Response
) -> AnswerBody:
    """Ask in SQL; the answer is a signed release. The charge is taken before any data are touched, and kept.

    Groups of too few people, or that could be derived for so few from other releases, may be withheld. The answer
    leaves on a fixed schedule.
    """
    return _answer(collaboration, _question(asked), repeat, response)


@router.post("/templates/{template}/queries", responses=_WITH_QUOTA)
def ask_template(
    collaboration: CollaborationId,
    template: TemplateName,
    asked: TemplateQueryAsked,
    caller: Caller,
    repeat: Repeat,
    response: Response,
) -> AnswerBody:
    """Ask an approved template with values for its parameters."""
    question = Ask(template=template, parameters=asked.parameters, epsilon=asked.epsilon)
    return _answer(collaboration, question, repeat, response)


@router.post("/queries/dry-run")
def dry_run(collaboration: CollaborationId, asked: QueryAsked, parts: Parts, caller: Caller) -> DryRunBody:
    """Verdict with every reason, price, expected noise and budgets. Nothing is charged, no data are touched."""
    verdict = parts.desk.dry_run(caller, collaboration, _question(asked), now=parts.clock())
    return DryRunBody(**verdict.to_plain())


router.get("/queries/dry-run", include_in_schema=False)(method_not_allowed)


@router.get("/queries")
def list_queries(collaboration: CollaborationId, parts: Parts, caller: Caller) -> QueriesBody:
    """The caller's own queries; all of them for owners and auditors."""
    views = parts.governance.queries.list(caller, collaboration)
    return QueriesBody(queries=[QueryContent.of(view) for view in views])


@router.get("/queries/{query}")
def show_query(collaboration: CollaborationId, query: QueryId, parts: Parts, caller: Caller) -> QueryBody:
    """One query without its result."""
    view = parts.governance.queries.view(caller, collaboration, query)
    return QueryBody(**QueryContent.of(view).model_dump())


@router.get("/queries/{query}/release")
def show_release(collaboration: CollaborationId, query: QueryId, parts: Parts, caller: Caller) -> ReleaseBody:
    """The signed release as it was given."""
    stored = parts.governance.queries.release(caller, collaboration, query)
    return ReleaseBody(query_id=stored.query_id, release=dict(stored.release))


@router.get("/templates")
def list_templates(collaboration: CollaborationId, parts: Parts, caller: Caller) -> TemplatesBody:
    """All templates in force."""
    views = parts.governance.proposals.templates(caller, collaboration)
    return TemplatesBody(
        templates=[TemplateBody(**{**vars(view), "datasets": list(view.datasets)}) for view in views]
    )


@router.get("/budget")
def show_budget(collaboration: CollaborationId, parts: Parts, caller: Caller) -> BudgetsBody:
    """What is left of every dataset's budget and day, also in words."""
    views = parts.governance.ledger.remaining(collaboration, now=parts.clock())
    return BudgetsBody(budgets=[BudgetBody.of(view) for view in views])


def _question(asked: QueryAsked) -> Ask:
    return Ask(asked.sql, asked.template, asked.parameters, asked.epsilon)


def _answer(collaboration: str, question: Ask, repeat: Once, response: Response) -> AnswerBody:
    """The release, and what is left, which is read anew for every repetition."""
    parts = repeat.parts

    def ask_once() -> AnswerBody:
        answer = parts.desk.ask(repeat.caller, collaboration, question, now=parts.clock())
        return AnswerBody(query_id=answer.query_id, cached=answer.cached, release=dict(answer.release))

    body = repeat(AnswerBody, ask_once)
    now = parts.clock()
    budgets = parts.governance.ledger.remaining(collaboration, now=now)
    response.headers.update(quota_headers(budgets, body.release, now=now))
    return body
