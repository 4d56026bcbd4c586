"""`mixroom compare` and `demo`: one known-truth world trained in every way, each measured against the truth."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
import typer

from mixroom.cli_help import Command, example
from mixroom.cli_room_demo import tell_room_story
from mixroom.cli_world import Out, Scenario, Seed
from mixroom.errors import Interrupted, UsageError
from mixroom.output import AsJson, print_json, say, table
from mixroom.silo_paths import require_directory
from mmm_models.peers.registry import FAMILIES

if TYPE_CHECKING:
    from mmm_models.reporting.report_input import ArmRow
    from simulations.comparison import Comparison
    from simulations.comparison_settings import ComparisonSettings
    from simulations.scenario import Scenario as ScenarioFile

USUAL_EPSILON = 8.0
DEMO_EPSILON = 2.0
PRIVACY = click.Choice(["none", "central", "local", "distributed"])


def add_demo(app: typer.Typer) -> None:
    """Mount the demo, which stands first."""
    app.command(
        cls=Command, short_help="Business units train one model, partners meet in a clean room; two minutes.",
        epilog=example("mixroom demo"),
    )(demo)  # fmt: skip


def add_commands(app: typer.Typer) -> None:
    """Mount the other command on the root."""
    app.command(
        cls=Command, short_help="Train one known world in every way; measure each against the truth.",
        epilog=example("mixroom compare default --out runs/noise --epsilon 1 --epsilon 8 --repeat 3"),
    )(compare)  # fmt: skip


def compare(
    scenario: Scenario,
    out: Out,
    seed: Seed = None,
    epsilon: Annotated[
        list[float] | None,
        typer.Option(help="Privacy loss per unit; name it again for more. [default: 8]", show_default=False),
    ] = None,
    delta: Annotated[float, typer.Option(help="Chance that epsilon does not hold.")] = 1e-4,
    privacy: Annotated[
        list[str] | None,
        typer.Option(
            click_type=PRIVACY,
            help="Noise to compare, again for more: each silo's own, shared among silos, or a trusted "
            "curator's. [default: local and distributed]",
            show_default=False,
        ),
    ] = None,
    repeat: Annotated[int, typer.Option(help="Runs with each noise, which is random.", metavar="N")] = 1,
    rounds: Annotated[
        int, typer.Option(help="Rounds of each federated run; 0: the usual.", min=0, metavar="N")
    ] = 0,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Another model on pooled data, again for more: {', '.join(FAMILIES)}.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train one world centralised, alone, federated, in secure sums and with noise; measure each against the truth."""
    from simulations.scenario import load_scenario

    require_directory(out)
    _require_no_half_comparison(out)
    settings = _settings(epsilon, privacy, delta=delta, repeat=repeat, rounds=rounds, models=model)
    loaded = load_scenario(scenario, seed=seed)
    _print(_run(loaded, out, settings, again=f"delete {out}, then "), as_json)


def demo(out: Out = Path("runs/demo"), seed: Seed = None, as_json: AsJson = False) -> None:
    """Five business units train one model together, then three partners measure one campaign in a clean room.

    Reports say what each channel did, what the campaign added, and what privacy cost. An earlier demo in the same
    directory is replaced; a directory with anything else is left alone.
    """
    from simulations.comparison_settings import ComparisonSettings, noise_kinds
    from simulations.demo import fresh_directory
    from simulations.scenario import load_scenario

    require_directory(out)
    directory = fresh_directory(out)
    settings = ComparisonSettings((DEMO_EPSILON,), kinds=noise_kinds(["distributed"]))
    _print(_run(load_scenario("demo", seed=seed), directory, settings), as_json)
    say("next chapter, the clean room: three partners measure one campaign")
    room = fresh_directory(directory / "room")
    story = tell_room_story(room, seed=1 if seed is None else seed, quiet=as_json)
    say(f"the clean room's report: {story.report}")
    say(f"next, your own data: mixroom silo check FILE (examples in {directory}/world, docs/data-format.md)")


def _settings(
    epsilons: list[float] | None,
    privacy: list[str] | None,
    *,
    delta: float,
    repeat: int,
    rounds: int,
    models: list[str] | None,
) -> ComparisonSettings:
    """The flags as settings. Raises UsageError; nothing was started."""
    from simulations.comparison_settings import ComparisonSettings, noise_kinds
    from simulations.errors import ComparisonInvalid

    if privacy == ["none"] and (epsilons or repeat != 1):
        raise UsageError(
            "--epsilon and --repeat need noise", hint="add --privacy distributed, or leave --privacy out"
        )
    try:
        kinds = noise_kinds(privacy or ["local", "distributed"])
        return ComparisonSettings(epsilons or (USUAL_EPSILON,), delta, rounds, kinds, repeat, models or ())
    except ComparisonInvalid as error:
        raise UsageError(str(error), hint=error.hint) from error


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
    from mmm_models.reporting.figure_noise import noise_insight
    from mmm_models.reporting.noise_costs import compares_noise, mean_of_runs, noise_costs

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
        rows = [_row(arm) for arm in mean_of_runs(comparison.arms)]
        typer.echo(table([*header, "epsilon", "seconds", "kB/silo"], rows))
    if compares_noise(comparison.arms):
        say(noise_insight(noise_costs(comparison.arms)))
    say(f"the report: {comparison.report}")


def _row(arm: ArmRow) -> list[str]:
    epsilon = "-" if arm.epsilon is None else f"{arm.epsilon:g}"
    if arm.failure:
        return [arm.name, "no model", "-", "-", "-", "-", epsilon, "-", "-"]
    return [
        arm.name,
        f"{arm.nrmse:.4f}",
        f"{arm.mape:.1%}",
        f"{arm.share_error_points:.2f}",
        f"{arm.mean_relative_error:.1%}",
        f"{arm.total_media_error:+.1%}",
        epsilon,
        f"{arm.seconds:.1f}",
        "-" if arm.bytes_per_silo != arm.bytes_per_silo else f"{arm.bytes_per_silo / 1000:.0f}",
    ]
