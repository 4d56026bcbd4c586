"""A small well-behaved silo on disk, for tests that break one thing about it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mmm_models.intake.panel_report import CheckReport, Finding

WEEKS = 30
COLUMNS = {"week": "date", "unit": "store", "outcome": "sales"}


def good_frame(
    units: int = 2, weeks: int = WEEKS, first: str = "2024-01-01", freq: str = "7D"
) -> pd.DataFrame:
    """Units s0, s1, ..; sales 100 (u + 1) + t, tv spend t % 4, tv views 10 x spend, price 1 + t % 3."""
    t = np.tile(np.arange(weeks), units)
    u = np.repeat(np.arange(units), weeks)
    dates = pd.date_range(first, periods=weeks, freq=freq).strftime("%Y-%m-%d")
    return pd.DataFrame(
        {
            "date": np.tile(dates, units),
            "store": [f"s{i}" for i in u],
            "sales": 100.0 * (u + 1) + t,
            "tv_spend": (t % 4).astype(float),
            "tv_views": 10.0 * (t % 4),
            "radio_spend": ((t + 1) % 5).astype(float),
            "price": 1.0 + t % 3,
            "people": 1000.0 * (u + 1),
        }
    )


def good_spec() -> dict[str, Any]:
    return {
        "silo": "north",
        "data": {"path": "north.csv"},
        "columns": {**COLUMNS, "population": "people"},
        "channels": {"tv": {"spend": "tv_spend", "exposure": "tv_views"}, "radio": {"spend": "radio_spend"}},
        "controls": {"columns": ["price"]},
    }


def write_silo(folder: Path, frame: pd.DataFrame, spec: dict[str, Any] | None = None, **csv: Any) -> Path:
    """north.toml and north.csv in `folder`; returns the silo file."""
    frame.to_csv(folder / "north.csv", index=False, **csv)
    return write_spec(folder, spec or good_spec())


def write_spec(folder: Path, spec: dict[str, Any]) -> Path:
    path = folder / "north.toml"
    path.write_text(_toml(spec), encoding="utf-8")
    return path


def problem(report: CheckReport, code: str) -> Finding:
    """The one problem of that code; fails, showing all codes, when there is not exactly one."""
    found = [finding for finding in report.problems if finding.code == code]
    assert len(found) == 1, [finding.code for finding in report.problems]
    return found[0]


def note(report: CheckReport, code: str) -> Finding:
    found = [finding for finding in report.notes if finding.code == code]
    assert len(found) == 1, [finding.code for finding in report.notes]
    return found[0]


def _toml(table: dict[str, Any], prefix: str = "") -> str:
    """TOML of nested tables; JSON's strings, numbers, booleans and lists are TOML's."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += [f"[{prefix}{json.dumps(key)}]", _toml(value, f"{prefix}{json.dumps(key)}.")]
    return "\n".join(lines) + "\n"
