"""Ends a version: nothing reads it any more, its sealed file goes, and the audit log says so.

Guarantee: after the transaction no query reads the version, and the audit log has its manifest's digest and the
commitment to its data key, so that a key found later can be told to be that one.
Not covered: the key itself. It never was here: its owner's key broker destroys it, and the sealed file is noise then,
wherever copies of it lie.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from cleanroom.governance.audit_log import AuditLog, Note
from cleanroom.governance.tables import DatasetRow, VersionRow
from privacy.canonical_json import digest_of

DELETED = "deleted"


@dataclass(frozen=True)
class DestroyedVersion:
    """A version that was ended. The vault unlinks `sealed_path`; empty when no file was stored yet."""

    collaboration: str
    dataset: str
    version: str
    sealed_path: str
    manifest_digest: str
    key_commitment: str


def destroy_version(
    session: Session, audit: AuditLog, version: VersionRow, *, actor: str, now: datetime
) -> DestroyedVersion:
    """End the version within the caller's transaction, and write the audit entry."""
    destroyed = DestroyedVersion(
        collaboration=version.collaboration,
        dataset=version.dataset,
        version=version.id,
        sealed_path=version.sealed_path,
        manifest_digest=digest_of(version.manifest),
        key_commitment=version.key_commitment,
    )
    version.state, version.deleted = DELETED, now
    dataset = session.get(DatasetRow, (version.collaboration, version.dataset))
    if dataset is not None and dataset.current_version == version.id:
        dataset.current_version = None
    details = {
        "dataset": destroyed.dataset,
        "version": destroyed.version,
        "manifest_digest": destroyed.manifest_digest,
        "key_commitment": destroyed.key_commitment,
    }
    audit.append(session, Note(version.collaboration, actor, "version destroyed", details), now=now)
    return destroyed
