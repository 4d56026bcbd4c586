"""What the room's demo has to show: chapters of exhibits, each a table, a question or a sentence."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmm_models.reporting.figure import Figure, Table


@dataclass(frozen=True)
class Exhibit:
    """One thing shown. `sql`: what was asked; `note`: what to see in it, computed from it; wide ones stand alone."""

    title: str
    table: Table | None = None
    note: str = ""
    sql: str = ""
    figure: Figure | None = None
    is_wide: bool = False

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it: texts as shown."""
        shown = [] if self.table is None else [column.name for column in self.table.columns]
        rows = [] if self.table is None else self.table.text_rows()
        return {"title": self.title, "columns": shown, "rows": rows, "note": self.note, "sql": self.sql}


@dataclass(frozen=True)
class Chapter:
    """Exhibits that belong together."""

    title: str
    exhibits: tuple[Exhibit, ...]


@dataclass(frozen=True)
class Fact:
    """One number of the strip under the headline."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True)
class RoomStory:
    """The whole demo."""

    directory: Path
    seed: int
    headline: str
    facts: tuple[Fact, ...]
    chapters: tuple[Chapter, ...] = field(default=())

    @property
    def report(self) -> Path:
        """The page that tells it."""
        return self.directory / "room.html"

    def to_plain(self) -> dict[str, Any]:
        """As `--json` prints it."""
        chapters = [
            {"title": chapter.title, "exhibits": [exhibit.to_plain() for exhibit in chapter.exhibits]}
            for chapter in self.chapters
        ]
        return {
            "directory": str(self.directory),
            "report": str(self.report),
            "seed": self.seed,
            "headline": self.headline,
            "chapters": chapters,
        }
