"""`mixroom plan` and `mixroom what-if`: where next period's money goes, and what changed media would have brought."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mixroom.cli_help import Command, example
from mixroom.errors import UsageError
from mixroom.output import AsJson, print_json, say
from mixroom.silo_paths import refuse_bad_data, require_directory, silo_files

if TYPE_CHECKING:
    from mmm_models.planning.frontier import Frontier
    from mmm_models.planning.limits import Limits
    from mmm_models.planning.plan import Plan
    from mmm_models.planning.planner import Planner

Run = Annotated[Path, typer.Argument(help="A run directory of `fit` or `train`.")]
Total = Annotated[str | None, typer.Option(help="Money: 250000, or +10%, -5%, 110% of last period's.")]
Target = Annotated[
    str | None,
    typer.Option(help="sales=+15%, outcome=1200000, roi=3 or marginal-roi=1.2.", metavar="WHAT=N"),
]
Bounds = Annotated[Path | None, typer.Option(help="Limits (TOML, docs/planning.md).", metavar="FILE")]
ChangeLimit = Annotated[
    str, typer.Option(help="Most any channel may change: 30%, or none; 50% as a rule.", metavar="SHARE")
]
Weeks = Annotated[
    int | None, typer.Option(help="Length of the period; a year as a rule.", min=1, metavar="N")
]
Risk = Annotated[
    float | None, typer.Option(help="Plan for what all but this share of worlds exceed.", metavar="Q")
]
By = Annotated[Literal["all", "silo", "unit"], typer.Option(help="Move money between these, too.")]
Silo = Annotated[
    Path | None, typer.Option(help="Plan for this silo file's own rows, on this machine.", metavar="FILE")
]


def add_commands(app: typer.Typer) -> None:
    """Mount the commands on the root."""
    app.command(cls=Command, epilog=example("mixroom plan runs/first --total +10% --risk 0.1"))(plan)
    changes = "mixroom what-if runs/first --change social=+20% --change search=-10%"
    app.command("what-if", cls=Command, epilog=example(changes))(what_if)


def plan(
    run: Run,
    total: Total = None,
    target: Target = None,
    bounds: Bounds = None,
    change_limit: ChangeLimit = "",
    weeks: Weeks = None,
    risk: Risk = None,
    flight: Annotated[bool, typer.Option("--flight", help="Also when in the period.")] = False,
    by: By = "all",
    silo: Silo = None,
    frontier: Annotated[
        bool, typer.Option("--frontier", help="The best splits of several totals and risks.")
    ] = False,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="The world the run was simulated from: say what the plan is truly worth.", metavar="DIR"
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Directory for plan.json and plan.csv.")] = None,
    as_json: AsJson = False,
) -> None:
    """Split next period's money so that it brings the most."""
    _require_one_question(total, target, risk=risk, flight=flight, frontier=frontier)
    if truth is not None and (flight or frontier or silo is not None):
        raise UsageError(
            "--truth judges one plan of a whole run in last period's rhythm",
            hint="leave out --flight, --frontier and --silo",
        )
    if out is not None:
        require_directory(out)
    limits, planner = _limits(bounds, change_limit), _planner(run, weeks, by, silo)
    if frontier:
        answer: Plan | Frontier = planner.frontier(limits=limits)
    else:
        from mmm_models.planning.goal_text import goal_of

        answer = planner.plan(goal_of(planner, total, target), limits=limits, risk=risk, flight=flight)
    worth = None if truth is None else _true_worth(answer, planner, truth)
    if out is not None:
        _write(answer, out)
    _show(answer, as_json)
    if worth is not None:
        say(worth)


def what_if(
    run: Run,
    change: Annotated[
        list[str],
        typer.Option(help="social=+20%, search=-10%, tv=250000, north/tv=+20%; repeat.", metavar="CHANNEL=N"),
    ],
    weeks: Weeks = None,
    by: By = "all",
    silo: Silo = None,
    as_json: AsJson = False,
) -> None:
    """Say what changed media would have brought in the last period."""
    from mmm_models.planning.changes import parse_change

    changes = [parse_change(text) for text in change]
    _show(_planner(run, weeks, by, silo).what_if(changes), as_json)


def _require_one_question(
    total: str | None, target: str | None, *, risk: float | None, flight: bool, frontier: bool
) -> None:
    """Raises UsageError, before anything is loaded."""
    from mmm_models.planning.goal_text import GoalsContradict, require_one_goal

    try:
        require_one_goal(total, target)
    except GoalsContradict as error:
        raise UsageError(str(error), hint=error.hint) from error
    asked = {"--total": total, "--target": target, "--risk": risk, "--flight": flight or None}
    given = [name for name, value in asked.items() if value is not None]
    if frontier and given:
        raise UsageError(
            f"--frontier asks for many totals and risks at once, and does not go with {' and '.join(given)}",
            hint="leave one of them out",
        )


def _planner(run: Path, weeks: int | None, by: str, silo: Path | None) -> Planner:
    """Of the run, or of a silo's own rows, whose problems are listed first where there are any."""
    from mmm_models.errors import ModelError
    from mmm_models.planning.open_planner import open_planner

    if silo is None:
        return open_planner(run, weeks=weeks, by=by)
    files = silo_files([silo])
    try:
        return open_planner(run, weeks=weeks, by=by, silo=files[0])
    except ModelError as error:
        refuse_bad_data(files, error, again="run the same command again")
        raise


def _limits(bounds: Path | None, change_limit: str) -> Limits:
    from mmm_models.planning.limits import limits_from

    content: dict[str, Any] = {}
    if bounds is not None:
        try:
            content = tomllib.loads(bounds.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{bounds} is no TOML file: {error}", hint="see docs/planning.md") from error
    return limits_from({**content, "change": change_limit} if change_limit else content)


def _write(answer: Plan | Frontier, out: Path) -> None:
    from mmm_models.planning.plan_files import write_answer

    for path in write_answer(answer, out):
        say(f"written: {path}")


def _true_worth(answer: Plan | Frontier, planner: Planner, world: Path) -> str:
    """A line for stderr: what the truth says is for whoever simulates, and no part of a plan."""
    from mmm_models.planning.plan import Plan
    from simulations.true_regret import read_world, true_regret

    assert isinstance(answer, Plan)  # a frontier was refused
    true = true_regret(answer, planner, read_world(world))
    gained = f", {true.regret:.0%} of what it could gain" if true.best > true.last else ""
    return (
        f"in truth media bring {true.planned:,.0f} with this plan, {true.last:,.0f} with last period's split of its "
        f"money and {true.best:,.0f} with the best one: a regret of {true.of_media:.1%} of what media bring{gained}"
    )


def _show(answer: Any, as_json: bool) -> None:
    from mmm_models.planning.answer_json import answer_json

    if as_json:
        print_json(answer_json(answer))
        return
    from mixroom.plan_output import show_answer

    show_answer(answer)
