"""What a finished run says on the terminal: its results, and the silos that were left out."""

import json
from pathlib import Path
from typing import Any

import typer

from mixroom.output import print_json, say, table


def show_results(directory: Path, as_json: bool) -> None:
    """Print what the run found; the same numbers as in its files."""
    results = stored_results(directory)
    holdout = results["holdout"]
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
    if holdout["weeks"]:
        fit_line = (
            f"nRMSE {holdout['nrmse']:.4f}, MAPE {holdout['mape']:.1%} over {holdout['units']:.0f} units"
        )
        say(f"hold-out ({holdout['weeks']} weeks): {fit_line}")
    say(f"the report: {directory / 'report.html'}")


def tell_failures(directory: Path) -> None:
    """Silos that were left out of sums, in their own words; a run with failures must not look like one without."""
    events = (json.loads(line) for line in (directory / "events.jsonl").read_text("utf-8").splitlines())
    failures = [(e["silo"], e["reason"]) for e in events if e["event"] == "silo_failed"]
    for silo, reason in sorted(set(failures)):
        say(f"{silo} was left out of {failures.count((silo, reason))} sums: {' '.join(reason.split())}")


def stored_results(directory: Path) -> dict[str, Any]:
    """`results.json` as it stands."""
    return dict(json.loads((directory / "results.json").read_text(encoding="utf-8")))


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
