"""`mixroom world`, `compare` and `demo`: everything that runs on a known-truth world."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixroom.cli_help import Command, example
from mixroom.errors import Interrupted, UsageError
from mixroom.output import AsJson, print_json, say, table
from mixroom.silo_paths import require_directory

if TYPE_CHECKING:
    from mmm_models.reporting.report_input import ArmRow
    from simulations.comparison import Comparison, ComparisonSettings
    from simulations.scenario import Scenario as ScenarioFile

Scenario = Annotated[str, typer.Argument(help="A built-in scenario or a TOML file.")]
Seed = Annotated[int | None, typer.Option(help="Replace the scenario's seed.", min=0)]
Out = Annotated[Path, typer.Option(help="Directory to write.")]


def add_demo(app: typer.Typer) -> None:
    """Mount the demo, which stands first."""
    app.command(
        cls=Command, short_help="Five business units train one model; two minutes, one report.",
        epilog=example("mixroom demo"),
    )(demo)  # fmt: skip


def add_commands(app: typer.Typer) -> None:
    """Mount the other commands on the root."""
    app.command(cls=Command, epilog=example("mixroom world default --out worlds/default"))(world)
    app.command(
        cls=Command, short_help="Train one known world in every way; measure each against the truth.",
        epilog=example("mixroom compare default --out runs/comparison --epsilon 8 --delta 1e-4"),
    )(compare)  # fmt: skip


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


def compare(
    scenario: Scenario,
    out: Out,
    seed: Seed = None,
    epsilon: Annotated[float, typer.Option(help="Epsilon of the private arm, per unit.")] = 8.0,
    delta: Annotated[float, typer.Option(help="Delta of the private arm.")] = 1e-4,
    rounds: Annotated[int, typer.Option(help="Rounds of each federated arm; 0: the default.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Train one world centralised, alone, federated, securely and privately; measure each against the truth."""
    from simulations.comparison import ComparisonSettings
    from simulations.scenario import load_scenario

    require_directory(out)
    _require_no_half_comparison(out)
    if not (epsilon > 0 and 0 < delta < 1):
        raise UsageError(
            f"--epsilon {epsilon:g} --delta {delta:g} cannot be met",
            hint="epsilon above 0, delta between 0 and 1, for example --epsilon 8 --delta 1e-4",
        )
    loaded = load_scenario(scenario, seed=seed)
    _print(
        _run(loaded, out, ComparisonSettings(epsilon, delta, rounds), again=f"delete {out}, then "), as_json
    )


def demo(out: Out = Path("runs/demo"), seed: Seed = None, as_json: AsJson = False) -> None:
    """Five business units train one model together; a report says what each channel did and what privacy cost.

    An earlier demo in the same directory is replaced; a directory with anything else is left alone.
    """
    from simulations.comparison import ComparisonSettings
    from simulations.demo import fresh_directory
    from simulations.scenario import load_scenario

    require_directory(out)
    directory = fresh_directory(out)
    _print(_run(load_scenario("demo", seed=seed), directory, ComparisonSettings()), as_json)
    say(f"next, your own data: mixroom silo check FILE (examples in {directory}/world, docs/data-format.md)")


def _run(scenario: ScenarioFile, out: Path, settings: ComparisonSettings, *, again: str = "") -> Comparison:
    from simulations.comparison import compare as run_comparison

    try:
        return run_comparison(scenario, out, settings, say=say)
    except KeyboardInterrupt as error:
        raise Interrupted(
            "interrupted; there is no comparison yet", hint=f"{again}run the same command again"
        ) from error


def _require_no_half_comparison(out: Path) -> None:
    if (out / "runs").is_dir() and not (out / "comparison.json").exists():
        raise UsageError(
            f"{out} holds a comparison that was not finished; nothing was changed",
            hint="choose another --out, or delete it",
        )


def _print(comparison: Comparison, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "directory": str(comparison.directory),
                "report": str(comparison.report),
                "arms": [asdict(arm) for arm in comparison.arms],
                "truth": [asdict(row) for row in comparison.truth],
            }
        )
    else:
        header = ["", "nRMSE", "MAPE", "share error (pts)", "channel error", "total media"]
        typer.echo(table([*header, "epsilon", "seconds", "kB/silo"], [_row(arm) for arm in comparison.arms]))
    say(f"the report: {comparison.report}")


def _row(arm: ArmRow) -> list[str]:
    return [
        arm.name,
        f"{arm.nrmse:.4f}",
        f"{arm.mape:.1%}",
        f"{arm.share_error_points:.2f}",
        f"{arm.mean_relative_error:.1%}",
        f"{arm.total_media_error:+.1%}",
        "-" if arm.epsilon is None else f"{arm.epsilon:g}",
        f"{arm.seconds:.1f}",
        "-" if arm.bytes_per_silo != arm.bytes_per_silo else f"{arm.bytes_per_silo / 1000:.0f}",
    ]
