"""`mixroom lab`: experiments on known-truth worlds that answer a question about the field rather than about data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mixroom.cli_help import Command, Group, example
from mixroom.errors import Interrupted
from mixroom.output import AsJson, print_json, say, table
from mixroom.silo_paths import require_directory

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    suggest_commands=False,
    help="Experiments on known-truth worlds: do published results come out here?",
    short_help="Experiments on known-truth worlds: papers.",
    epilog=example("mixroom lab papers --out runs/papers"),
)


@app.callback()
def lab() -> None:
    """A group even while it has a single command."""


@app.command(
    cls=Command,
    short_help="Published simulated studies, each claim beside what we measure.",
    epilog=example("mixroom lab papers --seeds 3 --out runs/papers"),
)
def papers(
    out: Annotated[Path, typer.Option(help="Directory for papers.json, .csv, .md and .svg.")] = Path(
        "runs/papers"
    ),
    seeds: Annotated[int, typer.Option(help="Worlds of each kind, from seed 1.", min=1, metavar="N")] = 3,
    training_records: Annotated[
        int, typer.Option(help="Unit-weeks of the timed training; 4000000 takes 14 GB.", min=500, metavar="N")
    ] = 400_000,
    as_json: AsJson = False,
) -> None:
    """Build worlds as published studies describe theirs and try each claim; about a minute a seed on two cores.

    Claims are judged by the truth of the world, not by what a model says of itself. docs/papers.md has a run.
    """
    from tempfile import TemporaryDirectory

    from simulations.papers.papers_files import HEADER, JSON, rows, summary, write_papers
    from simulations.papers.reproduction import PapersSettings, reproduce

    require_directory(out)
    settings = PapersSettings(seeds, training_records)
    try:
        with TemporaryDirectory(prefix="mixroom-papers-") as scratch:
            found = reproduce(settings, Path(scratch), say=say)
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted; nothing was written", hint="run the same command again") from error
    page = write_papers(found, settings, out)
    if as_json:
        print_json({"page": str(page), "json": str(out / JSON), "reproduced": summary(found)})
    else:
        typer.echo(table(list(HEADER), rows(found)))
    say(f"the page: {page}")
