"""Datasets and their versions: look, and destroy."""

from __future__ import annotations

from fastapi import APIRouter

from cleanroom.service.callers import Caller
from cleanroom.service.dataset_bodies import (
    DatasetBody,
    DatasetContent,
    DatasetsBody,
    DestroyedBody,
    VersionContent,
    VersionsBody,
    dataset_fields,
)
from cleanroom.service.path_names import CollaborationId, DatasetName, VersionId
from cleanroom.service.room_parts import Parts

router = APIRouter(prefix="/v1/collaborations/{collaboration}/datasets", tags=["datasets"])


@router.get("")
def list_datasets(collaboration: CollaborationId, parts: Parts, caller: Caller) -> DatasetsBody:
    """All datasets with their rules in force."""
    views = parts.governance.datasets.list(caller, collaboration)
    return DatasetsBody(
        datasets=[DatasetContent.of(view, for_owner=view.owner == caller.member) for view in views]
    )


@router.get("/{dataset}")
def show_dataset(
    collaboration: CollaborationId, dataset: DatasetName, parts: Parts, caller: Caller
) -> DatasetBody:
    """One dataset with its rules in force."""
    view = parts.governance.datasets.view(caller, collaboration, dataset)
    return DatasetBody(**dataset_fields(view, for_owner=view.owner == caller.member))


@router.get("/{dataset}/versions")
def list_versions(
    collaboration: CollaborationId, dataset: DatasetName, parts: Parts, caller: Caller
) -> VersionsBody:
    """All uploads of the dataset, destroyed ones too."""
    for_owner = parts.governance.datasets.view(caller, collaboration, dataset).owner == caller.member
    views = parts.governance.datasets.versions(caller, collaboration, dataset)
    return VersionsBody(versions=[VersionContent.of(view, for_owner=for_owner) for view in views])


@router.delete("/{dataset}/versions/{version}")
def destroy_version(
    collaboration: CollaborationId, dataset: DatasetName, version: VersionId, parts: Parts, caller: Caller
) -> DestroyedBody:
    """End a version and remove its sealed table, for its owner, whose broker destroyed the key."""
    destroyed = parts.governance.datasets.delete(caller, collaboration, dataset, version, now=parts.clock())
    parts.vault.discard(version)
    return DestroyedBody.of(destroyed)
