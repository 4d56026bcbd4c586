"""Ends what has lasted long enough: versions past their retention, uploads that nobody completes.

So it does with versions whose key no owner's broker has: those that a service before 0002 held the keys of.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cleanroom.governance.audit_log import SERVICE, AuditLog
from cleanroom.governance.dataset_views import VersionState, VersionView, version_view
from cleanroom.governance.store import Store
from cleanroom.governance.tables import VersionRow
from cleanroom.governance.version_destruction import DestroyedVersion, destroy_version


class Retention:
    """Called by the service's clock; no member has to ask for it."""

    def __init__(self, store: Store, audit: AuditLog) -> None:
        self._store = store
        self._audit = audit

    def expired(self, now: datetime) -> tuple[VersionView, ...]:
        """Versions whose retention has ended, or that nobody can open, and that are there all the same."""
        return self._store.read(
            lambda session: tuple(version_view(session, row) for row in _expired(session, now))
        )

    def end(self, now: datetime) -> tuple[DestroyedVersion, ...]:
        """Destroy them; the vault then unlinks their files."""
        if not self.expired(now):
            return ()

        def work(session: Session) -> tuple[DestroyedVersion, ...]:
            return tuple(
                destroy_version(session, self._audit, row, actor=SERVICE, now=now)
                for row in _expired(session, now)
            )

        return self._store.write(work)

    def drop_stale_uploads(self, before: datetime) -> tuple[VersionView, ...]:
        """Remove uploads begun before that moment and never completed; the vault then removes their parts."""

        def work(session: Session) -> tuple[VersionView, ...]:
            rows = list(
                session.scalars(
                    select(VersionRow).where(
                        VersionRow.state == str(VersionState.UPLOADING), VersionRow.created < before
                    )
                )
            )
            views = tuple(version_view(session, row) for row in rows)
            for row in rows:
                session.delete(row)
            return views

        return self._store.write(work)


def _expired(session: Session, now: datetime) -> list[VersionRow]:
    query = select(VersionRow).where(
        VersionRow.state == str(VersionState.READY),
        or_(VersionRow.expires <= now, VersionRow.key_commitment == ""),
    )
    return list(session.scalars(query.order_by(VersionRow.id)))
