"""A query's life as values: asked and charged, then released or failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from cleanroom.governance.ledger import Cost
from cleanroom.governance.tables import QueryRow
from cleanroom.rules.analysis_rule import Mode


class QueryState(StrEnum):
    """Every query is charged before it can be anything else."""

    CHARGED = "charged"  # the worker is at it, or died at it
    RELEASED = "released"
    FAILED = "failed"  # the charge stays


@dataclass(frozen=True)
class NewQuery:
    """A query that the rules allow. `basis_digest` covers the rules and the versions of all its datasets."""

    id: str
    member: str
    question: str
    plan_digest: str
    basis_digest: str
    mode: Mode
    cost: Cost
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class QueryView:
    """A query without its result."""

    id: str
    collaboration: str
    member: str
    question: str
    plan_digest: str
    basis_digest: str
    mode: Mode
    state: QueryState
    datasets: tuple[str, ...]
    epsilon: float
    delta: float
    asked: datetime
    ended: datetime | None


@dataclass(frozen=True)
class StoredRelease:
    """A signed release, as it was given."""

    query_id: str
    collaboration: str
    member: str
    release: Mapping[str, Any]
    released: datetime


@dataclass(frozen=True)
class Begun:
    """A charged query; or, uncharged, the release that answered the same question before."""

    query: QueryView
    cached: StoredRelease | None = None


@dataclass(frozen=True)
class FinishedQuery:
    """What the worker gave: the release, and the id of the state that was prepared for it, if it leaves one."""

    query_id: str
    release: Mapping[str, Any]
    state_id: str | None = None


def query_view(row: QueryRow) -> QueryView:
    """A query's row as a value."""
    return QueryView(
        id=row.id,
        collaboration=row.collaboration,
        member=row.member,
        question=row.question,
        plan_digest=row.plan_digest,
        basis_digest=row.basis_digest,
        mode=Mode(row.mode),
        state=QueryState(row.state),
        datasets=tuple(row.datasets),
        epsilon=row.micro_epsilon / 1e6,
        delta=row.pico_delta / 1e12,
        asked=row.asked,
        ended=row.ended,
    )


def stored_release(row: QueryRow) -> StoredRelease:
    """A released query's row as a value."""
    if row.release is None or row.ended is None:
        raise ValueError("the query has no release")
    return StoredRelease(row.id, row.collaboration, row.member, row.release, row.ended)
