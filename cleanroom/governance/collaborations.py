"""Collaborations: founding one under signed terms, and who is in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cleanroom.errors import Conflict, Forbidden, ProposalInvalid
from cleanroom.governance.api_keys import DEFAULT_DAYS
from cleanroom.governance.audit_log import SERVICE, AuditLog, Note
from cleanroom.governance.credentials import Holder, IssuedKey, issue_key, not_authorised
from cleanroom.governance.party_signatures import open_self_signed
from cleanroom.governance.pepper import Pepper
from cleanroom.governance.principal import MemberRole, Principal, PrincipalKind
from cleanroom.governance.record import TERMS
from cleanroom.governance.record_rows import room_record
from cleanroom.governance.room_rows import collaboration_row, next_event
from cleanroom.governance.store import Store
from cleanroom.governance.tables import CollaborationRow, CredentialRow, DifferenceStateRow, MemberRow
from cleanroom.governance.terms import IdentityTerms, Terms
from privacy.party_keys import PublicKeys


@dataclass(frozen=True)
class MemberView:
    """A party and its keys, with which its signatures are verified."""

    name: str
    roles: frozenset[MemberRole]
    keys: PublicKeys
    joined: datetime
    removed: datetime | None

    @property
    def fingerprint(self) -> str:
        """What two people compare."""
        return self.keys.fingerprint


@dataclass(frozen=True)
class CollaborationView:
    """A collaboration as its members see it. `next_sequence` goes into the next proposal's signature."""

    id: str
    name: str
    founder: str
    identity: IdentityTerms
    created: datetime
    terms_digest: str
    terms_document: Mapping[str, Any]
    next_sequence: int
    members: tuple[MemberView, ...]


@dataclass(frozen=True)
class CollaborationSummary:
    """All that the operator learns of a collaboration, and a list's line for its members."""

    id: str
    created: datetime
    members: int


@dataclass(frozen=True)
class Joined:
    """A party is in: its first key, and what it is in now."""

    collaboration: CollaborationView
    member: MemberView
    api_key: IssuedKey


class Collaborations:
    """All collaborations of the service."""

    def __init__(self, store: Store, pepper: Pepper, audit: AuditLog) -> None:
        self._store = store
        self._pepper = pepper
        self._audit = audit

    def found(self, principal: Principal, document: Mapping[str, Any], *, now: datetime) -> Joined:
        """Found a collaboration under signed terms. A founding code is used up by it.

        Raises SignatureInvalid, ProposalInvalid, or Conflict when the id is taken.
        """
        if principal.kind is PrincipalKind.MEMBER:
            raise Forbidden("a member's key founds nothing", hint="ask the operator for a founding code")
        body = open_self_signed(document, kind=TERMS)
        terms = Terms.of(body)
        if terms.body() != body:
            raise ProposalInvalid("the terms are not written as they are digested", hint="sign Terms.body()")

        def work(session: Session) -> Joined:
            _use_up(session, principal, now)
            if session.get(CollaborationRow, terms.collaboration) is not None:
                raise Conflict("this collaboration exists", hint="make new terms, with a new id")
            _add_rows(session, terms, document, now)
            self._audit.append(
                session,
                Note(terms.collaboration, terms.founder, "collaboration founded", {"terms": terms.digest}),
                now=now,
            )
            note = Note(
                SERVICE, principal.actor, "collaboration founded", {"collaboration": terms.collaboration}
            )
            self._audit.append(session, note, now=now)
            return join(session, self._pepper, terms.collaboration, terms.founder, now=now)

        return self._store.write(work)

    def view(self, principal: Principal, collaboration: str) -> CollaborationView:
        """The collaboration, for its members."""
        principal.require(collaboration)
        return self._store.read(lambda session: collaboration_view(session, collaboration))

    def list(self, principal: Principal) -> tuple[CollaborationSummary, ...]:
        """A member's own collaboration; all of them for the operator."""

        def work(session: Session) -> tuple[CollaborationSummary, ...]:
            active = (
                select(func.count())
                .where(MemberRow.collaboration == CollaborationRow.id, MemberRow.removed.is_(None))
                .scalar_subquery()
            )
            query = select(CollaborationRow.id, CollaborationRow.created, active).order_by(
                CollaborationRow.id
            )
            if principal.kind is not PrincipalKind.OPERATOR:
                query = query.where(CollaborationRow.id == principal.collaboration)
            return tuple(CollaborationSummary(*row) for row in session.execute(query))

        return self._store.read(work)

    def record(self, principal: Principal, collaboration: str) -> dict[str, Any]:
        """Everything that was signed, for `record.verify_record`."""
        principal.require(collaboration)
        return self._store.read(lambda session: room_record(session, collaboration))


def collaboration_view(session: Session, collaboration: str) -> CollaborationView:
    """The collaboration within the caller's transaction. Raises NotFound."""
    row = collaboration_row(session, collaboration)
    terms = Terms.of(row.terms["body"])
    members = session.scalars(
        select(MemberRow).where(MemberRow.collaboration == collaboration).order_by(MemberRow.joined_event)
    )
    return CollaborationView(
        id=row.id,
        name=terms.name,
        founder=terms.founder,
        identity=terms.identity,
        created=row.created,
        terms_digest=terms.digest,
        terms_document=row.terms,
        next_sequence=row.proposals + 1,
        members=tuple(_member(member) for member in members),
    )


def join(session: Session, pepper: Pepper, collaboration: str, member: str, *, now: datetime) -> Joined:
    """The first key of a member whose row was just added, and what it joined."""
    session.flush()
    holder = Holder(PrincipalKind.MEMBER, collaboration, member, "first key")
    issued = issue_key(session, pepper, holder, lasts=timedelta(days=DEFAULT_DAYS), now=now)
    row = session.get_one(MemberRow, (collaboration, member))
    return Joined(collaboration_view(session, collaboration), _member(row), issued)


def _use_up(session: Session, principal: Principal, now: datetime) -> None:
    if principal.kind is PrincipalKind.FOUNDER:
        code = session.get_one(CredentialRow, principal.credential)
        if code.ended is not None:  # two requests with one code
            raise not_authorised()
        code.ended = now


def _add_rows(session: Session, terms: Terms, document: Mapping[str, Any], now: datetime) -> None:
    session.add(
        CollaborationRow(id=terms.collaboration, terms=dict(document), proposals=0, events=0, created=now)
    )
    session.flush()
    session.add(
        MemberRow(
            collaboration=terms.collaboration,
            name=terms.founder,
            roles=sorted(terms.roles),
            keys=terms.keys.to_plain(),
            joined=now,
            joined_event=next_event(session, terms.collaboration),
        )
    )
    session.add(DifferenceStateRow(collaboration=terms.collaboration, sealed=b""))


def _member(row: MemberRow) -> MemberView:
    return MemberView(
        name=row.name,
        roles=frozenset(MemberRole(role) for role in row.roles),
        keys=PublicKeys.of(row.keys),
        joined=row.joined,
        removed=row.removed,
    )
