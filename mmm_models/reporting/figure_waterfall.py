"""A waterfall: totals as bars from the axis, changes as bars that begin where the one above ended."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from mmm_models.explaining.explanation import Explanation
from mmm_models.explaining.waterfall import BASELINE, Kind, Step, Waterfall
from mmm_models.reporting.figure import Cell, Column, Figure, Table
from mmm_models.reporting.interval_words import in_brackets
from mmm_models.reporting.number_format import amount, percent, signed_amount, signed_percent
from mmm_models.reporting.svg_canvas import BLUE, GREY, MUTED, ORANGE, RULE, Canvas, Scale
from mmm_models.reporting.told_words import cells, in_unit, intervals_are, with_interval
from mmm_models.reporting.whisker import draw_whisker
from mmm_models.results import Interval

WIDTH, ROW, TOP, BAR = 340.0, 22.0, 18.0, 12.0
NAME_WIDTH, PLOT_END = 90.0, 278.0
MARGIN, REACH = 0.06, 2.0  # of the picture; whiskers, times the largest change
BREAK = 3.5


@dataclass(frozen=True)
class _Bar:
    step: Step
    start: float
    end: float


def waterfall_figure(told: Explanation, waterfall: Waterfall) -> Figure:
    """Rows from top to bottom, each with its number; intervals as thin lines at a bar's end."""
    insight = waterfall_insight(told, waterfall)
    bars = list(_bars(waterfall))
    return Figure(
        _svg(told, waterfall.kind, bars, insight),
        _table(told, waterfall),
        insight,
        _how_to_read(told, waterfall),
    )


def waterfall_insight(told: Explanation, waterfall: Waterfall) -> str:
    """What made the difference, in one sentence."""
    unit = told.outcome_unit
    if waterfall.kind == "outcome":
        return _without_media(told, waterfall.steps[0])
    first, last = waterfall.steps[0].value, waterfall.steps[-1].value
    change = last - first
    said = {
        "past": "The outcome changed by",
        "plan": "The plan changes the outcome by",
        "what-if": "The outcome would change by",
    }
    relative = f" ({signed_percent(change / first, 1)})" if first > 0 else ""
    sentence = f"{said[waterfall.kind]} {signed_amount(change, unit)}{relative}"
    moved = [step for step in waterfall.changes if step.value]
    if not moved:
        return f"{sentence}."
    most = max(moved, key=lambda step: abs(step.value))
    what = "the baseline" if most.name == BASELINE else most.name
    return f"{sentence}; most of all {what}: {signed_amount(most.value)}{_between(most)}."


def _without_media(told: Explanation, baseline: Step) -> str:
    if not told.outcome > 0:
        return "There was no outcome to take apart."
    low, high = baseline.interval.low / told.outcome, baseline.interval.high / told.outcome
    share = percent(baseline.value / told.outcome) + in_brackets(Interval(low, high), percent)
    return f"Without media there would have been {share} of the outcome of {told.period}."


def _between(step: Step) -> str:
    return in_brackets(step.interval, amount)


def _bars(waterfall: Waterfall) -> Iterator[_Bar]:
    at = 0.0
    for step in waterfall.steps:
        start = 0.0 if step.is_total else at
        at = start + step.value
        yield _Bar(step, start, at)


def _table(told: Explanation, waterfall: Waterfall) -> Table:
    """Changes and totals in columns of their own."""
    unit, none = told.outcome_unit, cells(told, "", "")
    change = with_interval(told, Column(in_unit("Adds", unit), signed_amount), amount)
    total = with_interval(told, Column(in_unit("Total", unit), amount))

    def row(step: Step) -> tuple[Cell, ...]:
        found = cells(told, step.value, step.interval)
        return (step.name, *none, *found) if step.is_total else (step.name, *found, *none)

    return Table((Column("Step"), *change, *total), tuple(map(row, waterfall.steps)))


def _how_to_read(told: Explanation, waterfall: Waterfall) -> str:
    said = {
        "outcome": f"The outcome of {told.period}: what there would have been without media, and what each channel "
        "added, in the weeks in which it came.",
        "past": f"From the {told.period_weeks} weeks before to {told.period}. Blue adds, orange takes away. The "
        "baseline is season, trend, prices, and all else that is no media.",
        "plan": "What the plan changes, channel by channel; the baseline is taken to stay as it was.",
        "what-if": "What other media would have changed, channel by channel; the baseline stays as it was.",
    }
    cut = "" if waterfall.kind == "outcome" else " The axis does not begin at zero."
    return f"{said[waterfall.kind]}{cut} {intervals_are(told, 'Thin lines')}"


def _svg(told: Explanation, kind: Kind, bars: list[_Bar], insight: str) -> str:
    canvas = Canvas(WIDTH, TOP + ROW * len(bars) + 4, f"Waterfall. {insight}")
    across = _scale(bars)
    cut = across.low > 0
    canvas.text((NAME_WIDTH, 10), in_unit("outcome", told.outcome_unit), font_size=9, fill=MUTED)
    for index, bar in enumerate(bars):
        middle = TOP + ROW * (index + 0.5)
        canvas.line((0, middle + ROW / 2), (WIDTH, middle + ROW / 2), stroke=RULE, stroke_width=0.5)
        canvas.label_in((0, middle + 4), bar.step.name, NAME_WIDTH - 8)
        _draw_bar(canvas, bar, across, middle=middle, cut=cut)
        if index + 1 < len(bars):
            x = across(bar.end)
            canvas.line((x, middle + BAR / 2), (x, middle + ROW - BAR / 2), stroke=GREY, stroke_width=0.8)
    if not cut:
        canvas.line((across(0), TOP), (across(0), canvas.height - 4), stroke=GREY)
    return canvas.svg()


def _draw_bar(canvas: Canvas, bar: _Bar, across: Scale, *, middle: float, cut: bool) -> None:
    step = bar.step
    start, end = sorted((across(max(bar.start, across.low)), across(max(bar.end, across.low))))
    colour = GREY if step.is_total or step.name == BASELINE else BLUE if step.value >= 0 else ORANGE
    shown = amount(step.value) if step.is_total else signed_amount(step.value)
    corner, size = (start, middle - BAR / 2), (max(end - start, 0.8), BAR)
    canvas.rect(corner, size, f"{step.name}: {shown}{_between(step)}", fill=colour)
    if cut and step.is_total:
        _draw_break(canvas, start + 9, middle)
    draw_whisker(canvas, across, middle, _placed(bar))
    canvas.text((WIDTH, middle + 4), shown, text_anchor="end", font_weight=600 if step.is_total else 400)


def _draw_break(canvas: Canvas, x: float, middle: float) -> None:
    """Two strokes through a bar that does not begin where its scale does."""
    for shift in (0.0, 4.0):
        ends = (x + shift - 1.5, middle + BAR / 2 + 1), (x + shift + 1.5, middle - BAR / 2 - 1)
        canvas.line(*ends, stroke="#ffffff", stroke_width=1.6)


def _placed(bar: _Bar) -> Interval:
    """The interval where the bar stands."""
    return Interval(bar.start + bar.step.interval.low, bar.start + bar.step.interval.high)


def _scale(bars: list[_Bar]) -> Scale:
    """Room for every bar's end, and for intervals as far as `REACH` allows; from zero if the first bar is no total."""
    ends = [bar.end for bar in bars]
    room = REACH * max((abs(bar.step.value) for bar in bars if not bar.step.is_total), default=0.0)
    for bar in bars:
        placed = _placed(bar)
        ends += [
            min(max(end, bar.end - room), bar.end + room)
            for end in (placed.low, placed.high)
            if math.isfinite(end)
        ]
    whole = not bars[0].step.is_total
    low, high = min(0.0, *ends) if whole else min(ends), max(ends)
    margin = MARGIN * ((high - low) or abs(high) or 1.0)
    return Scale(low if whole else low - 2 * margin, high + margin, NAME_WIDTH, PLOT_END - 8)
