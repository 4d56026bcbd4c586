"""The audit logs in the database: one chain per collaboration, one more for the service itself.

An entry is written in the transaction of what it records, so neither stands without the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cleanroom.errors import Forbidden
from cleanroom.governance.audit_chain import (
    CHECKPOINT,
    AuditEntry,
    KnownHead,
    checkpoint_body,
    entry_digest,
    first_link,
)
from cleanroom.governance.principal import MemberRole, Principal, PrincipalKind
from cleanroom.governance.store import Store
from cleanroom.governance.tables import AuditCheckpointRow, AuditEntryRow, AuditHeadRow
from privacy.party_keys import PartyKeys
from privacy.signed_document import sign_document

SERVICE = "service"
LONGEST_PAGE = 1000


@dataclass(frozen=True)
class Note:
    """What an entry is to say. `details` holds no secrets, no rows and no results."""

    collaboration: str
    actor: str
    action: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditExport:
    """A whole log as `verify_log` takes it."""

    lines: tuple[str, ...]
    checkpoints: tuple[dict[str, Any], ...]


class AuditLog:
    """All chains. After every `checkpoint_every` entries of one, the service signs its head."""

    def __init__(self, store: Store, keys: PartyKeys, *, checkpoint_every: int = 100) -> None:
        self._store = store
        self._keys = keys
        self._every = checkpoint_every

    def append(self, session: Session, note: Note, *, now: datetime) -> AuditEntry:
        """Add an entry within the caller's write transaction."""
        head = session.get(AuditHeadRow, note.collaboration)
        if head is None:
            head = AuditHeadRow(
                collaboration=note.collaboration, sequence=0, digest=first_link(note.collaboration)
            )
            session.add(head)
        entry = _entry(note, head, now)
        session.add(AuditEntryRow(**vars(entry)))
        head.sequence, head.digest = entry.sequence, entry.digest
        if entry.sequence % self._every == 0:
            self._sign_head(session, head, now)
        return entry

    def record(self, note: Note, *, now: datetime) -> AuditEntry:
        """Add an entry in a transaction of its own: logins, refusals, downloads."""
        return self._store.write(lambda session: self.append(session, note, now=now))

    def checkpoint(self, collaboration: str, *, now: datetime) -> dict[str, Any] | None:
        """The service's signature on the log as it is now; None while the log is empty."""

        def work(session: Session) -> dict[str, Any] | None:
            head = session.get(AuditHeadRow, collaboration)
            return self._sign_head(session, head, now) if head is not None else None

        return self._store.write(work)

    def entries(
        self, principal: Principal, collaboration: str, *, after: int = 0, limit: int = 500
    ) -> tuple[AuditEntry, ...]:
        """Entries from `after` + 1 on that the caller may read: analysts their own, owners and auditors all."""
        own_only = _reads_own_only(principal, collaboration)

        def work(session: Session) -> tuple[AuditEntry, ...]:
            query = (
                select(AuditEntryRow)
                .where(AuditEntryRow.collaboration == collaboration, AuditEntryRow.sequence > after)
                .order_by(AuditEntryRow.sequence)
                .limit(min(max(limit, 1), LONGEST_PAGE))
            )
            if own_only:
                query = query.where(AuditEntryRow.actor == principal.actor)
            return tuple(_read(row) for row in session.scalars(query))

        return self._store.read(work)

    def export(self, principal: Principal, collaboration: str) -> AuditExport:
        """The whole log with all checkpoints, for owners, auditors, and (the service's own) the operator."""
        if _reads_own_only(principal, collaboration):
            raise Forbidden(
                "only owners and auditors read the whole log", hint="read your own entries instead"
            )

        def work(session: Session) -> AuditExport:
            entries = session.scalars(
                select(AuditEntryRow)
                .where(AuditEntryRow.collaboration == collaboration)
                .order_by(AuditEntryRow.sequence)
            )
            checkpoints = session.scalars(
                select(AuditCheckpointRow.document)
                .where(AuditCheckpointRow.collaboration == collaboration)
                .order_by(AuditCheckpointRow.sequence)
            )
            return AuditExport(tuple(_read(row).line() for row in entries), tuple(checkpoints))

        return self._store.read(work)

    def _sign_head(self, session: Session, head: AuditHeadRow, now: datetime) -> dict[str, Any]:
        signed = session.get(AuditCheckpointRow, (head.collaboration, head.sequence))
        if signed is None:
            body = checkpoint_body(head.collaboration, KnownHead(head.sequence, head.digest), at=_moment(now))
            signed = AuditCheckpointRow(
                collaboration=head.collaboration,
                sequence=head.sequence,
                document=sign_document(CHECKPOINT, body, self._keys),
            )
            session.add(signed)
        return signed.document


def _entry(note: Note, head: AuditHeadRow, now: datetime) -> AuditEntry:
    fields: dict[str, Any] = {
        "collaboration": note.collaboration,
        "sequence": head.sequence + 1,
        "at": _moment(now),
        "actor": note.actor,
        "action": note.action,
        "details": dict(note.details),
        "previous": head.digest,
    }
    return AuditEntry(**fields, digest=entry_digest(fields))


def _read(row: AuditEntryRow) -> AuditEntry:
    return AuditEntry(
        collaboration=row.collaboration,
        sequence=row.sequence,
        at=row.at,
        actor=row.actor,
        action=row.action,
        details=row.details,
        previous=row.previous,
        digest=row.digest,
    )


def _reads_own_only(principal: Principal, collaboration: str) -> bool:
    if collaboration == SERVICE and principal.kind is PrincipalKind.OPERATOR:
        return False
    principal.require(collaboration)
    return principal.roles.isdisjoint({MemberRole.OWNER, MemberRole.AUDITOR})


def _moment(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="microseconds")
