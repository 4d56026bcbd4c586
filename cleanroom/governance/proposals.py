"""Proposals: signed by one member, in force once every affected owner has signed the same text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cleanroom.errors import Conflict, Forbidden, NotFound
from cleanroom.governance.audit_log import AuditLog, Note
from cleanroom.governance.party_signatures import require_body
from cleanroom.governance.principal import Principal
from cleanroom.governance.proposal_effects import Effect, take_effect
from cleanroom.governance.proposal_text import (
    Content,
    ProposalKind,
    ProposalState,
    plain_content,
    proposal_body,
    read_content,
)
from cleanroom.governance.proposal_views import (
    ProposalView,
    TemplateView,
    missing_signers,
    proposal_view,
    read_row,
)
from cleanroom.governance.record import PROPOSAL
from cleanroom.governance.room_ids import new_proposal_id
from cleanroom.governance.room_rows import collaboration_row, next_event, room_state
from cleanroom.governance.room_state import require_proposable, required_signers
from cleanroom.governance.store import Store
from cleanroom.governance.tables import ProposalRow, SignatureRow, TemplateRow
from privacy.canonical_json import digest_of

__all__ = ["Draft", "ProposalView", "Proposals", "TemplateView"]


@dataclass(frozen=True)
class Draft:
    """What is proposed, and the proposer's signed document on it (`proposal_text.proposal_body`)."""

    collaboration: str
    kind: ProposalKind
    content: Mapping[str, Any]
    document: Mapping[str, Any]


class Proposals:
    """All proposals of all collaborations."""

    def __init__(self, store: Store, audit: AuditLog) -> None:
        self._store = store
        self._audit = audit

    def propose(self, principal: Principal, draft: Draft, *, now: datetime) -> ProposalView:
        """Propose; in force at once when nobody else need sign.

        Raises Conflict when another proposal came in between (sign again for the next place), SignatureInvalid,
        ProposalInvalid, RuleInvalid or Forbidden.
        """
        principal.require(draft.collaboration)
        content = read_content(ProposalKind(draft.kind), draft.content)

        def work(session: Session) -> ProposalView:
            row = self._add(session, principal, draft, content, now)
            return self._signed(session, principal, row, draft.document, now=now)

        view = self._store.write(work)
        return view

    def sign(
        self,
        principal: Principal,
        collaboration: str,
        proposal: str,
        document: Mapping[str, Any],
        *,
        now: datetime,
    ) -> ProposalView:
        """Add an affected owner's signature. Signing twice changes nothing. Raises SignatureInvalid, Conflict."""
        principal.require(collaboration)

        def work(session: Session) -> ProposalView:
            row = _waiting(session, collaboration, proposal)
            state = room_state(session, collaboration)
            if principal.member not in {row.proposer, *required_signers(state, read_row(row))}:
                raise Forbidden(
                    "this proposal does not need your signature", hint="nothing is left for you to do"
                )
            return self._signed(session, principal, row, document, now=now)

        view = self._store.write(work)
        return view

    def decline(
        self, principal: Principal, collaboration: str, proposal: str, *, now: datetime
    ) -> ProposalView:
        """End a proposal for good: by an owner it needs, or by who proposed it."""
        principal.require(collaboration)

        def work(session: Session) -> ProposalView:
            row = _waiting(session, collaboration, proposal)
            state = room_state(session, collaboration)
            mine = principal.member == row.proposer
            if not mine and principal.member not in required_signers(state, read_row(row)):
                raise Forbidden(
                    "only an owner whose signature it needs declines it", hint="ask such an owner"
                )
            row.state, row.ended = str(ProposalState.DECLINED), now
            self._note(session, principal, row, "proposal declined", now)
            return proposal_view(session, row, state)

        return self._store.write(work)

    def view(self, principal: Principal, collaboration: str, proposal: str) -> ProposalView:
        """One proposal, for members. Raises NotFound."""
        principal.require(collaboration)

        def work(session: Session) -> ProposalView:
            row = _row(session, collaboration, proposal)
            return proposal_view(session, row, room_state(session, collaboration))

        return self._store.read(work)

    def list(
        self, principal: Principal, collaboration: str, *, state: ProposalState | None = None
    ) -> tuple[ProposalView, ...]:
        """All proposals in the order of their places, for members."""
        principal.require(collaboration)

        def work(session: Session) -> tuple[ProposalView, ...]:
            query = (
                select(ProposalRow)
                .where(ProposalRow.collaboration == collaboration)
                .order_by(ProposalRow.sequence)
            )
            if state is not None:
                query = query.where(ProposalRow.state == str(state))
            room = room_state(session, collaboration)
            return tuple(proposal_view(session, row, room) for row in session.scalars(query))

        return self._store.read(work)

    def templates(self, principal: Principal, collaboration: str) -> tuple[TemplateView, ...]:
        """All templates in force, by name."""
        principal.require(collaboration)

        def work(session: Session) -> tuple[TemplateView, ...]:
            query = (
                select(TemplateRow)
                .where(TemplateRow.collaboration == collaboration)
                .order_by(TemplateRow.name)
            )
            return tuple(
                TemplateView(row.name, row.template, tuple(row.datasets), row.proposal)
                for row in session.scalars(query)
            )

        return self._store.read(work)

    def _add(
        self, session: Session, principal: Principal, draft: Draft, content: Content, now: datetime
    ) -> ProposalRow:
        require_proposable(room_state(session, draft.collaboration), content, principal.member)
        collaboration = collaboration_row(session, draft.collaboration)
        body = draft.document.get("body") if isinstance(draft.document, Mapping) else None
        asked = body.get("sequence") if isinstance(body, Mapping) else None
        if isinstance(asked, int) and asked != collaboration.proposals + 1:
            raise Conflict(
                f"the next proposal is number {collaboration.proposals + 1}, not the one that was signed",
                hint="read the collaboration again and sign for its next number",
            )
        collaboration.proposals += 1
        row = ProposalRow(
            id=new_proposal_id(),
            collaboration=draft.collaboration,
            sequence=collaboration.proposals,
            kind=str(ProposalKind(draft.kind)),
            proposer=principal.member,
            content=plain_content(content),
            state=str(ProposalState.WAITING),
            created=now,
        )
        session.add(row)
        session.flush()
        self._note(session, principal, row, "proposal made", now)
        return row

    def _signed(
        self,
        session: Session,
        principal: Principal,
        row: ProposalRow,
        document: Mapping[str, Any],
        *,
        now: datetime,
    ) -> ProposalView:
        state = room_state(session, row.collaboration)
        body = proposal_body(row.collaboration, ProposalKind(row.kind), row.content, row.sequence)
        require_body(document, kind=PROPOSAL, keys=state.members[principal.member].keys, body=body)
        if session.get(SignatureRow, (row.id, principal.member)) is None:
            session.add(
                SignatureRow(proposal=row.id, member=principal.member, document=dict(document), signed=now)
            )
            session.flush()
            self._note(session, principal, row, "proposal signed", now)
        effect = Effect()
        if not missing_signers(session, row, state):
            row.state, row.ended = str(ProposalState.EFFECTIVE), now
            row.effective_event = next_event(session, row.collaboration)
            effect = take_effect(session, self._audit, row, now=now)
            self._note(session, principal, row, "proposal in force", now)
        return proposal_view(session, row, state, effect.destroyed)

    def _note(
        self, session: Session, principal: Principal, row: ProposalRow, action: str, now: datetime
    ) -> None:
        details = {
            "proposal": row.id,
            "kind": row.kind,
            "sequence": row.sequence,
            "content_digest": digest_of(row.content),
        }
        self._audit.append(session, Note(row.collaboration, principal.actor, action, details), now=now)


def _row(session: Session, collaboration: str, proposal: str) -> ProposalRow:
    row = session.get(ProposalRow, proposal)
    if row is None or row.collaboration != collaboration:
        raise NotFound("there is no such proposal", hint="list the collaboration's proposals")
    return row


def _waiting(session: Session, collaboration: str, proposal: str) -> ProposalRow:
    row = _row(session, collaboration, proposal)
    if row.state != ProposalState.WAITING:
        raise Conflict(f"this proposal is {row.state} already", hint="make a new proposal")
    return row
