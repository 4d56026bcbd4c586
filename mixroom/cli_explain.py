"""`mixroom explain`: what each channel of a stored run does, in plain words, tables and figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixroom.cli_help import Command, example
from mixroom.output import AsJson, print_json, say
from mixroom.silo_paths import refuse_bad_data, require_directory, silo_files

if TYPE_CHECKING:
    from mmm_models.reporting.explained import Explained

Channel = Annotated[str, typer.Option(help="Only this channel.", metavar="NAME")]
Silo = Annotated[
    Path | None, typer.Option(help="Explain this silo file's own rows, on this machine.", metavar="FILE")
]
Weeks = Annotated[int | None, typer.Option(help="Of the period; a year as a rule.", min=1, metavar="N")]
PlanIn = Annotated[
    Path | None,
    typer.Option("--plan", help="Directory with a plan.json; the run's own as a rule.", metavar="DIR"),
]
Out = Annotated[Path | None, typer.Option(help="Directory for figures (SVG) and tables (CSV).")]


def add_commands(app: typer.Typer) -> None:
    """Mount the command on the root."""
    app.command(cls=Command, epilog=example("mixroom explain runs/first --channel tv"))(explain)


def explain(
    run: Annotated[Path, typer.Argument(help="A run directory of `fit` or `train`.")],
    channel: Channel = "",
    silo: Silo = None,
    weeks: Weeks = None,
    plan: PlanIn = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Say in plain words what each channel does, what changed, and what to look at twice.

    Saturation, half-life, returns, what a little more or less would do; the outcome week by week, from period to
    period and silo by silo; health checks. Everything with its interval; nothing leaves this machine.
    """
    if out is not None:
        require_directory(out)
    found = _explained(run, weeks=weeks, silo=silo, plan=plan)
    if channel:
        found.sentences(channel)  # an unknown one is refused before anything is written
    if out is not None:
        _write(found, out)
    if as_json:
        from mmm_models.reporting.told_files import told_json

        print_json(told_json(found.told, found.checks))
        return
    from mixroom.explain_output import show_channel, show_explained

    if channel:
        show_channel(found, channel)
    else:
        show_explained(found)


def _explained(run: Path, *, weeks: int | None, silo: Path | None, plan: Path | None) -> Explained:
    """Problems of a silo's own rows are listed first, where there are any."""
    from mmm_models.errors import ModelError
    from mmm_models.reporting.explained import explained

    if silo is None:
        return explained(run, weeks=weeks, plan=plan)
    files = silo_files([silo])
    try:
        return explained(run, weeks=weeks, silo=files[0], plan=plan)
    except ModelError as error:
        refuse_bad_data(files, error, again="run the same command again")
        raise


def _write(found: Explained, out: Path) -> None:
    from mmm_models.reporting.told_files import write_told

    for path in write_told(found.told, found.checks, out):
        say(f"written: {path}")
