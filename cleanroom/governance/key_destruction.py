"""Destroys a version's keys: without them its sealed file is noise, wherever copies of it lie.

Guarantee: after the transaction no row holds a wrapped key of the version, and the audit log has its manifest's
digest and a commitment to the destroyed keys, so that one found later can be told to be that key.
Not covered: copies of the database made before, and the disk's own; see `Store.scrub`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cleanroom.governance.audit_log import AuditLog, Note
from cleanroom.governance.tables import DatasetRow, VersionRow, WrappedKeyRow
from privacy.canonical_json import digest_of

DELETED = "deleted"


@dataclass(frozen=True)
class DestroyedVersion:
    """A version without keys. The vault unlinks `sealed_path`; empty when no file was stored yet."""

    collaboration: str
    dataset: str
    version: str
    sealed_path: str
    manifest_digest: str
    commitment: str


def destroy_version(
    session: Session, audit: AuditLog, version: VersionRow, *, actor: str, now: datetime
) -> DestroyedVersion:
    """Overwrite and remove the keys within the caller's transaction, and write the audit entry."""
    destroyed = DestroyedVersion(
        collaboration=version.collaboration,
        dataset=version.dataset,
        version=version.id,
        sealed_path=version.sealed_path,
        manifest_digest=digest_of(version.manifest),
        commitment=_destroy_keys(session, version.id),
    )
    version.state, version.deleted = DELETED, now
    dataset = session.get(DatasetRow, (version.collaboration, version.dataset))
    if dataset is not None and dataset.current_version == version.id:
        dataset.current_version = None
    details = {
        "dataset": destroyed.dataset,
        "version": destroyed.version,
        "manifest_digest": destroyed.manifest_digest,
        "destroyed_keys": destroyed.commitment,
    }
    audit.append(session, Note(version.collaboration, actor, "version destroyed", details), now=now)
    return destroyed


def _destroy_keys(session: Session, version: str) -> str:
    """SHA-256 over the wrapped keys, each with its holder and length; then they are gone."""
    commitment = hashlib.sha256(b"mixroom destroyed keys 1\0")
    rows = list(
        session.scalars(
            select(WrappedKeyRow).where(WrappedKeyRow.version == version).order_by(WrappedKeyRow.holder)
        )
    )
    for row in rows:
        commitment.update(f"{row.holder}:{len(row.wrapped)}:".encode() + row.wrapped)
        row.wrapped = bytes(len(row.wrapped))
    session.flush()
    for row in rows:
        session.delete(row)
    session.flush()
    return commitment.hexdigest()
