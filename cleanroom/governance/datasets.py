"""Datasets and their versions: uploads begun, completed, destroyed; the sealed files are the vault's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cleanroom.errors import Conflict, Forbidden, NotFound
from cleanroom.governance.audit_log import AuditLog, Note
from cleanroom.governance.dataset_views import (
    CompletedUpload,
    DatasetView,
    NewVersion,
    ReadyDataset,
    VersionState,
    VersionView,
    dataset_view,
    version_view,
)
from cleanroom.governance.principal import MemberRole, Principal
from cleanroom.governance.room_ids import VERSION_ID, require_id
from cleanroom.governance.store import Store
from cleanroom.governance.tables import DatasetRow, VersionRow
from cleanroom.governance.version_destruction import DestroyedVersion, destroy_version
from privacy.canonical_json import digest_of

MOST_OPEN_UPLOADS = 8  # of one owner in one collaboration


class Datasets:
    """All datasets of all collaborations. Names come into being with their first rules (proposals)."""

    def __init__(self, store: Store, audit: AuditLog) -> None:
        self._store = store
        self._audit = audit

    def list(self, principal: Principal, collaboration: str) -> tuple[DatasetView, ...]:
        """All datasets that are not closed, by name, for members."""
        principal.require(collaboration)
        return self.all(collaboration)

    def all(self, collaboration: str) -> tuple[DatasetView, ...]:
        """All datasets that are not closed, by name, for the service itself."""

        def work(session: Session) -> tuple[DatasetView, ...]:
            rows = session.scalars(
                select(DatasetRow)
                .where(DatasetRow.collaboration == collaboration, DatasetRow.closed.is_(False))
                .order_by(DatasetRow.name)
            )
            return tuple(dataset_view(session, row) for row in rows)

        return self._store.read(work)

    def view(self, principal: Principal, collaboration: str, dataset: str) -> DatasetView:
        """One dataset, for members. Raises NotFound."""
        principal.require(collaboration)
        return self._store.read(
            lambda session: dataset_view(session, _dataset(session, collaboration, dataset))
        )

    def versions(self, principal: Principal, collaboration: str, dataset: str) -> tuple[VersionView, ...]:
        """All versions of a dataset, newest first, deleted ones too, for members."""
        principal.require(collaboration)

        def work(session: Session) -> tuple[VersionView, ...]:
            rows = session.scalars(
                select(VersionRow)
                .where(VersionRow.collaboration == collaboration, VersionRow.dataset == dataset)
                .order_by(VersionRow.created.desc(), VersionRow.id)
            )
            return tuple(version_view(session, row) for row in rows)

        return self._store.read(work)

    def ready(self, collaboration: str, names: Iterable[str], *, now: datetime) -> tuple[ReadyDataset, ...]:
        """What a query reads, in the order of `names`. Raises NotFound, or Conflict when nothing is uploaded."""
        wanted = tuple(names)
        return self._store.read(
            lambda session: tuple(_ready(session, collaboration, name, now) for name in wanted)
        )

    def begin_upload(self, principal: Principal, upload: NewVersion, *, now: datetime) -> VersionView:
        """A row for a version that is being uploaded. Raises Forbidden, NotFound, Conflict."""
        require_id(VERSION_ID, upload.version, what="version")

        def work(session: Session) -> VersionView:
            _owned_dataset(session, principal, upload.collaboration, upload.dataset)
            if session.get(VersionRow, upload.version) is not None:
                raise Conflict("this version exists", hint="use a new version id")
            _require_few_open(session, principal, upload.collaboration)
            row = VersionRow(
                id=upload.version,
                collaboration=upload.collaboration,
                dataset=upload.dataset,
                state=str(VersionState.UPLOADING),
                manifest=dict(upload.manifest),
                sealed_path="",
                created=now,
            )
            session.add(row)
            session.flush()
            return version_view(session, row)

        return self._store.write(work)

    def complete_upload(self, principal: Principal, upload: CompletedUpload, *, now: datetime) -> VersionView:
        """The version becomes ready and current. Raises Conflict unless it is being uploaded."""

        def work(session: Session) -> VersionView:
            row = _uploading(session, principal, upload.collaboration, upload.version)
            dataset = _dataset(session, upload.collaboration, row.dataset)
            days = dataset_view(session, dataset).rules.rule.retention_days
            row.manifest, row.sealed_path = dict(upload.manifest), upload.sealed_path
            row.key_commitment = upload.key_commitment
            row.state, row.completed = str(VersionState.READY), now
            row.expires = now + timedelta(days=days) if days else None
            dataset.current_version = row.id
            details = {
                "dataset": row.dataset,
                "version": row.id,
                "manifest_digest": digest_of(row.manifest),
                "key_commitment": row.key_commitment,
            }
            note = Note(row.collaboration, principal.actor, "version uploaded", details)
            self._audit.append(session, note, now=now)
            session.flush()
            return version_view(session, row)

        return self._store.write(work)

    def abandon_upload(self, principal: Principal, collaboration: str, version: str) -> None:
        """Remove the row of an upload that is not complete."""
        self._store.write(
            lambda session: session.delete(_uploading(session, principal, collaboration, version))
        )

    def delete(
        self, principal: Principal, collaboration: str, dataset: str, version: str, *, now: datetime
    ) -> DestroyedVersion:
        """End a dataset's version, for its owner, who destroyed its key.

        Raises NotFound, Forbidden, Conflict when it is gone already.
        """

        def work(session: Session) -> DestroyedVersion:
            row = _owned_version(session, principal, collaboration, version)
            if row.dataset != dataset:
                raise _no_version()
            if row.state == VersionState.DELETED:
                raise Conflict("this version is destroyed already", hint="nothing is left to do")
            return destroy_version(session, self._audit, row, actor=principal.actor, now=now)

        return self._store.write(work)


def _dataset(session: Session, collaboration: str, name: str) -> DatasetRow:
    row = session.get(DatasetRow, (collaboration, name))
    if row is None or row.closed:
        raise NotFound("there is no such dataset", hint="list the collaboration's datasets; rules come first")
    return row


def _owned_dataset(session: Session, principal: Principal, collaboration: str, name: str) -> DatasetRow:
    principal.require(collaboration, MemberRole.OWNER)
    row = _dataset(session, collaboration, name)
    if row.owner != principal.member:
        raise Forbidden("this dataset is another owner's", hint="use the key of its owner")
    return row


def _require_few_open(session: Session, principal: Principal, collaboration: str) -> None:
    """Announced bytes count as taken, so nobody may announce without end."""
    mine = select(DatasetRow.name).where(
        DatasetRow.collaboration == collaboration, DatasetRow.owner == principal.member
    )
    open_uploads = select(func.count()).where(
        VersionRow.collaboration == collaboration,
        VersionRow.dataset.in_(mine),
        VersionRow.state == str(VersionState.UPLOADING),
    )
    if (session.scalar(open_uploads) or 0) >= MOST_OPEN_UPLOADS:
        raise Conflict(
            f"you have {MOST_OPEN_UPLOADS} uploads under way, as many as one owner may have",
            hint="complete or abandon one of them; what nobody goes on with ends after a day",
        )


def _owned_version(session: Session, principal: Principal, collaboration: str, version: str) -> VersionRow:
    principal.require(collaboration, MemberRole.OWNER)
    row = session.get(VersionRow, version)
    if row is None or row.collaboration != collaboration:
        raise _no_version()
    _owned_dataset(session, principal, collaboration, row.dataset)
    return row


def _no_version() -> NotFound:
    return NotFound("there is no such version", hint="list the dataset's versions")


def _uploading(session: Session, principal: Principal, collaboration: str, version: str) -> VersionRow:
    row = _owned_version(session, principal, collaboration, version)
    if row.state != VersionState.UPLOADING:
        raise Conflict("this version is not being uploaded", hint="begin a new upload")
    return row


def _ready(session: Session, collaboration: str, name: str, now: datetime) -> ReadyDataset:
    dataset = dataset_view(session, _dataset(session, collaboration, name))
    version = dataset.current
    if (
        version is None
        or not version.key_commitment
        or (version.expires is not None and version.expires <= now)
    ):
        raise Conflict(
            f"dataset {name} has no table at the moment", hint=f"ask {dataset.owner} to upload one"
        )
    return ReadyDataset(dataset, version)
