"""Datasets, versions and uploads as requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from cleanroom.datasets.announced_upload import UploadProgress
from cleanroom.governance.dataset_views import DatasetView, VersionState, VersionView
from cleanroom.governance.version_destruction import DestroyedVersion
from cleanroom.service.answer_bodies import ONLY_NUMBERS, Answered, Asked
from cleanroom.service.signed_bodies import SignedDocument

_TOLD_TO_ALL = ("owner", "sealed_sha256", "columns", "policy_digest", "created")


class VersionContent(BaseModel):
    """One upload of a dataset. `manifest`: what was sealed; how much it is, only its owner is told.

    `key_commitment` names the data key, which its owner keeps.
    """

    id: str
    dataset: str
    state: VersionState
    manifest: dict[str, Any]
    key_commitment: str
    created: datetime
    completed: datetime | None
    expires: datetime | None
    current: bool

    @classmethod
    def of(cls, view: VersionView, *, for_owner: bool) -> VersionContent:
        """From the view."""
        return cls(**version_fields(view, for_owner=for_owner))


class VersionBody(Answered, VersionContent):
    """One version."""


class VersionsBody(Answered):
    """All versions, newest first, destroyed ones too."""

    versions: list[VersionContent]


class DatasetContent(BaseModel):
    """A dataset and its rules in force. `ready`: whether it can be queried now."""

    name: str
    owner: str
    rules: dict[str, Any]
    rules_digest: str
    rules_proposal: str
    ready: bool
    current: VersionContent | None

    @classmethod
    def of(cls, view: DatasetView, *, for_owner: bool) -> DatasetContent:
        """From the view."""
        return cls(**dataset_fields(view, for_owner=for_owner))


class DatasetBody(Answered, DatasetContent):
    """One dataset."""


class DatasetsBody(Answered):
    """All datasets by name."""

    datasets: list[DatasetContent]


class UploadAsked(Asked):
    """An upload that begins. The version's id is the sender's, as the table was sealed for it."""

    version: Annotated[str, Field(pattern="^ver-[a-z2-7]{16}$")]
    sealed_bytes: Annotated[int, Field(ge=1, le=2**50), ONLY_NUMBERS]
    sealed_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class UploadBody(Answered):
    """How far an upload is; the next part starts at `received_bytes`."""

    version: str
    received_bytes: int
    expected_bytes: int

    @classmethod
    def of(cls, version: str, progress: UploadProgress) -> UploadBody:
        """From the vault's view."""
        return cls(
            version=version, received_bytes=progress.received_bytes, expected_bytes=progress.expected_bytes
        )


class CompletionAsked(Asked):
    """The manifest, signed by the owner as a document of the kind "sealed table", and a commitment to the data key.

    The key itself stays with its owner. The commitment: SHA-256 over "mixroom dataset key 1", NUL, version, NUL, key.
    """

    manifest: SignedDocument
    key_commitment: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class DestroyedBody(Answered):
    """A version that is never opened again. `key_commitment` names the key that its owner destroys; empty when none
    was uploaded."""

    dataset: str
    version: str
    manifest_digest: str
    key_commitment: str

    @classmethod
    def of(cls, destroyed: DestroyedVersion) -> DestroyedBody:
        """From the value."""
        return cls(
            dataset=destroyed.dataset,
            version=destroyed.version,
            manifest_digest=destroyed.manifest_digest,
            key_commitment=destroyed.key_commitment,
        )


def version_fields(view: VersionView, *, for_owner: bool) -> dict[str, Any]:
    """The fields of a version's answer; where its file lies is not one of them.

    How many rows and bytes it has depends on single people, so nobody but the owner is told.
    """
    fields = {
        name: value for name, value in vars(view).items() if name not in ("collaboration", "sealed_path")
    }
    if not for_owner:
        fields["manifest"] = {name: view.manifest[name] for name in _TOLD_TO_ALL if name in view.manifest}
    return fields


def dataset_fields(view: DatasetView, *, for_owner: bool) -> dict[str, Any]:
    """The fields of a dataset's answer."""
    current = view.current
    return {
        "name": view.name,
        "owner": view.owner,
        "rules": view.rules.canonical(),
        "rules_digest": view.rules_digest,
        "rules_proposal": view.rules_proposal,
        "ready": current is not None,
        "current": VersionContent.of(current, for_owner=for_owner) if current is not None else None,
    }
