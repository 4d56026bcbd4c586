"""`mixroom fit`, `train` and `report`: models from silo files."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from mixroom.errors import UsageError
from mixroom.output import AsJson, print_json, say, table

Specs = Annotated[list[Path], typer.Argument(help="Silo files (TOML), one per silo.")]
Out = Annotated[Path, typer.Option(help="Run directory to write.")]
Holdout = Annotated[int, typer.Option(help="Last weeks kept for testing; at most a quarter of a panel.")]


def add_commands(app: typer.Typer) -> None:
    """Mount the commands on the root."""
    app.command()(fit)
    app.command()(train)
    app.command()(report)


def fit(
    specs: Specs,
    out: Out,
    holdout_weeks: Holdout = 24,
    steps: Annotated[int, typer.Option(help="Training steps.")] = 300,
    synergy: Annotated[bool, typer.Option(help="Let channels reinforce each other.")] = False,
    effect_waves: Annotated[
        int, typer.Option(help="Slow waves of each effect over time; 0 for constant effects.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Fit one model on pooled data, no federation.

    Example: mixroom fit north.toml south.toml --out runs/pooled
    """
    from mmm_models.spec import ModelSpec, TrainingSpec
    from simulations.pooled_run import PooledSettings, fit_pooled

    settings = PooledSettings(
        tuple(specs),
        out,
        holdout_weeks,
        ModelSpec(synergy=synergy, effect_waves=effect_waves),
        TrainingSpec(steps=steps),
    )
    _finish(fit_pooled(settings, say=say), as_json)


def train(
    specs: Specs,
    out: Out,
    privacy: Annotated[str, typer.Option(help="none, or local: noise is added in each silo.")] = "none",
    epsilon: Annotated[float, typer.Option(help="Privacy loss per unit over the whole run.")] = 0.0,
    delta: Annotated[float, typer.Option(help="Chance that epsilon does not hold.")] = 0.0,
    secure_aggregation: Annotated[str, typer.Option(help="masks, or none.")] = "masks",
    strategy: Annotated[str, typer.Option(help="fedadam, fedavg or fedprox.")] = "fedadam",
    rounds: Annotated[int, typer.Option(help="Training rounds.")] = 150,
    local_steps: Annotated[
        int, typer.Option(help="Steps in each silo per round; 0 for the strategy's default.")
    ] = 0,
    holdout_weeks: Holdout = 24,
    on_failure: Annotated[str, typer.Option(help="exclude or abort when a silo fails a round.")] = "exclude",
    synergy: Annotated[bool, typer.Option(help="Let channels reinforce each other.")] = False,
    effect_waves: Annotated[int, typer.Option(help="Slow waves of each effect over time.")] = 0,
    seed: Annotated[int, typer.Option(help="Recorded with the run.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train one model across silos; only sums leave a silo.

    Example: mixroom train silos/*.toml --out runs/first --privacy local --epsilon 8 --delta 1e-4
    """
    from server.settings import parse_settings
    from simulations.federation import train_in_process

    if privacy == "none" and (epsilon or delta):
        raise UsageError("--epsilon and --delta need noise", hint="add --privacy local")
    settings = parse_settings(
        {
            "out": str(out),
            "privacy": privacy,
            "epsilon": epsilon,
            "delta": delta,
            "secure-aggregation": secure_aggregation,
            "strategy": strategy,
            "rounds": rounds,
            "local-steps": local_steps,
            "holdout-weeks": holdout_weeks,
            "on-failure": on_failure,
            "synergy": synergy,
            "effect-waves": effect_waves,
            "seed": seed,
            "resume": resume,
        }
    )
    _finish(train_in_process(specs, settings), as_json)


def report(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    as_json: AsJson = False,
) -> None:
    """Write a run's report.html again from the files in its directory.

    Example: mixroom report runs/first
    """
    from mmm_models.reporting.report_files import write_report

    path = write_report(run)
    if as_json:
        print_json({"report": str(path), **_stored_results(run)})
    else:
        typer.echo(str(path))


def _finish(directory: Path, as_json: bool) -> None:
    """Print what the run found; the same numbers as in its files."""
    results = _stored_results(directory)
    if as_json:
        print_json({"run": str(directory), **results})
        return
    header = ["channel", "contribution", "share", "ROI", "marginal ROI"]
    rows = [
        [
            row["channel"],
            f"{row['contribution']:,.0f}",
            f"{row['share']:.2%}",
            _or_dash(row["roi"]),
            _or_dash(row["marginal_roi"]),
        ]
        for row in results["channels"]
    ]
    typer.echo(table(header, rows))
    holdout = results["holdout"]
    say(
        f"hold-out: nRMSE {holdout['nrmse']:.4f}, MAPE {holdout['mape']:.1%} over {holdout['units']:.0f} units"
    )
    say(f"the report: {directory / 'report.html'}")


def _stored_results(directory: Path) -> dict[str, Any]:
    return dict(json.loads((directory / "results.json").read_text(encoding="utf-8")))


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
