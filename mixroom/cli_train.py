"""`mixroom fit`, `train` and `report`: models from silo files."""

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import click
import typer

from mixroom.cli_help import Command, example
from mixroom.errors import Interrupted
from mixroom.output import AsJson, print_json, say
from mixroom.run_output import show_results, stored_results, tell_failures
from mixroom.run_start import forget_unstarted
from mixroom.silo_paths import refuse_bad_data, require_directory, silo_files
from mixroom.train_flags import (
    aggregation_for,
    enclave_for,
    more_settings,
    require_known_models,
    require_neural,
    require_whole_privacy,
)
from mmm_models.peers.registry import FAMILIES, NEURAL

Specs = Annotated[list[Path], typer.Argument(help="Silo files (TOML), one per silo.")]
Out = Annotated[Path, typer.Option(help="Run directory to write.")]
Holdout = Annotated[int, typer.Option(help="Last weeks for testing; a quarter at most.", min=0, metavar="N")]
Synergy = Annotated[bool, typer.Option("--synergy", help="Let channels reinforce each other.")]
Waves = Annotated[int, typer.Option(help="Slow waves of each effect over time.", min=0, max=6, metavar="N")]
Lifts = Annotated[Path | None, typer.Option(help="Lift file (TOML): experiments to calibrate with.")]
Model = Annotated[str, typer.Option(help=f"{', '.join(FAMILIES)}.", metavar="NAME")]
Holidays = Annotated[str, typer.Option(help="Add public holidays of a country, such as DE.", metavar="CODE")]
More = Annotated[
    list[str], typer.Option("--set", metavar="KEY=VALUE", help="Any other setting of docs/settings.md.")
]
USUAL_STEPS = 300


def add_commands(app: typer.Typer) -> None:
    """Mount the commands on the root."""
    app.command(cls=Command, epilog=example("mixroom fit north.toml south.toml --out runs/pooled"))(fit)
    private = "mixroom train silos/*.toml --out runs/first --privacy distributed --epsilon 1 --delta 1e-4"
    app.command(cls=Command, epilog=example(private))(train)
    app.command(cls=Command, epilog=example("mixroom report runs/first"))(report)


def fit(
    specs: Specs,
    out: Out,
    model: Model = NEURAL,
    holdout_weeks: Holdout = 24,
    steps: Annotated[int, typer.Option(help="Training steps.", min=1)] = USUAL_STEPS,
    synergy: Synergy = False,
    effect_waves: Waves = 0,
    lift: Lifts = None,
    holidays: Holidays = "",
    as_json: AsJson = False,
) -> None:
    """Fit one model on pooled data, no federation."""
    from mmm_models.errors import ModelError
    from mmm_models.spec import ModelSpec, TrainingSpec
    from simulations.pooled_run import PooledSettings, fit_pooled

    files = silo_files(specs)
    require_directory(out)
    require_known_models([model])
    neural_only = {"--steps": steps != USUAL_STEPS, "--synergy": synergy, "--effect-waves": effect_waves > 0}
    require_neural(model, {**neural_only, "--lift": lift is not None})
    spec, training = ModelSpec(synergy=synergy, effect_waves=effect_waves), TrainingSpec(steps=steps)
    settings = PooledSettings(files, out, holdout_weeks, spec, training, lift, model, holidays)
    try:
        directory = fit_pooled(settings, say=say)
    except ModelError as error:
        refuse_bad_data(files, error, again="run the same command again")
        raise
    show_results(directory, as_json)


def train(
    specs: Specs,
    out: Out,
    privacy: Annotated[
        Literal["none", "distributed", "local"],
        typer.Option(help="Who adds noise: all silos together, or each."),
    ] = "none",
    epsilon: Annotated[
        float, typer.Option(help="Privacy loss per unit, whole run.", show_default=False)
    ] = 0.0,
    delta: Annotated[
        float, typer.Option(help="Chance that epsilon does not hold.", show_default=False)
    ] = 0.0,
    secure_aggregation: Annotated[
        Literal["masks", "paillier", "none"] | None,
        typer.Option(help="masks by default."),
    ] = None,
    enclave: Annotated[
        bool, typer.Option("--enclave", help="Add up in the sandbox; silos check it before they send.")
    ] = False,
    strategy: Annotated[
        Literal["auto", "newton", "fedadam", "fedavg", "fedprox"],
        typer.Option(help="How the model is moved."),
    ] = "auto",
    rounds: Annotated[int, typer.Option(help="Rounds; 0: as many as usual.", min=0, metavar="N")] = 0,
    local_steps: Annotated[
        int, typer.Option(help="Steps in each silo per round; 0: usual.", min=0, metavar="N")
    ] = 0,
    holdout_weeks: Holdout = 24,
    on_failure: Annotated[
        Literal["exclude", "abort"], typer.Option(help="When a silo fails a round.")
    ] = "exclude",
    synergy: Synergy = False,
    effect_waves: Waves = 0,
    seed: Annotated[int, typer.Option(help="Recorded with the run.")] = 1,
    more: More = [],  # noqa: B006 (typer wants a list, nobody changes it)
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train one model across silos; only sums leave a silo."""
    files = silo_files(specs)
    flags: dict[str, Any] = {
        "out": str(out),
        "privacy": privacy,
        "epsilon": epsilon,
        "delta": delta,
        "secure-aggregation": aggregation_for(files, secure_aggregation),
        "enclave": enclave_for(files, asked=enclave),
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
    require_whole_privacy(privacy, epsilon, delta)
    show_results(_train(files, out, {**flags, **more_settings(more, flags)}), as_json)


def report(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    as_json: AsJson = False,
) -> None:
    """Write a run's report.html again from the files in its directory."""
    from mmm_models.reporting.report_files import write_report

    path = write_report(run)
    if as_json:
        print_json({"report": str(path), **stored_results(run)})
    else:
        typer.echo(str(path))


def _train(files: tuple[Path, ...], out: Path, settings: dict[str, Any]) -> Path:
    """Train, with what goes wrong said in terms of files and of this command."""
    from privacy.errors import EnclaveUnavailable
    from server.errors import ServerError
    from server.settings import parse_settings
    from simulations.federation import train_in_process

    require_directory(out)
    parsed = parse_settings(settings)
    try:
        directory = train_in_process(files, parsed)
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted; finished rounds are kept", hint=_how_to_go_on(out)) from error
    except (ServerError, EnclaveUnavailable) as error:
        forget_unstarted(out, files)
        with_resume = " with --resume" if (out / "run.json").exists() else " again"
        refuse_bad_data(files, error, again=f"run the same command{with_resume}")
        raise
    tell_failures(directory)
    return directory


def _how_to_go_on(out: Path) -> str:
    """The command that continues an interrupted run, ready to be copied."""
    given = click.get_current_context().find_root().obj or ("train",)
    again = shlex.join(["mixroom", *(word for word in given if word != "--resume")])
    return f"{again} --resume" if (out / "run.json").exists() else f"nothing had started; {again}"
