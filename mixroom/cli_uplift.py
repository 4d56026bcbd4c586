"""`mixroom uplift`: what a randomised trial with one row per person says."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixroom.cli_help import Command, example
from mixroom.errors import UsageError
from mixroom.output import AsJson, print_json, say, table

if TYPE_CHECKING:
    from mmm_models.experiments.trial_lift import TrialScope
    from mmm_models.experiments.uplift import Effect, Uplift

DAY = "%Y-%m-%d"
Start = Annotated[
    datetime | None,
    typer.Option(help="Of the lift: first day of its first week.", formats=[DAY], metavar="DATE"),
]
End = Annotated[
    datetime | None,
    typer.Option(help="Of the lift: last day of its last week.", formats=[DAY], metavar="DATE"),
]


def add_commands(app: typer.Typer) -> None:
    """Mount the command on the root."""
    line = "mixroom uplift trial.csv --treatment treated --outcome spend --covariate visits"
    app.command(cls=Command, epilog=example(line))(uplift)


def uplift(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet, one row per person.", metavar="TABLE")],
    treatment: Annotated[str, typer.Option(help="Column: 1 or 0, or treated and control.", metavar="COL")],
    outcome: Annotated[str, typer.Option(help="Column: what a person did afterwards.", metavar="COL")],
    covariate: Annotated[
        list[str] | None,
        typer.Option(help="Column known before treatment; may be repeated.", metavar="COL"),
    ] = None,
    segment: Annotated[str, typer.Option(help="Column to tell uplift by.", metavar="COL")] = "",
    lift_file: Annotated[
        Path | None, typer.Option(help="Add the lift to this file, for `mixroom fit --lift`.")
    ] = None,
    channel: Annotated[str, typer.Option(help="Of the lift: its channel.")] = "",
    start: Start = None,
    end: End = None,
    people: Annotated[float, typer.Option(help="Of the lift: whom the channel could reach.", min=0)] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Measure what a randomised treatment changed, on average and by segment."""
    from mmm_models.experiments.trial_file import TrialColumns, read_trial
    from mmm_models.experiments.trial_lift import trial_lift
    from mmm_models.experiments.uplift import measure_uplift

    scope = _scope(channel, start, end, people) if lift_file else None
    trial = read_trial(file, TrialColumns(treatment, outcome, tuple(covariate or ()), segment))
    measured = measure_uplift(trial)
    _show(measured, as_json)
    if lift_file and scope:
        from mmm_models.experiments.lift_entry_text import add_lift

        add_lift(trial_lift(measured, scope, source=f"trial {file.name}"), lift_file)
        say(f"the lift is in {lift_file}")


def _scope(channel: str, start: datetime | None, end: datetime | None, people: float) -> TrialScope:
    from mmm_models.experiments.trial_lift import TrialScope

    if not channel or start is None or end is None or not people:
        raise UsageError(
            "--lift-file needs --channel, --start, --end and --people",
            hint="a trial says what changes per person; a lift is that of all people in some weeks",
        )
    return TrialScope(channel, start.date(), end.date(), people)


def _show(measured: Uplift, as_json: bool) -> None:
    if as_json:
        print_json(asdict(measured))
        return
    rows = [
        ["average", *_cells(measured.average)],
        ["without covariates", *_cells(measured.unadjusted)],
        *([f"segment {item.segment}", *_cells(item.effect)] for item in measured.segments),
        ["gain of ranking (Qini)", *_cells(measured.qini)],
    ]
    typer.echo(table(["", "people", "uplift", "standard error"], rows))
    balance = measured.balance
    say(
        f"{measured.treated} treated, {measured.control} control; balance of covariates: p = {balance.p_value:.3g}"
    )
    if balance.is_doubtful:
        worst = balance.covariates[0]
        say(
            f"treatment was hardly random: {worst.name} differs by {worst.difference:+.2f} standard deviations"
        )


def _cells(effect: Effect) -> list[str]:
    return [f"{effect.people}", f"{effect.effect:.4g}", f"{effect.standard_error:.3g}"]
