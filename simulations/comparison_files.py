"""What a comparison leaves on disk: the run it shows in full, tables of all arms, picture and report."""

import csv
import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path

from mmm_models.reporting.figures import noise_figure
from mmm_models.reporting.noise_costs import compares_noise, noise_costs
from mmm_models.reporting.report_files import (
    About,
    read_report_input,
    write_about,
    write_comparison,
    write_report,
)
from mmm_models.reporting.report_input import ArmRow, TruthRow
from simulations.scenario import Scenario
from simulations.world import ChannelTruth

FILES_OF_A_RUN = (
    "results.json", "contributions.csv", "response_curves.csv", "holdout.json", "privacy.json",
    "metrics.csv", "model.json", "planning.json", "run.json", "events.jsonl",
)  # fmt: skip
ARMS_TABLE, NOISE_TABLE, NOISE_PICTURE = "comparison.csv", "noise_costs.csv", "noise_costs.svg"
NOISE_COLUMNS = (
    "privacy", "epsilon", "runs", "finished",
    "share_error_points", "share_error_points_lowest", "share_error_points_highest",
    "nrmse", "nrmse_lowest", "nrmse_highest", "mean_relative_error",
    "extra_share_error_points", "extra_nrmse",
)  # fmt: skip

Cell = str | float | None


def write_comparison_files(
    scenario: Scenario,
    directory: Path,
    shown: Path,
    *,
    arms: Sequence[ArmRow],
    truth: Sequence[ChannelTruth],
) -> Path:
    """Write everything; `shown` is the run whose results the report is about. The report's path."""
    for name in FILES_OF_A_RUN:
        shutil.copyfile(shown / name, directory / name)
    rows = tuple(TruthRow(t.name, t.contribution, t.share, t.roi, t.marginal_roi) for t in truth)
    write_comparison(rows, arms, directory)
    _write_arms(arms, [row.name for row in truth], directory / ARMS_TABLE)
    write_about(_about(scenario, shown), directory)
    if compares_noise(arms):
        _write_noise_costs(arms, directory / NOISE_TABLE)
        picture = noise_figure(read_report_input(directory)).svg
        (directory / NOISE_PICTURE).write_text(picture, encoding="utf-8")
    return write_report(directory)


def _about(scenario: Scenario, shown: Path) -> About:
    stored = json.loads((shown / "about.json").read_text(encoding="utf-8"))
    return About(
        title=f"Marketing mix across {scenario.silos} business units",
        subtitle=f"Known-truth world {scenario.name!r}, seed {scenario.seed}: {scenario.silos} silos, one model",
        settings=tuple((label, value) for label, value in stored["settings"]),
        notes=tuple(stored["notes"]),
    )


def _write_arms(arms: Sequence[ArmRow], channels: Sequence[str], path: Path) -> None:
    plain = [field.name for field in fields(ArmRow) if field.name != "channel_errors"]
    header = [*plain, *(f"error_{name}" for name in channels)]
    _write_table(
        header,
        ([*(getattr(arm, name) for name in plain), *map(arm.channel_errors.get, channels)] for arm in arms),
        path,
    )


def _write_noise_costs(arms: Sequence[ArmRow], path: Path) -> None:
    costs = noise_costs(arms)
    rows = (
        (
            *(row.privacy, row.epsilon, row.runs, row.finished),
            *(row.share_error_points.mean, row.share_error_points.lowest, row.share_error_points.highest),
            *(row.nrmse.mean, row.nrmse.lowest, row.nrmse.highest, row.mean_relative_error.mean),
            *(costs.extra_points(row), costs.extra_nrmse(row.nrmse.mean)),
        )
        for row in costs.rows
    )
    _write_table(NOISE_COLUMNS, rows, path)


def _write_table(header: Sequence[str], rows: Iterable[Sequence[Cell]], path: Path) -> None:
    """What is not a number is an empty cell."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(["" if v is None or v != v else v for v in row] for row in rows)
