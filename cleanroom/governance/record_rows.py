"""Writes a collaboration's record of signed documents from the rows, for `record.verify_record`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cleanroom.governance.room_rows import collaboration_row
from cleanroom.governance.tables import MemberRow, ProposalRow, SignatureRow


def room_record(session: Session, collaboration: str) -> dict[str, Any]:
    """The terms and everything that took effect since, in order, as plain JSON."""
    events = {**_joined(session, collaboration), **_proposals(session, collaboration)}
    return {
        "collaboration": collaboration,
        "terms": collaboration_row(session, collaboration).terms,
        "events": [events[number] for number in sorted(events)],
    }


def _joined(session: Session, collaboration: str) -> dict[int, dict[str, Any]]:
    rows = session.scalars(select(MemberRow).where(MemberRow.collaboration == collaboration))
    return {
        row.joined_event: {"event": "joined", "document": row.acceptance}
        for row in rows
        if row.acceptance is not None
    }


def _proposals(session: Session, collaboration: str) -> dict[int, dict[str, Any]]:
    rows = session.scalars(
        select(ProposalRow).where(
            ProposalRow.collaboration == collaboration, ProposalRow.effective_event.is_not(None)
        )
    )
    return {
        row.effective_event or 0: {
            "event": "proposal",
            "kind": row.kind,
            "sequence": row.sequence,
            "proposer": row.proposer,
            "content": row.content,
            "signatures": signatures(session, row.id),
        }
        for row in rows
    }


def signatures(session: Session, proposal: str) -> list[dict[str, Any]]:
    """All signed documents on one proposal, in the order of signing."""
    query = (
        select(SignatureRow.document)
        .where(SignatureRow.proposal == proposal)
        .order_by(SignatureRow.signed, SignatureRow.member)
    )
    return list(session.scalars(query))
