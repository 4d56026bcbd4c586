"""API keys of members, the operator's key and founding codes: issued, rotated, ended, listed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cleanroom.errors import Forbidden, NotFound, ProposalInvalid
from cleanroom.governance.audit_log import SERVICE, AuditLog, Note
from cleanroom.governance.credentials import LONGEST_DAYS, Holder, IssuedKey, find_principal, issue_key
from cleanroom.governance.pepper import Pepper
from cleanroom.governance.principal import Principal, PrincipalKind
from cleanroom.governance.store import Store
from cleanroom.governance.tables import CredentialRow

DEFAULT_DAYS = 90
LONGEST_LABEL = 100


@dataclass(frozen=True)
class KeyView:
    """A key without its secret. `ended`: when it was revoked, used up, or ends after a rotation."""

    id: str
    kind: PrincipalKind
    label: str
    created: datetime
    expires: datetime
    ended: datetime | None
    last_used: date | None


class ApiKeys:
    """Keys in the database, of which only keyed hashes are there."""

    def __init__(self, store: Store, pepper: Pepper, audit: AuditLog) -> None:
        self._store = store
        self._pepper = pepper
        self._audit = audit

    def authenticate(self, key: str, *, now: datetime) -> Principal:
        """Whose key it is. Raises NotAuthorised, with the same words for every cause."""
        today = now.date()

        def look(session: Session) -> tuple[Principal, bool]:
            principal = find_principal(session, self._pepper, key, now=now)
            row = session.get_one(CredentialRow, principal.credential)
            return principal, row.last_used == today

        def note_use(session: Session) -> None:
            session.get_one(CredentialRow, principal.credential).last_used = today

        principal, noted = self._store.read(look)
        if not noted:  # once a day and key, so that reading costs no write
            self._store.write(note_use)
        return principal

    def issue(
        self, principal: Principal, *, label: str = "", days: int = DEFAULT_DAYS, now: datetime
    ) -> IssuedKey:
        """One more key of the same member or operator."""
        lasts = _lasting(days)
        holder = _holder(principal, label)

        def work(session: Session) -> IssuedKey:
            issued = issue_key(session, self._pepper, holder, lasts=lasts, now=now)
            self._note(session, principal, "key issued", {"key": issued.id}, now)
            return issued

        return self._store.write(work)

    def rotate(
        self,
        principal: Principal,
        *,
        grace: timedelta = timedelta(0),
        days: int = DEFAULT_DAYS,
        now: datetime,
    ) -> IssuedKey:
        """A new key in place of the one that was used for this call, which ends after `grace`."""
        lasts = _lasting(days)
        if grace < timedelta(0) or grace > timedelta(days=30):
            raise ProposalInvalid(
                "a replaced key stays valid for 0 to 30 days", hint="choose a shorter grace"
            )

        def work(session: Session) -> IssuedKey:
            old = session.get(CredentialRow, principal.credential)
            if old is None:
                raise Forbidden("this call was not made with an API key", hint="issue a key instead")
            issued = issue_key(session, self._pepper, _holder(principal, old.label), lasts=lasts, now=now)
            old.ended = min(now + grace, old.ended or now + grace)
            self._note(session, principal, "key rotated", {"key": issued.id, "replaced": old.id}, now)
            return issued

        return self._store.write(work)

    def revoke(self, principal: Principal, key_id: str, *, now: datetime) -> None:
        """End an own key at once; the operator may also end founding codes. Raises NotFound."""

        def work(session: Session) -> None:
            row = session.get(CredentialRow, key_id)
            if row is None or not _manages(principal, row):
                raise NotFound("you have no such key", hint="list your keys")
            row.ended = now if row.ended is None else min(now, row.ended)
            self._note(session, principal, "key revoked", {"key": key_id}, now)

        self._store.write(work)

    def list(self, principal: Principal) -> tuple[KeyView, ...]:
        """Every key the caller may revoke, newest first."""

        def work(session: Session) -> tuple[KeyView, ...]:
            rows = session.scalars(select(CredentialRow).order_by(CredentialRow.created.desc()))
            return tuple(_view(row) for row in rows if _manages(principal, row))

        return self._store.read(work)

    def create_operator(self, *, days: int = DEFAULT_DAYS, now: datetime) -> IssuedKey:
        """An operator's key, made on the service's own machine by who may write its files."""
        lasts = _lasting(days)

        def work(session: Session) -> IssuedKey:
            issued = issue_key(session, self._pepper, Holder(PrincipalKind.OPERATOR), lasts=lasts, now=now)
            self._audit.append(
                session, Note(SERVICE, SERVICE, "operator key issued", {"key": issued.id}), now=now
            )
            return issued

        return self._store.write(work)

    def create_founding_code(self, principal: Principal, *, days: int = 7, now: datetime) -> IssuedKey:
        """A code with which somebody may found one collaboration."""
        principal.require_operator()
        lasts = _lasting(days)

        def work(session: Session) -> IssuedKey:
            issued = issue_key(session, self._pepper, Holder(PrincipalKind.FOUNDER), lasts=lasts, now=now)
            self._note(session, principal, "founding code issued", {"key": issued.id}, now)
            return issued

        return self._store.write(work)

    def _note(
        self, session: Session, principal: Principal, action: str, details: dict[str, Any], now: datetime
    ) -> None:
        note = Note(principal.collaboration or SERVICE, principal.actor, action, details)
        self._audit.append(session, note, now=now)


def _holder(principal: Principal, label: str) -> Holder:
    if principal.kind is PrincipalKind.FOUNDER:
        raise Forbidden("a founding code only founds a collaboration", hint="found it; you get a key then")
    if len(label) > LONGEST_LABEL or not (label.isprintable() or not label):
        raise ProposalInvalid(f"a label has at most {LONGEST_LABEL} printable characters", hint="shorten it")
    member = principal.member if principal.kind is PrincipalKind.MEMBER else None
    return Holder(principal.kind, principal.collaboration, member, label)


def _lasting(days: int) -> timedelta:
    if not 1 <= days <= LONGEST_DAYS:
        raise ProposalInvalid(
            f"a key lasts 1 to {LONGEST_DAYS} days", hint="choose a number of days in between"
        )
    return timedelta(days=days)


def _manages(principal: Principal, row: CredentialRow) -> bool:
    if principal.kind is PrincipalKind.OPERATOR:
        return row.kind in (PrincipalKind.OPERATOR, PrincipalKind.FOUNDER)
    return (
        principal.kind is PrincipalKind.MEMBER
        and row.kind == PrincipalKind.MEMBER
        and (row.collaboration, row.member) == (principal.collaboration, principal.member)
    )


def _view(row: CredentialRow) -> KeyView:
    return KeyView(
        id=row.id,
        kind=PrincipalKind(row.kind),
        label=row.label,
        created=row.created,
        expires=row.expires,
        ended=row.ended,
        last_used=row.last_used,
    )
