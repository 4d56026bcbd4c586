"""Proposals as members see them: what, by whom, signed by whom, and whose signature is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cleanroom.errors import NotFound
from cleanroom.governance.proposal_text import Content, ProposalKind, ProposalState, read_content
from cleanroom.governance.record_rows import signatures
from cleanroom.governance.room_state import RoomState, required_signers
from cleanroom.governance.tables import ProposalRow, SignatureRow
from cleanroom.governance.version_destruction import DestroyedVersion


@dataclass(frozen=True)
class ProposalView:
    """A proposal as members see it. `destroyed`: sealed files to unlink, told once, when it takes effect."""

    id: str
    collaboration: str
    kind: ProposalKind
    sequence: int
    proposer: str
    content: Mapping[str, Any]
    state: ProposalState
    created: datetime
    ended: datetime | None
    signed_by: tuple[str, ...]
    waiting_for: tuple[str, ...]
    documents: tuple[Mapping[str, Any], ...]
    destroyed: tuple[DestroyedVersion, ...] = ()


@dataclass(frozen=True)
class TemplateView:
    """A query with parameters that may be asked."""

    name: str
    template: Mapping[str, Any]
    datasets: tuple[str, ...]
    proposal: str


def proposal_view(
    session: Session, row: ProposalRow, state: RoomState, destroyed: tuple[DestroyedVersion, ...] = ()
) -> ProposalView:
    """A proposal's row as a value."""
    waiting = row.state == ProposalState.WAITING
    return ProposalView(
        id=row.id,
        collaboration=row.collaboration,
        kind=ProposalKind(row.kind),
        sequence=row.sequence,
        proposer=row.proposer,
        content=row.content,
        state=ProposalState(row.state),
        created=row.created,
        ended=row.ended,
        signed_by=_signers(session, row),
        waiting_for=_waits_for(session, row, state) if waiting else (),
        documents=tuple(signatures(session, row.id)),
        destroyed=destroyed,
    )


def read_row(row: ProposalRow) -> Content:
    """The content of a proposal's row."""
    return read_content(ProposalKind(row.kind), row.content)


def missing_signers(session: Session, row: ProposalRow, state: RoomState) -> tuple[str, ...]:
    """Who has yet to sign. Raises NotFound when a dataset of a template was closed meanwhile."""
    needed = {row.proposer, *required_signers(state, read_row(row))}
    return tuple(sorted(needed - set(_signers(session, row))))


def _waits_for(session: Session, row: ProposalRow, state: RoomState) -> tuple[str, ...]:
    try:
        return missing_signers(session, row, state)
    except NotFound:  # a dataset of the template was closed meanwhile: it can only be declined
        return ()


def _signers(session: Session, row: ProposalRow) -> tuple[str, ...]:
    query = select(SignatureRow.member).where(SignatureRow.proposal == row.id).order_by(SignatureRow.member)
    return tuple(session.scalars(query))
