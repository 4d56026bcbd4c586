"""What a finished run says on the terminal: its results, what they cannot tell, and the silos that were left out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mixroom.output import print_json, say, table

if TYPE_CHECKING:
    from mmm_models.results import ChannelResult, ExperimentCheck, Interval, Results


def show_results(directory: Path, as_json: bool) -> None:
    """Print what the run found; the same numbers as in its files."""
    from mmm_models.reporting.result_files import read_results

    if as_json:
        print_json({"run": str(directory), **stored_results(directory)})
        return
    results = read_results(directory)
    typer.echo(_channel_table(results))
    experiments = map(_experiment_line, results.experiments)
    for line in (*_interval_line(results), *_finding_lines(results), *experiments):
        say(line)
    if results.holdout.weeks:
        fit = results.holdout
        fit_line = f"nRMSE {fit.nrmse:.4f}, MAPE {fit.mape:.1%} over {fit.units:.0f} units"
        say(f"hold-out ({fit.weeks} weeks): {fit_line}")
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


def _channel_table(results: Results) -> str:
    """One row per channel; intervals stand behind their numbers where there are any.

    Shares have none here: theirs are those of contributions, divided by the outcome.
    """
    bounded = math.isfinite(results.interval_level)
    interval = ["interval"] if bounded else []
    header = ["channel", "contribution", *interval, "share", "ROI", *interval, "marginal ROI", *interval]
    return table(header, [_row(channel, bounded) for channel in results.channels])


def _row(channel: ChannelResult, bounded: bool) -> list[str]:
    from mmm_models.reporting.number_format import amount, decimal

    contribution = between(channel.contribution_interval, amount)
    roi = between(channel.roi_interval, decimal)
    marginal_roi = between(channel.marginal_roi_interval, decimal)
    return [
        *(channel.channel, f"{channel.contribution:,.0f}", *([contribution] if bounded else [])),
        *(f"{channel.share:.2%}", _ratio(channel.roi), *([roi] if bounded else [])),
        *(_ratio(channel.marginal_roi), *([marginal_roi] if bounded else [])),
    ]


def between(interval: Interval, show: Callable[[float | None], str]) -> str:
    """As in reports, in plain ASCII: `4.51-6.28 M`."""
    from mmm_models.reporting.number_format import SPACE, span

    text = span(interval.low, interval.high, show) or "-"
    return text.replace("\N{MINUS SIGN}", "-").replace("\N{EN DASH}", "-").replace(SPACE, " ")


def _interval_line(results: Results) -> Iterator[str]:
    if math.isfinite(results.interval_level):
        yield f"intervals are {results.interval_level:.0%} intervals, if the model's form is right"


def _finding_lines(results: Results) -> Iterator[str]:
    """What the data cannot tell, a line each; contradicting experiments say so in lines of their own."""
    from mmm_models.experiments.contradiction import CONTRADICTION

    found = [finding for finding in results.findings if finding.code != CONTRADICTION]
    for finding in found:
        yield f"{finding.severity}: {' '.join(finding.text.split())}"
    if found:
        yield "what to do about it: the report, or --json"


def _experiment_line(check: ExperimentCheck) -> str:
    from mmm_models.reporting.experiment_words import source

    said = f"{check.before:,.0f} without it"
    said += f" and {check.after:,.0f} with it" if check.used else ", and was not calibrated with it"
    measured = f"measured {check.lift:,.0f}, standard error {check.standard_error:,.0f}"
    what = f"{source(check)} ({check.channel})"
    verdict = "they agree" if check.agrees else "they contradict each other"
    return f"experiment {what}: {measured}; the model says {said}; {verdict}"


def _ratio(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}"
