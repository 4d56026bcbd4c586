"""The comparison users come for: one world, trained in every way, each measured against the truth."""

import csv
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from mmm_models.panel import Panel
from mmm_models.panel_io import load_panel
from mmm_models.reporting.report_files import About, write_about, write_comparison, write_report
from mmm_models.reporting.report_input import ArmRow, TruthRow
from mmm_models.reporting.result_files import read_results
from mmm_models.stored_model import load_model
from privacy.run_terms import PrivacyMode, SecureAggregation
from server.settings import RunSettings
from simulations.arms import Measured, arm_row, measure_alone, measure_federated, measure_pooled
from simulations.errors import OutputNotEmpty
from simulations.federation import train_in_process
from simulations.scenario import Scenario
from simulations.world import ChannelTruth, make_world
from simulations.world_files import write_world

Say = Callable[[str], None]
PLAIN, SECURE, PRIVATE = "federated", "federated-secure", "federated-secure-private"
FILES_OF_THE_MAIN_RUN = (
    "results.json", "contributions.csv", "response_curves.csv", "holdout.json", "privacy.json",
    "metrics.csv", "model.json", "run.json", "events.jsonl",
)  # fmt: skip


@dataclass(frozen=True)
class ComparisonSettings:
    """What to compare: `epsilon` and `delta` of the private arm, rounds of every federated arm (0: default)."""

    epsilon: float = 8.0
    delta: float = 1e-4
    rounds: int = 0

    def run(self, directory: Path, scenario: Scenario, *, masks: bool, private: bool) -> RunSettings:
        """One federated arm's settings."""
        chosen = RunSettings(
            out=str(directory),
            seed=scenario.seed,
            holdout_weeks=scenario.holdout_weeks,
            weeks=scenario.weeks,
            secure_aggregation=SecureAggregation.MASKS if masks else SecureAggregation.NONE,
            privacy=PrivacyMode.LOCAL if private else PrivacyMode.NONE,
            epsilon=self.epsilon if private else 0.0,
            delta=self.delta if private else 0.0,
        )
        return chosen.model_copy(update={"rounds": self.rounds}) if self.rounds else chosen


@dataclass(frozen=True)
class Comparison:
    """Where the comparison was written, its arms and the truth they are measured against."""

    directory: Path
    arms: tuple[ArmRow, ...]
    truth: tuple[ChannelTruth, ...]
    report: Path


def compare(scenario: Scenario, directory: Path, settings: ComparisonSettings, *, say: Say) -> Comparison:
    """Make the world's files, train every arm from them, write tables and the report into `directory`."""
    if (directory / "comparison.json").exists():
        raise OutputNotEmpty(directory)
    say(
        f"making the world {scenario.name!r}: {scenario.silos} silos, {scenario.weeks} weeks, seed {scenario.seed}"
    )
    world = make_world(scenario)
    truth = world.channel_truths()
    specs = write_world(world, directory / "world").specs
    panels = tuple(load_panel(spec).panel for spec in specs)
    arms = [
        _local_arm("centralised", measure_pooled, panels, scenario, truth, say),
        _local_arm("each silo alone", measure_alone, panels, scenario, truth, say),
    ]
    plans = (
        ("federated", PLAIN, False, False),
        ("+ secure aggregation", SECURE, True, False),
        ("+ differential privacy", PRIVATE, True, True),
    )
    for name, folder, masks, private in plans:
        run = settings.run(directory / "runs" / folder, scenario, masks=masks, private=private)
        arms.append(_federated_arm(name, run, specs, panels, truth, say))
    return _write(scenario, directory, tuple(arms), truth)


def _local_arm(
    name: str,
    measure: Callable[[Sequence[Panel], int], Measured],
    panels: tuple[Panel, ...],
    scenario: Scenario,
    truth: tuple[ChannelTruth, ...],
    say: Say,
) -> ArmRow:
    say(f"training: {name}")
    return arm_row(name, measure(panels, scenario.holdout_weeks), truth)


def _federated_arm(
    name: str,
    run: RunSettings,
    specs: tuple[Path, ...],
    panels: tuple[Panel, ...],
    truth: tuple[ChannelTruth, ...],
    say: Say,
) -> ArmRow:
    say(f"training: {run.directory.name} ({run.planned_rounds} rounds)")
    began = time.perf_counter()
    directory = train_in_process(specs, run)
    seconds = time.perf_counter() - began
    measured = measure_federated(read_results(directory), load_model(directory), panels, seconds=seconds)
    return arm_row(name, measured, truth, epsilon=run.epsilon or None, bytes_per_silo=_bytes_sent(directory))


def _bytes_sent(directory: Path) -> float:
    """Bytes one silo sent in all rounds."""
    with (directory / "metrics.csv").open(newline="", encoding="utf-8") as file:
        return sum(float(row["bytes_per_silo"]) for row in csv.DictReader(file))


def _write(
    scenario: Scenario, directory: Path, arms: tuple[ArmRow, ...], truth: tuple[ChannelTruth, ...]
) -> Comparison:
    main = directory / "runs" / PRIVATE
    for name in FILES_OF_THE_MAIN_RUN:
        shutil.copyfile(main / name, directory / name)
    rows = tuple(TruthRow(t.name, t.contribution, t.share, t.roi, t.marginal_roi) for t in truth)
    write_comparison(rows, arms, directory)
    _write_table(arms, directory / "comparison.csv")
    stored = json.loads((main / "about.json").read_text(encoding="utf-8"))
    about = About(
        title=f"Marketing mix across {scenario.silos} business units",
        subtitle=f"Known-truth world {scenario.name!r}, seed {scenario.seed}: {scenario.silos} silos, one model",
        settings=tuple((label, value) for label, value in stored["settings"]),
        notes=tuple(stored["notes"]),
    )
    write_about(about, directory)
    return Comparison(directory, arms, truth, write_report(directory))


def _write_table(arms: tuple[ArmRow, ...], path: Path) -> None:
    channels = list(arms[0].channel_errors)
    plain = [field.name for field in fields(ArmRow) if field.name != "channel_errors"]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*plain, *(f"error_{name}" for name in channels)])
        for arm in arms:
            values = [getattr(arm, name) for name in plain]
            writer.writerow(
                [*("" if v is None or v != v else v for v in values), *arm.channel_errors.values()]
            )
