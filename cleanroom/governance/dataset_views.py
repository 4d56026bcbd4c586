"""What the service knows of datasets and their versions: names, rules, states; never a row of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy.orm import Session

from cleanroom.governance.tables import DatasetRow, VersionRow
from cleanroom.rules.analysis_rule import RuleDocument
from privacy.canonical_json import digest_of


class VersionState(StrEnum):
    """An upload's life."""

    UPLOADING = "uploading"
    READY = "ready"
    DELETED = "deleted"


@dataclass(frozen=True)
class VersionView:
    """One upload of a dataset. `key_commitment`: empty until it is complete."""

    id: str
    collaboration: str
    dataset: str
    state: VersionState
    manifest: Mapping[str, Any]
    sealed_path: str
    key_commitment: str
    created: datetime
    completed: datetime | None
    expires: datetime | None
    current: bool


@dataclass(frozen=True)
class DatasetView:
    """A dataset and its rules in force; `rules_proposal` holds the signatures."""

    collaboration: str
    name: str
    owner: str
    rules: RuleDocument
    rules_digest: str
    rules_proposal: str
    closed: bool
    current: VersionView | None


@dataclass(frozen=True)
class ReadyDataset:
    """A dataset as a query takes it."""

    dataset: DatasetView
    version: VersionView


@dataclass(frozen=True)
class NewVersion:
    """An upload that begins."""

    collaboration: str
    dataset: str
    version: str
    manifest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class CompletedUpload:
    """An upload whose sealed file is in the vault. The data key is with its owner; the commitment names it."""

    collaboration: str
    version: str
    manifest: Mapping[str, Any]
    sealed_path: str
    key_commitment: str


def dataset_view(session: Session, row: DatasetRow) -> DatasetView:
    """A dataset's row as a value."""
    current = session.get(VersionRow, row.current_version) if row.current_version else None
    rules = RuleDocument.of(row.rules)
    return DatasetView(
        collaboration=row.collaboration,
        name=row.name,
        owner=row.owner,
        rules=rules,
        rules_digest=digest_of(rules.canonical()),
        rules_proposal=row.proposal,
        closed=row.closed,
        current=version_view(session, current) if current is not None else None,
    )


def version_view(session: Session, row: VersionRow) -> VersionView:
    """A version's row as a value."""
    dataset = session.get(DatasetRow, (row.collaboration, row.dataset))
    return VersionView(
        id=row.id,
        collaboration=row.collaboration,
        dataset=row.dataset,
        state=VersionState(row.state),
        manifest=row.manifest,
        sealed_path=row.sealed_path,
        key_commitment=row.key_commitment,
        created=row.created,
        completed=row.completed,
        expires=row.expires,
        current=dataset is not None and dataset.current_version == row.id,
    )
