"""The comparison users come for: one world, trained in every way, each measured against the truth."""

import csv
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mmm_models.errors import ScalesUnknown, TotalsLost
from mmm_models.panel import Panel
from mmm_models.panel_io import load_panel
from mmm_models.peers.registry import family
from mmm_models.reporting.report_input import ArmRow
from mmm_models.reporting.result_files import read_results
from mmm_models.stored_model import load_model
from simulations.arms import Measured, arm_row, lost_arm_row, measure_alone, measure_federated, measure_pooled
from simulations.comparison_files import write_comparison_files
from simulations.comparison_settings import ComparisonSettings
from simulations.errors import OutputNotEmpty
from simulations.federated_arms import WITHOUT_NOISE, FederatedArm, NoiseKind
from simulations.federation import train_in_process
from simulations.fresh_silos import fresh_silos, write_curator
from simulations.scenario import Scenario
from simulations.world import ChannelTruth, World, make_world
from simulations.world_files import write_world

Say = Callable[[str], None]
# Whose run the report shows in full: at the epsilon named first, the first of these that was trained and ended well.
SHOWN = (NoiseKind.DISTRIBUTED, NoiseKind.LOCAL, NoiseKind.CENTRAL)


@dataclass(frozen=True)
class Comparison:
    """Where the comparison was written, its arms and the truth they are measured against."""

    directory: Path
    arms: tuple[ArmRow, ...]
    truth: tuple[ChannelTruth, ...]
    report: Path


@dataclass(frozen=True, eq=False)
class _Bench:
    """What every arm is trained on and measured against."""

    world: World
    directory: Path
    specs: tuple[Path, ...]
    panels: tuple[Panel, ...]
    truth: tuple[ChannelTruth, ...]
    say: Say


def compare(scenario: Scenario, directory: Path, settings: ComparisonSettings, *, say: Say) -> Comparison:
    """Make the world's files, train every arm from them, write tables and the report into `directory`.

    A run whose noise leaves nothing to train on is an arm that says so, not the end of the comparison.
    """
    if (directory / "comparison.json").exists():
        raise OutputNotEmpty(directory)
    bench = _set_up(scenario, directory, say)
    rows = [
        _local_arm("centralised", measure_pooled, bench),
        _local_arm("each silo alone", measure_alone, bench),
    ]
    finished: list[FederatedArm] = []
    for arm in settings.federated_arms:
        row = _federated_arm(arm, bench, rounds=settings.rounds)
        rows.append(row)
        finished += [] if row.failure else [arm]
    for name in settings.peers:
        rows.append(_local_arm(name, partial(measure_pooled, family=family(name)), bench))
    shown = directory / "runs" / _shown(finished, settings).folder
    report = write_comparison_files(scenario, directory, shown, arms=rows, truth=bench.truth)
    return Comparison(directory, tuple(rows), bench.truth, report)


def _set_up(scenario: Scenario, directory: Path, say: Say) -> _Bench:
    say(
        f"making the world {scenario.name!r}: {scenario.silos} silos, {scenario.weeks} weeks, seed {scenario.seed}"
    )
    world = make_world(scenario)
    specs = write_world(world, directory / "world").specs
    panels = tuple(load_panel(spec).panel for spec in specs)
    return _Bench(world, directory, specs, panels, world.channel_truths(), say)


def _local_arm(name: str, measure: Callable[[Sequence[Panel], int], Measured], bench: _Bench) -> ArmRow:
    bench.say(f"training: {name}")
    return arm_row(name, measure(bench.panels, bench.world.scenario.holdout_weeks), bench.truth)


def _federated_arm(arm: FederatedArm, bench: _Bench, *, rounds: int) -> ArmRow:
    run = arm.settings(bench.directory / "runs" / arm.folder, bench.world.scenario, rounds=rounds)
    specs = _silos_of(arm, bench)
    bench.say(f"training: {arm.folder} ({run.planned_rounds} rounds)")
    began = time.perf_counter()
    try:
        directory = train_in_process(specs, run)
    except (ScalesUnknown, TotalsLost) as error:
        if arm.noise is None:
            raise
        bench.say(f"{arm.folder} ended without a model: {error}")
        return lost_arm_row(arm.name, arm.noise, str(error))
    seconds = time.perf_counter() - began
    measured = measure_federated(
        read_results(directory), load_model(directory), bench.panels, seconds=seconds
    )
    return arm_row(arm.name, measured, bench.truth, noise=arm.noise, bytes_per_silo=_bytes_sent(directory))


def _silos_of(arm: FederatedArm, bench: _Bench) -> tuple[Path, ...]:
    """Private runs charge a ledger: each has silos of its own."""
    if arm.noise is None:
        return bench.specs
    directory = bench.directory / "silos" / arm.folder
    if arm.noise.kind is not NoiseKind.CENTRAL:
        return fresh_silos(bench.specs, directory)
    return (write_curator(bench.world, directory),)


def _bytes_sent(directory: Path) -> float:
    """Bytes one silo sent in all rounds."""
    with (directory / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return sum(float(row["bytes_per_silo"]) for row in csv.DictReader(file))


def _shown(finished: Sequence[FederatedArm], settings: ComparisonSettings) -> FederatedArm:
    """Without any noise that ended well, masked sums."""
    for kind in SHOWN:
        for arm in finished:
            if arm.noise and (arm.noise.kind, arm.noise.epsilon) == (kind, settings.epsilons[0]):
                return arm
    return WITHOUT_NOISE[-1]
