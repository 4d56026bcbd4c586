"""Table expressions (WITH) that a SELECT sees, and columns under the names that an alias gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from cleanroom.query.refusal import Refused
from cleanroom.query.sources import CellSource, PersonSource, Source


@dataclass
class Environment:
    """CTEs that are visible, by name, each with the CTEs visible to it."""

    tables: dict[str, tuple[exp.Expr, Environment, tuple[str, ...]]] = field(default_factory=dict)
    released: dict[str, CellSource] = field(default_factory=dict)


def renamed(source: Source, columns: tuple[str, ...]) -> Source:
    """The source under the column names that an alias gives."""
    if not columns:
        return source
    if len(columns) > len(source.columns) or len(set(columns)) != len(columns):
        raise Refused("alias", "an alias lists more columns than there are", "list one name per column")
    names = [*columns, *list(source.columns)[len(columns) :]]
    renamed = dict(zip(names, source.columns.values(), strict=True))
    if isinstance(source, PersonSource):
        return PersonSource(source.relation, source.schema, renamed)
    return CellSource(source.cells, source.fields, renamed)
