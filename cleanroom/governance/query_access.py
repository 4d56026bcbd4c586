"""Who may read which query: analysts their own, owners and auditors all; and releases as the rules say besides."""

from __future__ import annotations

from sqlalchemy import ColumnElement
from sqlalchemy.orm import Session

from cleanroom.errors import Forbidden, NotFound
from cleanroom.governance.principal import MemberRole, Principal
from cleanroom.governance.tables import DatasetRow, QueryRow
from cleanroom.rules.analysis_rule import ANY, RuleDocument


def visible(principal: Principal) -> tuple[ColumnElement[bool], ...]:
    """What narrows a selection of queries to those that the caller may read."""
    return () if _reads_all(principal) else (QueryRow.member == principal.member,)


def readable(session: Session, principal: Principal, collaboration: str, query_id: str) -> QueryRow:
    """The query, if the caller may read it. Raises NotFound."""
    principal.require(collaboration)
    row = session.get(QueryRow, query_id)
    mine = row is not None and (_reads_all(principal) or row.member == principal.member)
    if row is None or row.collaboration != collaboration or not mine:
        raise NotFound("there is no such query, or it is not yours", hint="list your queries")
    return row


def require_receiver(session: Session, principal: Principal, query: QueryRow) -> None:
    """Raise Forbidden unless every dataset's rules in force let the caller have its numbers; its asker has them."""
    if query.member == principal.member:
        return
    for name in query.datasets:
        dataset = session.get_one(DatasetRow, (query.collaboration, name))
        receivers = RuleDocument.of(dataset.rules).rule.receivers
        if ANY not in receivers and principal.member not in receivers:
            raise Forbidden(
                "an owner does not let you receive results", hint="ask the owner to list you in receivers"
            )


def _reads_all(principal: Principal) -> bool:
    return not principal.roles.isdisjoint({MemberRole.OWNER, MemberRole.AUDITOR})
