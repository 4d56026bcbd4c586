"""How much each channel contributed, with the known truth beside it where there is one."""

import math

from mmm_models.reporting.figure import Figure
from mmm_models.reporting.interval_words import in_brackets, interval_name, reading
from mmm_models.reporting.number_format import amount, count, decimal, percent, signed_points
from mmm_models.reporting.report_input import ReportInput
from mmm_models.reporting.report_words import (
    by_contribution,
    largest,
    outcome_unit,
    outcome_word,
)
from mmm_models.reporting.svg_canvas import BLUE, GREY, MUTED, RULE, Canvas, Scale
from mmm_models.reporting.table_contributions import contributions_table
from mmm_models.reporting.whisker import draw_whisker, shown_range
from mmm_models.results import ChannelResult, Interval

WIDTH, ROW, TOP, BAR = 340.0, 22.0, 18.0, 12.0
NAME_WIDTH, PLOT_END = 90.0, 290.0


def contributions_figure(report: ReportInput) -> Figure:
    """Bars of contribution, largest first, with their intervals; shares at the right, truth as open diamonds."""
    insight = _insight(report)
    return Figure(_svg(report, insight), contributions_table(report), insight, _how_to_read(report))


def _insight(report: ReportInput) -> str:
    results, most = report.results, largest(report.results)
    if most is None:
        return "No channel contributed anything that the model could tell from the baseline."
    total = amount(most.contribution, outcome_unit(results)) + in_brackets(most.contribution_interval, amount)
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
        f" most for {worst} ({signed_points(errors[worst])}).{_coverage_sentence(report)}"
    )


def _coverage_sentence(report: ReportInput) -> str:
    """For how many channels the interval holds the truth."""
    bounds = {channel.channel: channel.contribution_interval for channel in report.results.channels}
    known = [row for row in report.truth if row.channel in bounds and math.isfinite(bounds[row.channel].low)]
    if not known:
        return ""
    held = sum(_holds(bounds[row.channel], row.contribution) for row in known)
    return f" The {interval_name(report.results)} holds the truth for {held} of {len(known)} channels."


def _holds(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


def _how_to_read(report: ReportInput) -> str:
    text = (
        f"A bar is what {outcome_word(report.results)} would have lost without the channel, over all "
        f"{count(report.results.units)} units and weeks; percentages are shares of the total."
    )
    if report.truth:
        text += " An open diamond marks the true value of the simulated world."
    return f"{text} {reading(report.results, 'Thin lines')}"


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
        hint += in_brackets(channel.contribution_interval, amount)
        canvas.rect((start, middle - BAR / 2), (max(end - start, 0.5), BAR), hint, fill=BLUE)
    draw_whisker(canvas, scale, middle, channel.contribution_interval)
    canvas.text((WIDTH, middle + 4), percent(channel.share), text_anchor="end", font_weight=600)


def _axis_name(report: ReportInput) -> str:
    unit = outcome_unit(report.results)
    return f"contribution, {unit}" if unit else "contribution"


def _scale(report: ReportInput) -> Scale:
    values = [channel.contribution for channel in report.results.channels]
    values += [row.contribution for row in report.truth]
    low, high = shown_range(values, [channel.contribution_interval for channel in report.results.channels])
    return Scale(low, max(high, 1e-12), NAME_WIDTH, PLOT_END - 8)
