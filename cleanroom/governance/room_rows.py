"""Reads a collaboration's state from its rows, and counts what takes effect in it."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from cleanroom.errors import NotFound
from cleanroom.governance.principal import MemberRole
from cleanroom.governance.proposal_text import Membership, ProposalKind, ProposalState, read_content
from cleanroom.governance.room_state import OwnedRules, RoomState, Standing
from cleanroom.governance.tables import CollaborationRow, DatasetRow, MemberRow, ProposalRow, TemplateRow
from cleanroom.rules.analysis_rule import RuleDocument
from privacy.party_keys import PublicKeys


def collaboration_row(session: Session, collaboration: str) -> CollaborationRow:
    """Its row. Raises NotFound."""
    row = session.get(CollaborationRow, collaboration)
    if row is None:
        raise NotFound("there is no such collaboration", hint="check the collaboration's id")
    return row


def next_event(session: Session, collaboration: str) -> int:
    """The number of what takes effect now: the order in which the record is verified again."""
    row = collaboration_row(session, collaboration)
    row.events += 1
    return row.events


def room_state(session: Session, collaboration: str) -> RoomState:
    """The collaboration as the rows have it."""
    rows = list(session.scalars(select(MemberRow).where(MemberRow.collaboration == collaboration)))
    members = {
        row.name: Standing(frozenset(MemberRole(role) for role in row.roles), PublicKeys.of(row.keys))
        for row in rows
        if row.removed is None
    }
    datasets = session.scalars(select(DatasetRow).where(DatasetRow.collaboration == collaboration))
    return RoomState(
        collaboration=collaboration,
        members=members,
        rules={
            row.name: OwnedRules(row.owner, RuleDocument.of(row.rules), closed=row.closed) for row in datasets
        },
        invited=_invited(session, collaboration, {row.name for row in rows}),
        former=frozenset(row.name for row in rows if row.removed is not None),
        templates=_templates(session, collaboration),
    )


def _templates(session: Session, collaboration: str) -> dict[str, tuple[str, ...]]:
    rows = session.scalars(select(TemplateRow).where(TemplateRow.collaboration == collaboration))
    return {row.name: tuple(row.datasets) for row in rows}


def _invited(session: Session, collaboration: str, known: set[str]) -> dict[str, Membership]:
    effective = session.scalars(
        select(ProposalRow)
        .where(
            ProposalRow.collaboration == collaboration,
            ProposalRow.kind == str(ProposalKind.MEMBERSHIP),
            ProposalRow.state == str(ProposalState.EFFECTIVE),
        )
        .order_by(ProposalRow.effective_event)
    )
    invited: dict[str, Membership] = {}
    for row in effective:
        content = read_content(ProposalKind.MEMBERSHIP, row.content)
        if isinstance(content, Membership) and content.member not in known:
            invited[content.member] = content
    return invited
