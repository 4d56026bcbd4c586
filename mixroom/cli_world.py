"""`mixroom world`, `compare` and `demo`: everything that runs on a known-truth world."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from mixroom.output import AsJson, print_json, say, table

Scenario = Annotated[str, typer.Argument(help="A built-in scenario or a TOML file.")]
Seed = Annotated[int | None, typer.Option(help="Replace the scenario's seed.")]
Out = Annotated[Path, typer.Option(help="Directory to write.")]


def add_commands(app: typer.Typer) -> None:
    """Mount the commands on the root."""
    app.command()(world)
    app.command()(compare)
    app.command()(demo)


def world(scenario: Scenario, out: Out, seed: Seed = None, as_json: AsJson = False) -> None:
    """Write a world's silo files and the truth behind them.

    Example: mixroom world default --out worlds/default
    """
    from simulations.scenario import load_scenario
    from simulations.world import make_world
    from simulations.world_files import write_world

    made = make_world(load_scenario(scenario, seed=seed))
    files = write_world(made, out)
    truth = made.channel_truths()
    if as_json:
        specs = [str(path) for path in files.specs]
        print_json({"specs": specs, "truth": str(files.truth), "channels": [asdict(row) for row in truth]})
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
    rounds: Annotated[int, typer.Option(help="Rounds of each federated arm; 0 for the default.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Train one world centralised, alone, federated, securely and privately; measure each against the truth.

    Example: mixroom compare default --out runs/comparison --epsilon 8 --delta 1e-4
    """
    from simulations.comparison import ComparisonSettings
    from simulations.comparison import compare as run_comparison
    from simulations.scenario import load_scenario

    settings = ComparisonSettings(epsilon, delta, rounds)
    _print_comparison(run_comparison(load_scenario(scenario, seed=seed), out, settings, say=say), as_json)


def demo(
    out: Out = Path("runs/demo"),
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Five business units train one model together; a report says what each channel did and what privacy cost.

    Example: mixroom demo
    """
    from simulations.comparison import ComparisonSettings
    from simulations.comparison import compare as run_comparison
    from simulations.demo import fresh_directory
    from simulations.scenario import load_scenario

    directory = fresh_directory(out)
    comparison = run_comparison(load_scenario("demo", seed=seed), directory, ComparisonSettings(), say=say)
    _print_comparison(comparison, as_json)
    say(f"the report: {comparison.report}")
    say(
        f"your own data next: mixroom silo check FILE (see docs/data-format.md; examples in {directory}/world)"
    )


def _print_comparison(comparison, as_json: bool) -> None:  # type: ignore[no-untyped-def]
    if as_json:
        arms, truth = [asdict(arm) for arm in comparison.arms], [asdict(row) for row in comparison.truth]
        print_json(
            {
                "directory": str(comparison.directory),
                "report": str(comparison.report),
                "arms": arms,
                "truth": truth,
            }
        )
        return
    header = [
        "",
        "nRMSE",
        "MAPE",
        "share error (pts)",
        "channel error",
        "total media",
        "epsilon",
        "seconds",
        "kB/silo",
    ]
    rows = [
        [
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
        for arm in comparison.arms
    ]
    typer.echo(table(header, rows))
