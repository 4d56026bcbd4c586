"""What a relation of the person stage holds: its columns, its scans, and who is only there by absence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cleanroom.query.expressions import ValueType
from cleanroom.query.plan import Scan
from cleanroom.query.refusal import Refused
from cleanroom.query.traits import Traits
from cleanroom.rules.analysis_rule import Role, RuleDocument

Catalog = Mapping[str, RuleDocument]
_TYPES = {
    Role.IDENTITY: ValueType.IDENTITY,
    Role.DIMENSION: ValueType.TEXT,
    Role.MEASURE: ValueType.MEASURE,
    Role.TIME: ValueType.TIME,
    Role.REFERENCE: ValueType.REFERENCE,
}
# What the engine's SQL calls its own columns: the person, presences, shadows, cells.
_RESERVED = re.compile(r"person|shadow|[a-z]|[bgkmnp][0-9]+")


@dataclass(frozen=True)
class Schema:
    """A relation's columns by internal name.

    scans: index -> dataset. optional: scans that may be absent from a row (outer joins, UNION). multiplying: scans
    of which one person may have several rows here. single: at most one row per person. tainted: optional scans
    whose absence decided which people are still here. shadows: there are rows that failed such a decision.
    """

    fields: Mapping[str, Traits]
    scans: Mapping[int, str]
    optional: frozenset[int] = frozenset()
    multiplying: frozenset[int] = frozenset()
    single: bool = False
    tainted: frozenset[int] = frozenset()
    shadows: bool = False


def scanned(scan: Scan, catalog: Catalog) -> Schema:
    """A dataset's columns. Raises Refused for what is no dataset or column."""
    document = catalog.get(scan.dataset)
    if document is None:
        raise Refused("unknown_table", "a table is not a dataset of this collaboration", "check its name")
    require_names(internal for internal, _ in scan.columns)
    fields = {}
    for internal, name in scan.columns:
        if name not in document.columns:
            raise Refused("unknown_column", f"{scan.dataset} has no column {name[:40]}", "check its name")
        column = document.columns[name]
        is_measure = column.role is Role.MEASURE
        fields[internal] = Traits(
            _TYPES[column.role],
            scans=frozenset({scan.index}),
            columns=frozenset({(scan.dataset, name)}),
            measure=(scan.dataset, name) if is_measure else None,
            comparable=column.comparable,
            plain=column.role is Role.TIME,
            nonzero=is_measure,
            bare=True,
        )
    return Schema(fields, {scan.index: scan.dataset})


def require_names(names: Iterable[str]) -> None:
    """Raises Refused for internal names that occur twice, or that the engine's SQL uses itself."""
    seen: set[str] = set()
    for name in names:
        if name in seen or _RESERVED.fullmatch(name):
            raise Refused("plan", "two columns of the plan have the same name, or one has a reserved one")
        seen.add(name)
