"""A run directory's report: what the page needs besides the results, written by whoever trained, read back here.

`privacy.json`, `comparison.json` and `about.json` are optional; metrics.csv is the training history.
"""

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mmm_models.errors import ModelError
from mmm_models.explaining.explained_run import explain_run, with_stored_plan
from mmm_models.planning.stored_basis import FILE_NAME
from mmm_models.reporting.plain_json import nan_to_null
from mmm_models.reporting.report_input import ArmRow, PrivacyBox, ReportInput, RoundPoint, TruthRow
from mmm_models.reporting.result_files import read_results

REPORT, ABOUT, PRIVACY, COMPARISON, METRICS = (
    "report.html",
    "about.json",
    "privacy.json",
    "comparison.json",
    "metrics.csv",
)


@dataclass(frozen=True)
class About:
    """What a report says about its run in words."""

    title: str
    subtitle: str
    settings: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def write_about(about: About, directory: Path) -> None:
    _write(directory / ABOUT, asdict(about))


def write_privacy(box: PrivacyBox, directory: Path) -> None:
    _write(directory / PRIVACY, asdict(box))


def write_comparison(truth: Sequence[TruthRow], arms: Sequence[ArmRow], directory: Path) -> None:
    _write(
        directory / COMPARISON,
        {"truth": [asdict(row) for row in truth], "arms": [asdict(arm) for arm in arms]},
    )


def write_report(directory: Path) -> Path:
    """Render `report.html` from the files in `directory`. Raises ModelError when it holds no results.

    A run of another family, or from before there was planning, is reported without what needs `planning.json`.
    """
    from mmm_models.reporting.report import (
        render,  # templates do not travel in a Flower bundle; what is written here does
    )

    path = directory / REPORT
    path.write_text(render(_explained(read_report_input(directory), directory)), encoding="utf-8")
    return path


def read_report_input(directory: Path) -> ReportInput:
    """Everything the page shows but the explanation, from the files in `directory`."""
    about = _about(_read(directory / ABOUT), directory)
    comparison = _read(directory / COMPARISON)
    return ReportInput(
        title=about.title,
        subtitle=about.subtitle,
        results=read_results(directory),
        privacy=_box(_read(directory / PRIVACY)),
        rounds=_rounds(directory / METRICS),
        truth=tuple(TruthRow(**row) for row in comparison.get("truth", [])),
        arms=tuple(_arm(row) for row in comparison.get("arms", [])),
        settings=about.settings,
        notes=about.notes,
    )


def _explained(report: ReportInput, directory: Path) -> ReportInput:
    if not (directory / FILE_NAME).exists():
        return report
    return replace(report, explained=with_stored_plan(explain_run(directory), directory))


def _about(stored: dict[str, Any], directory: Path) -> About:
    settings = tuple((str(label), str(value)) for label, value in stored.get("settings", []))
    title = stored.get("title", directory.resolve().name)
    return About(title, stored.get("subtitle", ""), settings, tuple(stored.get("notes", [])))


def _box(stored: dict[str, Any]) -> PrivacyBox | None:
    if not stored:
        return None
    return PrivacyBox(**{name: _tuples(value) for name, value in stored.items()})


def _tuples(value: Any) -> Any:
    """JSON has lists only."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _arm(row: dict[str, Any]) -> ArmRow:
    values: dict[str, Any] = {k: math.nan if v is None and k != "epsilon" else v for k, v in row.items()}
    return ArmRow(**values)


def _rounds(path: Path) -> tuple[RoundPoint, ...]:
    if not path.exists():
        return ()
    with path.open(newline="", encoding="utf-8") as file:
        rows = {int(row["round"]): row for row in csv.DictReader(file)}
    return tuple(
        RoundPoint(
            number,
            _number(rows[number]["loss"]),
            _number(rows[number]["nrmse"]),
            int(rows[number]["silos"]),
            float(rows[number]["seconds"]),
        )
        for number in sorted(rows)
    )


def _number(text: str) -> float | None:
    return float(text) if text else None


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is damaged; no report was written", hint="train again") from error
    return dict(stored)


def _write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(nan_to_null(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")
