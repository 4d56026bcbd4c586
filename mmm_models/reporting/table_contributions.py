"""The table behind contributions and returns: every channel, with intervals and the known truth where there are any."""

import math
from collections.abc import Sequence

from mmm_models.reporting.figure import Cell, Column, Table
from mmm_models.reporting.interval_words import has_intervals, interval_name
from mmm_models.reporting.number_format import amount, decimal, percent, signed_percent
from mmm_models.reporting.report_input import ReportInput, TruthRow
from mmm_models.reporting.report_words import by_contribution, media_totals, outcome_unit
from mmm_models.results import ChannelResult


def contributions_table(report: ReportInput) -> Table:
    """Every channel, then all media and what is left to the baseline."""
    results, unit = report.results, outcome_unit(report.results)
    columns = [
        Column("Channel"),
        Column(f"Spend ({results.currency})" if results.currency else "Spend", amount),
    ]
    for column in (
        Column(f"Contribution ({unit})" if unit else "Contribution", amount),
        Column("Share", percent),
        Column("ROI", decimal),
        Column("Marginal ROI", decimal),
    ):
        columns.append(column)
        if has_intervals(results):
            columns.append(Column(interval_name(results), column.show, below=True))
    if report.truth:
        names = ("True share", "True ROI", "True marginal ROI", "Error")
        columns += map(Column, names, (percent, decimal, decimal, signed_percent))
    rows = tuple(
        _row(channel, report, report.truth_by_channel.get(channel.channel))
        for channel in by_contribution(results)
    )
    return Table(tuple(columns), rows, totals=_totals(report))


def _row(channel: ChannelResult, report: ReportInput, truth: TruthRow | None) -> tuple[Cell, ...]:
    spend = channel.spend if channel.spend > 0 else math.nan
    own = (
        *(channel.channel, spend),
        *_measures(
            report,
            (channel.contribution, channel.share, channel.roi, channel.marginal_roi),
            (
                channel.contribution_interval,
                channel.share_interval,
                channel.roi_interval,
                channel.marginal_roi_interval,
            ),
        ),
    )
    if not report.truth:
        return own
    if truth is None:
        return (*own, None, None, None, None)
    return (
        *own,
        truth.share,
        truth.roi,
        truth.marginal_roi,
        _relative(channel.contribution, truth.contribution),
    )


def _measures(report: ReportInput, values: Sequence[Cell], intervals: Sequence[Cell]) -> tuple[Cell, ...]:
    """Each value, followed by its interval where the run has any."""
    if not has_intervals(report.results):
        return tuple(values)
    return tuple(cell for pair in zip(values, intervals, strict=True) for cell in pair)


def _totals(report: ReportInput) -> tuple[tuple[Cell, ...], ...]:
    results, media = report.results, media_totals(report.results)
    rest = results.outcome - media.contribution
    none = ("",) * 4
    first = (
        *("All media", media.spend),
        *_measures(report, (media.contribution, media.share, media.roi, ""), none),
    )
    second = ("Baseline and controls", "", *_measures(report, (rest, 1.0 - media.share, "", ""), none))
    if not report.truth:
        return first, second
    true_share = sum(row.share for row in report.truth)
    true_total = sum(row.contribution for row in report.truth)
    error = _relative(media.contribution, true_total)
    return (*first, true_share, "", "", error), (*second, 1.0 - true_share, "", "", "")


def _relative(value: float, truth: float) -> float:
    return value / truth - 1.0 if truth > 0 else math.nan
