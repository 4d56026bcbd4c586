"""Experiments beside the model: what each measured, and what the model says of it before and after."""

import math

from mmm_models.reporting.experiment_words import experiments_insight, plus_minus, source, verdict
from mmm_models.reporting.figure import Column, Figure, Table
from mmm_models.reporting.number_format import amount
from mmm_models.reporting.report_input import ReportInput
from mmm_models.reporting.report_words import outcome_unit
from mmm_models.reporting.svg_canvas import BLUE, GREY, INK, MUTED, ORANGE, RULE, Canvas, Scale
from mmm_models.reporting.whisker import draw_whisker, shown_range
from mmm_models.results import ExperimentCheck, Interval

WIDTH, ROW, TOP = 700.0, 44.0, 18.0
NAME_WIDTH, PLOT_END = 215.0, 455.0
LINE = 11.0  # between the experiment above and the model below it
TWO_SIDED_90 = 1.645  # standard errors to either side


def experiments_figure(report: ReportInput) -> Figure:
    """One row per experiment, each on a scale of its own, from no lift to the largest."""
    insight = experiments_insight(report.results)
    return Figure(_svg(report, insight), experiments_table(report), insight, _how_to_read(report))


def experiments_table(report: ReportInput) -> Table:
    """Every number; lifts and their standard errors are in outcome units."""
    unit = outcome_unit(report.results)
    columns = (
        Column("Channel"),
        Column("Experiment"),
        Column(f"Measured lift ({unit})" if unit else "Measured lift", amount),
        Column("Standard error", amount),
        Column("Model without it", amount),
        Column("Standard deviation", amount),
        Column("Model with it", amount),
        Column("They"),
    )
    return Table(columns, tuple(_row(check) for check in report.results.experiments))


def _row(check: ExperimentCheck) -> tuple[str | float, ...]:
    measured = (check.channel, source(check), check.lift, check.standard_error)
    after: str | float = check.after if check.used else "not used"
    return (*measured, check.before, check.before_sd, after, verdict(check))


def _how_to_read(report: ReportInput) -> str:
    unit = outcome_unit(report.results)
    return (
        f"Square: the lift that was measured{f' in {unit}' if unit else ''}. Ring: what the model says of the same "
        "weeks and units without any experiment; disc: with those it was calibrated with. Thin lines are "
        "90 % intervals, numbers behind ± standard errors. Each row has its own scale; the upright line is no lift."
    )


def _svg(report: ReportInput, insight: str) -> str:
    checks = report.results.experiments
    canvas = Canvas(
        WIDTH, TOP + ROW * max(len(checks), 1) + 2, f"Lifts beside what the model says of them. {insight}"
    )
    canvas.text((NAME_WIDTH, 10), _axis_name(report), font_size=9, fill=MUTED)
    canvas.text((WIDTH, 10), "measured; model without → with it", text_anchor="end", font_size=9, fill=MUTED)
    for index, check in enumerate(checks):
        _draw_row(canvas, TOP + ROW * (index + 0.5), check)
    return canvas.svg()


def _axis_name(report: ReportInput) -> str:
    unit = outcome_unit(report.results)
    return f"lift, {unit}" if unit else "lift"


def _draw_row(canvas: Canvas, middle: float, check: ExperimentCheck) -> None:
    canvas.line((0, middle + ROW / 2), (WIDTH, middle + ROW / 2), stroke=RULE, stroke_width=0.5)
    canvas.label_in((0, middle - 1), check.channel, NAME_WIDTH - 10, font_weight=600)
    canvas.label_in((0, middle + 12), source(check), NAME_WIDTH - 10, font_size=9, fill=MUTED)
    measured, before = _around(check.lift, check.standard_error), _around(check.before, check.before_sd)
    low, high = shown_range((check.lift, check.before, check.after), (measured, before))
    across = Scale(low, max(high, low + 1e-12), NAME_WIDTH, PLOT_END - 12)
    canvas.line((across(0), middle - ROW / 2 + 4), (across(0), middle + ROW / 2 - 4), stroke=GREY)
    above, below = middle - LINE, middle + LINE / 2
    _draw_measured(canvas, across, above, check, measured)
    _draw_model(canvas, across, below, check, before)
    _draw_numbers(canvas, middle, check)


def _draw_measured(
    canvas: Canvas, across: Scale, height: float, check: ExperimentCheck, interval: Interval
) -> None:
    draw_whisker(canvas, across, height, interval)
    hint = f"{check.channel}: measured {plus_minus(check.lift, check.standard_error)}"
    canvas.rect((across(check.lift) - 4, height - 4), (8.0, 8.0), hint, fill=INK)


def _draw_model(
    canvas: Canvas, across: Scale, height: float, check: ExperimentCheck, interval: Interval
) -> None:
    draw_whisker(canvas, across, height, interval, BLUE)
    before, after = (across(check.before), height), (across(check.after), height)
    if check.used and math.isfinite(check.after):
        canvas.line(before, after, stroke=GREY, stroke_width=2)
    hint = f"{check.channel}: the model without it {plus_minus(check.before, check.before_sd)}"
    canvas.dot(before, 4.2, hint, fill="#ffffff", stroke=BLUE, stroke_width=1.8)
    if check.used and math.isfinite(check.after):
        canvas.dot(after, 4.2, f"{check.channel}: the model with it {amount(check.after)}", fill=BLUE)


def _draw_numbers(canvas: Canvas, middle: float, check: ExperimentCheck) -> None:
    model = plus_minus(check.before, check.before_sd)
    model += f" → {amount(check.after)}" if check.used else ", not used"
    measured = plus_minus(check.lift, check.standard_error)
    colour = INK if check.agrees else ORANGE
    canvas.text((WIDTH, middle - LINE + 4), measured, text_anchor="end", font_weight=600)
    canvas.text((WIDTH, middle + LINE / 2 + 4), model, text_anchor="end")
    canvas.text((PLOT_END + 6, middle - 1), verdict(check), font_weight=600, fill=colour)


def _around(value: float, deviation: float) -> Interval:
    return Interval(value - TWO_SIDED_90 * deviation, value + TWO_SIDED_90 * deviation)
