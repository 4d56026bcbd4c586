"""How much each channel contributed, with the known truth beside it where there is one."""

import math

from mmm_models.reporting.figure import Cell, Column, Figure, Table
from mmm_models.reporting.number_format import amount, count, decimal, percent, signed_percent, signed_points
from mmm_models.reporting.report_input import ReportInput, TruthRow
from mmm_models.reporting.report_words import (
    by_contribution,
    largest,
    media_totals,
    outcome_unit,
    outcome_word,
)
from mmm_models.reporting.svg_canvas import BLUE, GREY, MUTED, RULE, Canvas, Scale
from mmm_models.results import ChannelResult

WIDTH, ROW, TOP, BAR = 340.0, 22.0, 18.0, 12.0
NAME_WIDTH, PLOT_END = 90.0, 290.0


def contributions_figure(report: ReportInput) -> Figure:
    """Bars of contribution, largest first; shares at the right, truth as open diamonds."""
    insight = _insight(report)
    return Figure(_svg(report, insight), contributions_table(report), insight, _how_to_read(report))


def contributions_table(report: ReportInput) -> Table:
    """Every channel, then all media and what is left to the baseline."""
    results, unit = report.results, outcome_unit(report.results)
    columns = [
        Column("Channel"),
        Column(f"Spend ({results.currency})" if results.currency else "Spend", amount),
        Column(f"Contribution ({unit})" if unit else "Contribution", amount),
        Column("Share", percent),
        Column("ROI", decimal),
        Column("Marginal ROI", decimal),
    ]
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
    own: tuple[Cell, ...] = (channel.channel, spend, channel.contribution, channel.share)
    own += (channel.roi, channel.marginal_roi)
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


def _totals(report: ReportInput) -> tuple[tuple[Cell, ...], ...]:
    results, media = report.results, media_totals(report.results)
    rest = results.outcome - media.contribution
    first: tuple[Cell, ...] = ("All media", media.spend, media.contribution, media.share, media.roi, "")
    second: tuple[Cell, ...] = ("Baseline and controls", "", rest, 1.0 - media.share, "", "")
    if not report.truth:
        return first, second
    true_share = sum(row.share for row in report.truth)
    true_total = sum(row.contribution for row in report.truth)
    error = _relative(media.contribution, true_total)
    return (*first, true_share, "", "", error), (*second, 1.0 - true_share, "", "", "")


def _insight(report: ReportInput) -> str:
    results, most = report.results, largest(report.results)
    if most is None:
        return "No channel contributed anything that the model could tell from the baseline."
    total = amount(most.contribution, outcome_unit(results))
    word = outcome_word(results)
    sentence = f"{most.channel} contributed most: {total}, {percent(most.share)} of {word}"
    if len(results.channels) > 1:
        sentence += f"; all {len(results.channels)} channels together {percent(results.media_share)}"
    return f"{sentence}.{_truth_sentence(report)}"


def _truth_sentence(report: ReportInput) -> str:
    errors = {
        channel.channel: 100 * (channel.share - report.truth_by_channel[channel.channel].share)
        for channel in report.results.channels
        if channel.channel in report.truth_by_channel and math.isfinite(channel.share)
    }
    if not errors:
        return ""
    worst = max(errors, key=lambda name: abs(errors[name]))
    mean = sum(map(abs, errors.values())) / len(errors)
    return (
        f" Against the known truth, shares are off by {decimal(mean, 1)} points on average,"
        f" most for {worst} ({signed_points(errors[worst])})."
    )


def _how_to_read(report: ReportInput) -> str:
    text = (
        f"A bar is what {outcome_word(report.results)} would have lost without the channel, over all "
        f"{count(report.results.units)} units and weeks; percentages are shares of the total."
    )
    if report.truth:
        text += " An open diamond marks the true value of the simulated world."
    return f"{text} Point estimates, without intervals."


def _svg(report: ReportInput, insight: str) -> str:
    channels = by_contribution(report.results)
    canvas = Canvas(WIDTH, TOP + ROW * max(len(channels), 1) + 4, f"Bar chart of contributions. {insight}")
    scale = _scale(report)
    canvas.text((WIDTH, 10), "share", text_anchor="end", font_size=9, fill=MUTED)
    canvas.text((NAME_WIDTH, 10), _axis_name(report), font_size=9, fill=MUTED)
    for index, channel in enumerate(channels):
        _draw_row(canvas, TOP + ROW * (index + 0.5), scale, channel=channel)
        truth = report.truth_by_channel.get(channel.channel)
        if truth is not None and math.isfinite(truth.contribution):
            hint = f"{channel.channel}: truly {amount(truth.contribution)}"
            canvas.diamond((scale(truth.contribution), TOP + ROW * (index + 0.5)), 5.0, hint)
    canvas.line((scale(0), TOP), (scale(0), canvas.height - 4), stroke=GREY)
    return canvas.svg()


def _draw_row(canvas: Canvas, middle: float, scale: Scale, *, channel: ChannelResult) -> None:
    canvas.line((0, middle + ROW / 2), (WIDTH, middle + ROW / 2), stroke=RULE, stroke_width=0.5)
    canvas.label_in((0, middle + 4), channel.channel, NAME_WIDTH - 8)
    if math.isfinite(channel.contribution):
        start, end = sorted((scale(0), scale(channel.contribution)))
        hint = f"{channel.channel}: {amount(channel.contribution)}"
        canvas.rect((start, middle - BAR / 2), (max(end - start, 0.5), BAR), hint, fill=BLUE)
    canvas.text((WIDTH, middle + 4), percent(channel.share), text_anchor="end", font_weight=600)


def _axis_name(report: ReportInput) -> str:
    unit = outcome_unit(report.results)
    return f"contribution, {unit}" if unit else "contribution"


def _scale(report: ReportInput) -> Scale:
    values = [channel.contribution for channel in report.results.channels]
    values += [row.contribution for row in report.truth]
    finite = [value for value in values if math.isfinite(value)]
    return Scale(min(0.0, *finite, 0.0), max(*finite, 0.0, 1e-12), NAME_WIDTH, PLOT_END - 8)


def _relative(value: float, truth: float) -> float:
    return value / truth - 1.0 if truth > 0 else math.nan
