"""`mixroom world`: a known-truth world as silo files, and the truth behind them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mixroom.cli_help import Command, example
from mixroom.output import AsJson, print_json, say
from mixroom.silo_paths import require_directory

Scenario = Annotated[str, typer.Argument(help="A built-in scenario or a TOML file.")]
Seed = Annotated[int | None, typer.Option(help="Replace the scenario's seed.", min=0)]
Out = Annotated[Path, typer.Option(help="Directory to write.")]


def add_commands(app: typer.Typer) -> None:
    """Mount the command on the root."""
    app.command(cls=Command, epilog=example("mixroom world default --out worlds/default"))(world)


def world(scenario: Scenario, out: Out, seed: Seed = None, as_json: AsJson = False) -> None:
    """Write a world's silo files and the truth behind them."""
    from simulations.scenario import load_scenario
    from simulations.world import make_world
    from simulations.world_files import write_world

    require_directory(out)
    made = make_world(load_scenario(scenario, seed=seed))
    files = write_world(made, out)
    if as_json:
        channels = [asdict(row) for row in made.channel_truths()]
        print_json({"specs": list(map(str, files.specs)), "truth": str(files.truth), "channels": channels})
        return
    for path in files.specs:
        typer.echo(str(path))
    say(f"the truth is in {files.truth}")
    say(f"next: mixroom train {out}/*.toml --out runs/first")
