"""An upload from announcement to version, with the vault holding the bytes and governance the names.

Guarantee: whatever is repeated after a lost connection ends in the same state; a version is ready only with a
manifest that its owner signed, that fits the bytes in the vault, the rules in force and the collaboration's key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanroom.datasets.announced_upload import UploadProgress
from cleanroom.datasets.sealed_table import SealedTableManifest
from cleanroom.errors import Conflict, Forbidden, NotFound, RoomError, UploadBroken
from cleanroom.governance.audit_log import Note
from cleanroom.governance.dataset_views import (
    CompletedUpload,
    DatasetView,
    NewVersion,
    VersionState,
    VersionView,
)
from cleanroom.governance.party_signatures import open_signed
from cleanroom.governance.principal import MemberRole, Principal
from cleanroom.service.room_parts import RoomParts
from privacy.canonical_json import digest_of

SEALED_TABLE = "sealed table"


@dataclass(frozen=True)
class UploadPlace:
    """Which upload: a version of one dataset."""

    collaboration: str
    dataset: str
    version: str


@dataclass(frozen=True)
class Completion:
    """What completes an upload: the signed manifest, and what names the data key without telling it."""

    manifest: Mapping[str, Any]
    key_commitment: str


def begin(
    parts: RoomParts, principal: Principal, place: UploadPlace, *, sealed_bytes: int, sealed_sha256: str
) -> UploadProgress:
    """Announce an upload, or take up one that was announced alike."""
    _require_own(parts, principal, place)
    known = _find(parts, principal, place)
    fresh = known is None
    if known is None:
        announced = {"sealed_bytes": sealed_bytes, "sealed_sha256": sealed_sha256}
        new = NewVersion(place.collaboration, place.dataset, place.version, announced)
        parts.governance.datasets.begin_upload(principal, new, now=parts.clock())
    else:
        _require_open(known)
    try:
        return parts.vault.begin(place.version, sealed_bytes, sealed_sha256)
    except RoomError:
        if fresh:
            parts.governance.datasets.abandon_upload(principal, place.collaboration, place.version)
        raise


def append(
    parts: RoomParts, principal: Principal, place: UploadPlace, *, offset: int, chunks: Iterable[bytes]
) -> UploadProgress:
    """Store bytes from `offset` on."""
    require_uploading(parts, principal, place)
    return parts.vault.append(place.version, offset, chunks)


def progress(parts: RoomParts, principal: Principal, place: UploadPlace) -> UploadProgress:
    """How far it is."""
    require_uploading(parts, principal, place)
    return parts.vault.progress(place.version)


def complete(
    parts: RoomParts, principal: Principal, place: UploadPlace, completion: Completion
) -> VersionView:
    """Make the version the dataset's current one. A repetition of the same completion changes nothing."""
    dataset = _require_own(parts, principal, place)
    manifest = _manifest(parts, principal, dataset, place.version, completion.manifest)
    version = _find(parts, principal, place)
    if (
        version is not None
        and version.state is VersionState.READY
        and version.manifest == manifest.to_plain()
        and version.key_commitment == completion.key_commitment
    ):
        return version
    announced = require_uploading(parts, principal, place).manifest
    if announced != {"sealed_bytes": manifest.sealed_bytes, "sealed_sha256": manifest.sealed_sha256}:
        raise _unfit("other bytes were announced")
    upload = CompletedUpload(
        collaboration=place.collaboration,
        version=place.version,
        manifest=manifest.to_plain(),
        key_commitment=completion.key_commitment,
        sealed_path=str(_committed(parts, place.version)),
    )
    done = parts.governance.datasets.complete_upload(principal, upload, now=parts.clock())
    _note_signature(parts, principal, place, completion.manifest)
    return done


def abandon(parts: RoomParts, principal: Principal, place: UploadPlace) -> None:
    """Nothing of the upload stays. Its row goes first, so that a completion at the same moment wins or loses whole."""
    require_uploading(parts, principal, place)
    parts.governance.datasets.abandon_upload(principal, place.collaboration, place.version)
    parts.vault.discard(place.version)


def require_uploading(parts: RoomParts, principal: Principal, place: UploadPlace) -> VersionView:
    """The version, if it is being uploaded and the caller owns its dataset; raises otherwise."""
    _require_own(parts, principal, place)
    version = _find(parts, principal, place)
    if version is None:
        raise NotFound("there is no such upload", hint="announce the upload again")
    _require_open(version)
    return version


def _require_open(version: VersionView) -> None:
    if version.state is not VersionState.UPLOADING:
        raise Conflict("this version is not being uploaded", hint="begin a new upload")


def _require_own(parts: RoomParts, principal: Principal, place: UploadPlace) -> DatasetView:
    principal.require(place.collaboration, MemberRole.OWNER)
    dataset = parts.governance.datasets.view(principal, place.collaboration, place.dataset)
    if dataset.owner != principal.member:
        raise Forbidden("this dataset is another owner's", hint="use the key of its owner")
    return dataset


def _find(parts: RoomParts, principal: Principal, place: UploadPlace) -> VersionView | None:
    versions = parts.governance.datasets.versions(principal, place.collaboration, place.dataset)
    return next((version for version in versions if version.id == place.version), None)


def _manifest(
    parts: RoomParts, principal: Principal, dataset: DatasetView, version: str, document: Mapping[str, Any]
) -> SealedTableManifest:
    room = parts.governance.collaborations.view(principal, dataset.collaboration)
    keys = next(member.keys for member in room.members if member.name == principal.member)
    manifest = SealedTableManifest.of(open_signed(document, kind=SEALED_TABLE, keys=keys))
    context = manifest.context
    if (context.collaboration, context.dataset) != (dataset.collaboration, dataset.name):
        raise _unfit("it names another dataset")
    if (context.version, context.owner) != (version, principal.member):
        raise _unfit("it names another version or owner")
    if context.identity_tag != room.identity.tag:
        raise _unfit("its people were hashed with another key than the collaboration's")
    if manifest.policy_digest != dataset.rules_digest:
        raise _unfit("the dataset's rules have changed since it was sealed")
    return manifest


def _committed(parts: RoomParts, version: str) -> Path:
    try:
        return parts.vault.commit(version, version)
    except NotFound:  # committed by an earlier request that did not live to complete the upload
        return parts.vault.path(version)


def _note_signature(
    parts: RoomParts, principal: Principal, place: UploadPlace, document: Mapping[str, Any]
) -> None:
    details = {
        "dataset": place.dataset,
        "version": place.version,
        "manifest_digest": digest_of(document["body"]),
        "signature": document["signature"],
    }
    note = Note(place.collaboration, principal.actor, "manifest signed", details)
    parts.governance.audit.record(note, now=parts.clock())


def _unfit(what: str) -> UploadBroken:
    return UploadBroken(
        f"the manifest does not fit: {what}; the version was not made ready",
        hint="seal the table again under the rules in force, and upload it anew",
    )
