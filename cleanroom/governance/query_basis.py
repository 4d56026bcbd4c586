"""What an answer rests on besides its question: the rules in force, the tables, and the price.

The service judges and prices a question first and charges it later; the charge is refused when any of this has
changed in between. What is destroyed while a query runs is not released from either.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from cleanroom.errors import BasisMoved, Conflict, NotFound
from cleanroom.governance.dataset_views import VersionState
from cleanroom.governance.ledger import Cost
from cleanroom.governance.tables import DatasetRow, TemplateRow, VersionRow
from cleanroom.rules.analysis_rule import RuleDocument
from privacy.canonical_json import digest_of


@dataclass(frozen=True, order=True)
class DatasetBasis:
    """One dataset as a question was judged on it."""

    dataset: str
    rules_digest: str
    version: str | None


def basis_digest(datasets: Iterable[DatasetBasis], cost: Cost) -> str:
    """Names the rules, the tables and the price together."""
    lines = [[item.dataset, item.rules_digest, item.version] for item in sorted(datasets)]
    return digest_of({"datasets": lines, "epsilon": cost.epsilon, "delta": cost.delta})


def current_basis(session: Session, cost: Cost) -> str:
    """The digest of the basis as it is now. Raises NotFound."""
    return basis_digest([_basis_of(session, cost.collaboration, name) for name in set(cost.datasets)], cost)


def require_basis(session: Session, cost: Cost, digest: str) -> None:
    """Raise BasisMoved unless rules and tables are those under which the question was judged."""
    if current_basis(session, cost) != digest:
        raise BasisMoved(
            "rules or tables changed while the question was read; nothing was charged and no data were touched",
            hint="ask again: it is then judged by what is in force",
        )


def require_signed_template(session: Session, cost: Cost, details: Mapping[str, Any]) -> None:
    """Raise Conflict when a template reads a dataset whose owner has not signed it: one that came after it."""
    name = details.get("template")
    if name is None:
        return
    template = session.get(TemplateRow, (cost.collaboration, name))
    if template is None or not set(cost.datasets) <= set(template.datasets):
        raise Conflict(
            "the template reads a dataset whose owner did not sign it; nothing was charged",
            hint="propose the template anew, so that every owner in it signs",
        )


def require_undestroyed(session: Session, release: Mapping[str, Any]) -> None:
    """Raise Conflict when a table that the release was made from has been destroyed meanwhile."""
    body = release.get("body")
    tables = body.get("datasets", ()) if isinstance(body, Mapping) else ()
    for table in tables:
        version = session.get(VersionRow, table["version"])
        if version is None or version.state == VersionState.DELETED:
            raise Conflict(
                "a table of the query was destroyed while it ran; nothing was released",
                hint="ask again once its owner has uploaded another; the charge stays",
            )


def _basis_of(session: Session, collaboration: str, name: str) -> DatasetBasis:
    row = session.get(DatasetRow, (collaboration, name))
    if row is None or row.closed:
        raise NotFound("a dataset of the query is not there", hint="list the collaboration's datasets")
    rules = digest_of(RuleDocument.of(row.rules).canonical())
    return DatasetBasis(name, rules, row.current_version)
