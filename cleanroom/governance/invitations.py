"""Invitations: a one-time code for the party that all owners signed for, and its acceptance.

The code is stored only as a keyed hash and expires. The collaboration's identity key travels with it outside
this service, which never sees that key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cleanroom.errors import Conflict, Forbidden, NotFound, ProposalInvalid
from cleanroom.governance.audit_log import AuditLog, Note
from cleanroom.governance.collaborations import Joined, collaboration_view, join
from cleanroom.governance.credentials import not_authorised
from cleanroom.governance.party_signatures import open_self_signed, require_body
from cleanroom.governance.pepper import Pepper
from cleanroom.governance.principal import MemberRole, Principal
from cleanroom.governance.proposal_text import Membership, ProposalKind, ProposalState
from cleanroom.governance.record import ACCEPTANCE
from cleanroom.governance.room_ids import random_text
from cleanroom.governance.room_rows import next_event, room_state
from cleanroom.governance.room_state import joined
from cleanroom.governance.secret_text import Secret
from cleanroom.governance.store import Store
from cleanroom.governance.tables import InvitationRow, MemberRow, ProposalRow
from cleanroom.governance.terms import acceptance_body, read_keys

LONGEST_DAYS = 30
CODE = re.compile(r"inv_[a-z2-7]{16}_[a-z2-7]{52}")
_PURPOSE = "invitation"


@dataclass(frozen=True)
class IssuedInvitation:
    """A new code; this is the only time it can be read."""

    id: str
    code: Secret
    member: str
    roles: frozenset[MemberRole]
    expires: datetime


@dataclass(frozen=True)
class InvitationPreview:
    """What the invited party signs over."""

    collaboration: str
    terms_document: Mapping[str, Any]
    terms_digest: str
    member: str
    roles: frozenset[MemberRole]
    expires: datetime


@dataclass(frozen=True)
class InvitationView:
    """An invitation without its code. `state` is open, accepted, revoked or expired."""

    id: str
    proposal: str
    member: str
    issued_by: str
    created: datetime
    expires: datetime
    state: str


class Invitations:
    """All invitations of all collaborations."""

    def __init__(self, store: Store, pepper: Pepper, audit: AuditLog) -> None:
        self._store = store
        self._pepper = pepper
        self._audit = audit

    def issue(
        self, principal: Principal, collaboration: str, proposal: str, *, days: int = 7, now: datetime
    ) -> IssuedInvitation:
        """A code for a membership that is in force, for its proposer; an earlier code ends."""
        principal.require(collaboration, MemberRole.OWNER)
        if not 1 <= days <= LONGEST_DAYS:
            raise ProposalInvalid(
                f"an invitation lasts 1 to {LONGEST_DAYS} days", hint="choose days in between"
            )

        def work(session: Session) -> IssuedInvitation:
            membership = _awaited(session, principal, collaboration, proposal)
            for earlier in _open(session, collaboration):
                if _member_of(session, earlier) == membership.member:
                    earlier.ended, earlier.ended_how = now, "revoked"
            code = f"inv_{random_text(10)}_{random_text(32)}"
            invitation = InvitationRow(
                id="inv-" + code[4:20],
                collaboration=collaboration,
                proposal=proposal,
                code_hash=self._pepper.keyed_hash(_PURPOSE, code),
                issued_by=principal.member,
                created=now,
                expires=now + timedelta(days=days),
            )
            session.add(invitation)
            details = {"invitation": invitation.id, "member": membership.member}
            self._audit.append(
                session, Note(collaboration, principal.actor, "invitation issued", details), now=now
            )
            return IssuedInvitation(
                invitation.id, Secret(code), membership.member, membership.roles, invitation.expires
            )

        return self._store.write(work)

    def preview(self, code: str, *, now: datetime) -> InvitationPreview:
        """What the holder of the code is invited to. Raises NotAuthorised for anything but a valid code."""
        return self._store.read(lambda session: _preview(session, self._find(session, code, now)))

    def accept(self, code: str, document: Mapping[str, Any], *, now: datetime) -> Joined:
        """Join: `document` is the party's signed acceptance. Raises NotAuthorised, SignatureInvalid, Conflict."""
        keys = read_keys(open_self_signed(document, kind=ACCEPTANCE).get("keys"))

        def work(session: Session) -> Joined:
            invitation = self._find(session, code, now)
            wanted = _preview(session, invitation)
            joined(room_state(session, wanted.collaboration), keys.name, keys)
            body = acceptance_body(
                wanted.terms_digest,
                wanted.collaboration,
                member=wanted.member,
                roles=wanted.roles,
                keys=keys,
            )
            require_body(document, kind=ACCEPTANCE, keys=keys, body=body)
            invitation.ended, invitation.ended_how = now, "accepted"
            session.add(
                MemberRow(
                    collaboration=wanted.collaboration,
                    name=wanted.member,
                    roles=sorted(wanted.roles),
                    keys=keys.to_plain(),
                    acceptance=dict(document),
                    joined=now,
                    joined_event=next_event(session, wanted.collaboration),
                )
            )
            details = {"invitation": invitation.id, "fingerprint": keys.fingerprint}
            self._audit.append(
                session, Note(wanted.collaboration, wanted.member, "member joined", details), now=now
            )
            return join(session, self._pepper, wanted.collaboration, wanted.member, now=now)

        return self._store.write(work)

    def list(self, principal: Principal, collaboration: str, *, now: datetime) -> tuple[InvitationView, ...]:
        """All invitations, for owners."""
        principal.require(collaboration, MemberRole.OWNER)

        def work(session: Session) -> tuple[InvitationView, ...]:
            rows = session.scalars(
                select(InvitationRow)
                .where(InvitationRow.collaboration == collaboration)
                .order_by(InvitationRow.created, InvitationRow.id)
            )
            return tuple(_view(session, row, now) for row in rows)

        return self._store.read(work)

    def revoke(self, principal: Principal, collaboration: str, invitation: str, *, now: datetime) -> None:
        """End a code that nobody has used. Raises NotFound."""
        principal.require(collaboration, MemberRole.OWNER)

        def work(session: Session) -> None:
            row = session.get(InvitationRow, invitation)
            if row is None or row.collaboration != collaboration or row.ended is not None:
                raise NotFound("there is no such open invitation", hint="list the invitations")
            row.ended, row.ended_how = now, "revoked"
            note = Note(collaboration, principal.actor, "invitation revoked", {"invitation": invitation})
            self._audit.append(session, note, now=now)

        self._store.write(work)

    def _find(self, session: Session, code: str, now: datetime) -> InvitationRow:
        offered = self._pepper.keyed_hash(_PURPOSE, code if CODE.fullmatch(code[:100]) else "")
        # The lookup is by the keyed hash: its timing tells nothing about the code.
        row = session.scalars(select(InvitationRow).where(InvitationRow.code_hash == offered)).first()
        if row is None or row.ended is not None or row.expires <= now:
            raise not_authorised()
        return row


def _awaited(session: Session, principal: Principal, collaboration: str, proposal: str) -> Membership:
    row = session.get(ProposalRow, proposal)
    if row is None or row.collaboration != collaboration or row.kind != ProposalKind.MEMBERSHIP:
        raise NotFound("there is no such proposal of membership", hint="propose the membership first")
    if row.proposer != principal.member:
        raise Forbidden("its proposer issues the invitation", hint=f"ask {row.proposer}")
    if row.state != ProposalState.EFFECTIVE:
        raise Conflict("not every owner has signed the membership", hint="see whom the proposal waits for")
    awaited = room_state(session, collaboration).invited.get(row.content["member"])
    if awaited is None:
        raise Conflict("the member has joined already", hint="nothing is left to do")
    return awaited


def _open(session: Session, collaboration: str) -> list[InvitationRow]:
    query = select(InvitationRow).where(
        InvitationRow.collaboration == collaboration, InvitationRow.ended.is_(None)
    )
    return list(session.scalars(query))


def _member_of(session: Session, invitation: InvitationRow) -> str:
    return str(session.get_one(ProposalRow, invitation.proposal).content["member"])


def _preview(session: Session, invitation: InvitationRow) -> InvitationPreview:
    awaited = room_state(session, invitation.collaboration).invited.get(_member_of(session, invitation))
    if awaited is None:
        raise Conflict("the member has joined already", hint="use the key you were given then")
    collaboration = collaboration_view(session, invitation.collaboration)
    return InvitationPreview(
        collaboration=collaboration.id,
        terms_document=collaboration.terms_document,
        terms_digest=collaboration.terms_digest,
        member=awaited.member,
        roles=awaited.roles,
        expires=invitation.expires,
    )


def _view(session: Session, row: InvitationRow, now: datetime) -> InvitationView:
    state = row.ended_how or ("expired" if row.expires <= now else "open")
    return InvitationView(
        id=row.id,
        proposal=row.proposal,
        member=_member_of(session, row),
        issued_by=row.issued_by,
        created=row.created,
        expires=row.expires,
        state=state,
    )
