"""A chart with the table behind it, what it says in one sentence, and how to read it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mmm_models.reporting.number_format import span
from mmm_models.results import Interval

Cell = str | float | Interval | None


@dataclass(frozen=True)
class Column:
    """A table column; `show` turns its raw values into text, without it they are text already.

    One that is `below` is shown in small print under the column before it.
    """

    name: str
    show: Callable[[float | None], str] | None = None
    below: bool = False

    @property
    def is_number(self) -> bool:
        return self.show is not None

    def text(self, cell: Cell) -> str:
        """`cell` as people read it; text stands for itself also in a column of numbers."""
        if isinstance(cell, str):
            return cell
        if self.show is None:
            return ""
        return span(cell.low, cell.high, self.show) if isinstance(cell, Interval) else self.show(cell)


@dataclass(frozen=True)
class Place:
    """One place of a table as a page shows it, `small` under `text`."""

    text: str
    small: str
    is_number: bool


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

    def head(self) -> list[Place]:
        """Names of columns in their places."""
        return self._places([column.name for column in self.columns])

    def body(self) -> list[list[Place]]:
        """Every row in its places."""
        return [self._places(texts) for texts in self.text_rows()]

    def foot(self) -> list[list[Place]]:
        """Every row of `totals` in its places."""
        return [self._places(texts) for texts in self.text_totals()]

    def _texts(self, row: tuple[Cell, ...]) -> list[str]:
        return [column.text(cell) for column, cell in zip(self.columns, row, strict=True)]

    def _places(self, texts: list[str]) -> list[Place]:
        small = [text if column.below else "" for column, text in zip(self.columns, texts, strict=True)]
        return [
            Place(text, below, column.is_number)
            for column, text, below in zip(self.columns, texts, [*small[1:], ""], strict=True)
            if not column.below
        ]


@dataclass(frozen=True)
class Figure:
    """`svg` is a whole picture; `insight` is computed from the numbers; nothing in it is only a picture."""

    svg: str
    table: Table
    insight: str
    how_to_read: str
