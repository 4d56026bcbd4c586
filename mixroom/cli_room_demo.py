"""`mixroom room demo`: the clean room's story, with a real service, a real worker and invented people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixroom.cli_help import Command, example
from mixroom.errors import Interrupted
from mixroom.output import AsJson, print_json, say
from mixroom.silo_paths import require_directory

if TYPE_CHECKING:
    from mmm_models.reporting.figure import Table
    from simulations.room_story import Exhibit, RoomStory

Out = Annotated[Path, typer.Option(help="Directory to write.")]
Seed = Annotated[int, typer.Option(help="Another seed: other people.", min=0)]
WIDEST = 60


def add_commands(app: typer.Typer) -> None:
    """Mount it."""
    app.command(
        cls=Command,
        short_help="Three partners and an agency, from first invitation to proof; under a minute.",
        epilog=example("mixroom room demo"),
    )(demo)


def demo(out: Out = Path("runs/room-demo"), seed: Seed = 1, as_json: AsJson = False) -> None:
    """Three partners and an agency found a clean room, ask, are refused, and check what they got.

    An earlier demo in the same directory is replaced; a directory with anything else is left alone.
    """
    from simulations.demo import fresh_directory

    require_directory(out)
    story = tell_room_story(fresh_directory(out), seed=seed, quiet=as_json)
    if as_json:
        print_json(story.to_plain())
    say(f"the report: {story.report}")
    say("next, a room of your own: mixroom room serve --data room-service (docs/clean-room.md)")


def tell_room_story(directory: Path, *, seed: int, quiet: bool) -> RoomStory:
    """Run the demo in an empty directory; tables go to stdout unless `quiet`. Raises Interrupted."""
    from simulations.partner_world import PartnerWorldSpec
    from simulations.room_demo import run_room_demo

    try:
        return run_room_demo(
            directory, PartnerWorldSpec(seed=seed), say=say, show=_nothing if quiet else _print
        )
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted; there is no report", hint="run the same command again") from error


def text_table(shown: Table) -> str:
    """Columns of text, numbers on the right; a long text goes on in the next line."""
    header = [column.name for column in shown.columns]
    rows = [line for row in shown.text_rows() for line in _wrapped(row)]
    widths = [max(len(row[index]) for row in [header, *rows]) for index in range(len(header))]
    lines = []
    for row in [header, *rows]:
        cells = [
            cell.rjust(width) if column.is_number else cell.ljust(width)
            for cell, width, column in zip(row, widths, shown.columns, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _print(exhibit: Exhibit) -> None:
    typer.echo(f"\n{exhibit.title}")
    if exhibit.table is not None:
        typer.echo(text_table(exhibit.table) if exhibit.table.rows else "no rows")


def _nothing(exhibit: Exhibit) -> None:
    """The result is printed at the end."""


def _wrapped(row: list[str]) -> list[list[str]]:
    from textwrap import wrap

    cells = [wrap(cell.replace("\N{NO-BREAK SPACE}", " "), WIDEST) or [""] for cell in row]
    height = max(len(lines) for lines in cells)
    return [[lines[place] if place < len(lines) else "" for lines in cells] for place in range(height)]
