"""What a name in FROM stands for while a query is bound: people's rows, or released cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from cleanroom.query.expression_binder import BindingScope
from cleanroom.query.expressions import Column, Expression
from cleanroom.query.plan import Cells, Relation
from cleanroom.query.refusal import Refused
from cleanroom.query.schema import Schema
from cleanroom.query.traits import Traits


@dataclass(frozen=True)
class PersonSource:
    """Rows of people. `columns`: output name -> internal name."""

    relation: Relation
    schema: Schema
    columns: Mapping[str, str]


@dataclass(frozen=True)
class CellSource:
    """Released cells, or what was made of them. `columns`: output name -> internal name, in order.

    uses: how many released tables are in it, each as often as it is used.
    """

    cells: Cells
    fields: Mapping[str, Traits]
    columns: Mapping[str, str]
    uses: int = 1


Source = PersonSource | CellSource


@dataclass
class Names:
    """Aliases of one FROM clause, each with its columns; `merged`: what USING made one of."""

    tables: dict[str, Mapping[str, str]] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)

    def add(self, alias: str, columns: Mapping[str, str]) -> None:
        """Raises Refused for an alias used twice."""
        if alias in self.tables:
            raise Refused("alias", "two tables have the same alias", "give each its own")
        self.tables[alias] = columns

    def internal(self, name: str, table: str) -> str:
        """The internal name of a column. Raises Refused when it is unknown or ambiguous."""
        if table:
            if table not in self.tables:
                raise Refused(
                    "unknown_table", "a column names a table that is not in FROM", "check its alias"
                )
            places = [self.tables[table]]
        elif name in self.merged:
            return self.merged[name]
        else:
            places = list(self.tables.values())
        found = {columns[name] for columns in places if name in columns}
        if not found:
            raise Refused("unknown_column", f"there is no column {_shown(name)}", "check its name")
        if len(found) > 1:
            raise Refused(
                "ambiguous_column", f"several tables have a column {_shown(name)}", "name the table"
            )
        return found.pop()

    def has(self, name: str, table: str = "") -> bool:
        """Whether a column of that name is here, once."""
        try:
            self.internal(name, table)
        except Refused:
            return False
        return True

    def all(self, table: str = "") -> dict[str, str]:
        """All columns, for a star. Raises Refused when two have the same name and different values."""
        if table and table not in self.tables:
            raise Refused("unknown_table", "a star names a table that is not in FROM", "check its alias")
        whole: dict[str, str] = {}
        for columns in [self.tables[table]] if table else self.tables.values():
            for name, internal in columns.items():
                if not table and name in self.merged:
                    internal = self.merged[name]
                if whole.setdefault(name, internal) != internal:
                    raise Refused("star", "a star gives two columns of one name", "list the columns")
        return whole


class NamesScope(BindingScope):
    """Columns looked up in a FROM clause."""

    def __init__(
        self,
        names: Names,
        fields: Mapping[str, Traits],
        windows: Mapping[str, exp.Window] | None = None,
        *,
        after_release: bool = False,
    ) -> None:
        self._names = names
        self._fields = fields
        self._windows = windows or {}
        self.after_release = after_release

    @property
    def fields(self) -> Mapping[str, Traits]:
        return self._fields

    def column(self, name: str, table: str) -> Expression:
        return Column(name=self._names.internal(name, table))

    def window(self, name: str) -> exp.Window | None:
        return self._windows.get(name)


def _shown(name: str) -> str:
    """A column's name in an error, if it looks like one."""
    return name if name.isidentifier() and len(name) <= 40 else "of that name"
