"""A chart with the table behind it, what it says in one sentence, and how to read it."""

from collections.abc import Callable
from dataclasses import dataclass, field

Cell = str | float | None


@dataclass(frozen=True)
class Column:
    """A table column; `show` turns its raw values into text, without it they are text already."""

    name: str
    show: Callable[[float | None], str] | None = None

    @property
    def is_number(self) -> bool:
        return self.show is not None

    def text(self, cell: Cell) -> str:
        """`cell` as people read it; text stands for itself also in a column of numbers."""
        return cell if isinstance(cell, str) else self.show(cell) if self.show else ""


@dataclass(frozen=True)
class Table:
    """Raw values by row; `totals` are rows set apart at the end."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    totals: tuple[tuple[Cell, ...], ...] = field(default=())

    def text_rows(self) -> list[list[str]]:
        """Every row as shown."""
        return [self._texts(row) for row in self.rows]

    def text_totals(self) -> list[list[str]]:
        """Every row of `totals` as shown."""
        return [self._texts(row) for row in self.totals]

    def _texts(self, row: tuple[Cell, ...]) -> list[str]:
        return [column.text(cell) for column, cell in zip(self.columns, row, strict=True)]


@dataclass(frozen=True)
class Figure:
    """`svg` is a whole picture; `insight` is computed from the numbers; nothing in it is only a picture."""

    svg: str
    table: Table
    insight: str
    how_to_read: str
