"""Silos beside each other: what each channel does in each of them, one dot a silo."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mmm_models.explaining.channel_facts import ChannelFacts
from mmm_models.explaining.estimate import Estimate
from mmm_models.explaining.explanation import Explanation
from mmm_models.reporting.figure import Column, Figure, Table
from mmm_models.reporting.interval_words import in_brackets
from mmm_models.reporting.number_format import SPACE, decimal, percent
from mmm_models.reporting.series_colours import SERIES
from mmm_models.reporting.svg_canvas import BLUE, INK, MUTED, RULE, Canvas, Scale, nice_ticks, text_width
from mmm_models.reporting.told_words import cells, money, with_interval

WIDTH, NAME_WIDTH, GAP, ROW, TOP, BOTTOM = 700.0, 92.0, 30.0, 24.0, 34.0, 17.0
SMALL, RADIUS, APART = 9.0, 3.6, 14.0  # silos of one channel share so much of a row


@dataclass(frozen=True)
class _Panel:
    name: str
    of: Callable[[ChannelFacts], Estimate]
    show: Callable[[float | None], str]
    is_share: bool = False

    def tick(self, value: float) -> str:
        """A round number at the axis."""
        return f"{100 * value:g}{SPACE}%" if self.is_share else f"{value:g}"


def parts_figure(told: Explanation) -> Figure:
    """A row per channel, a panel per measure. Empty for a run that knows everything together only."""
    panels = _panels(told)
    insight = _insight(told)
    return Figure(_svg(told, panels, insight), _table(told, panels), insight, _how_to_read(told))


def _panels(told: Explanation) -> list[_Panel]:
    share = _Panel("Share of the silo's outcome", lambda fact: fact.share, percent, is_share=True)
    full = _Panel("Of what twice would bring", lambda fact: fact.of_double, _whole, is_share=True)
    if not any(fact.is_paid for fact in told.parts):
        return [share, full]
    return [
        share,
        _Panel("ROI", lambda fact: fact.roi, decimal),
        _Panel(f"Last {money(told)} brings", lambda fact: fact.marginal_roi, decimal),
        full,
    ]


def _insight(told: Explanation) -> str:
    """The channel whose last money does most unequal things."""
    apart: dict[str, tuple[ChannelFacts, ChannelFacts]] = {}
    for name in told.channel_names:
        known = [f for f in told.parts if f.channel == name and f.is_paid and f.marginal_roi.value > 0]
        if len(known) > 1:
            apart[name] = (
                max(known, key=lambda fact: fact.marginal_roi.value),
                min(known, key=lambda fact: fact.marginal_roi.value),
            )
    if not apart:
        return "There are no silos with spend to put beside each other."
    most = max(apart, key=lambda name: apart[name][0].marginal_roi.value / apart[name][1].marginal_roi.value)
    best, worst = apart[most]
    return (
        f"Silos differ most in {most}: the last {money(told)} brings {decimal(best.marginal_roi.value)} in {best.part} "
        f"and {decimal(worst.marginal_roi.value)} in {worst.part}."
    )


def _table(told: Explanation, panels: list[_Panel]) -> Table:
    columns = [Column("Channel"), Column("Silo")]
    for panel in panels:
        columns += with_interval(told, Column(panel.name, panel.show))
    rows = []
    for name in told.channel_names:
        for fact in (fact for fact in told.parts if fact.channel == name):
            found = [panel.of(fact) for panel in panels]
            numbers = [cell for number in found for cell in cells(told, number.value, number.interval)]
            rows.append((name, fact.part, *numbers))
    return Table(tuple(columns), tuple(rows))


def _how_to_read(told: Explanation) -> str:
    return (
        f"Each dot is one silo over {told.period}, in the order of the legend from top to bottom. They differ by how "
        "much media they run, at what price, how large they are, and by how far their own weeks move them from the "
        "shared response. Whether a channel really works better in one of them, only an experiment there can tell."
    )


def _svg(told: Explanation, panels: list[_Panel], insight: str) -> str:
    names = list(dict.fromkeys(fact.part for fact in told.parts))
    rows = told.channel_names if names else ()
    canvas = Canvas(WIDTH, TOP + ROW * max(len(rows), 1) + BOTTOM, f"Dots of silos by channel. {insight}")
    _draw_legend(canvas, names)
    width = (WIDTH - NAME_WIDTH - GAP * (len(panels) - 1)) / len(panels)
    for index, name in enumerate(rows):
        middle = TOP + ROW * (index + 0.5)
        canvas.line((0, middle + ROW / 2), (WIDTH, middle + ROW / 2), stroke=RULE, stroke_width=0.5)
        canvas.label_in((0, middle + 4), name, NAME_WIDTH - 8)
    for index, panel in enumerate(panels):
        left = NAME_WIDTH + index * (width + GAP)
        _draw_panel(canvas, told, panel, names=names, ends=(left, left + width))
    return canvas.svg()


def _draw_legend(canvas: Canvas, names: Sequence[str]) -> None:
    """Names in their colours; of more silos than colours only how many there are."""
    if len(names) > len(SERIES):
        canvas.text((0, 10), f"{len(names)} silos; point at a dot for its name", font_size=SMALL, fill=MUTED)
        return
    room = WIDTH / max(len(names), 1)
    left = 0.0
    for index, name in enumerate(names):
        canvas.dot((left + RADIUS, 7), RADIUS, fill=SERIES[index])
        canvas.label_in((left + 11, 10), name, room - 22, font_size=SMALL)
        left += min(room, 24 + text_width(name, size=SMALL))


def _draw_panel(
    canvas: Canvas, told: Explanation, panel: _Panel, *, names: list[str], ends: tuple[float, float]
) -> None:
    values = [value for fact in told.parts if math.isfinite(value := panel.of(fact).value)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = 0.08 * ((high - low) or abs(high) or 1.0)
    across = Scale(low - margin, high + margin, *ends)
    floor = canvas.height - BOTTOM
    canvas.label_in((ends[0], TOP - 7), panel.name, ends[1] - ends[0], font_size=SMALL, fill=MUTED)
    for tick in nice_ticks(across.low, across.high, 3):
        x, text = across(tick), panel.tick(tick)
        half = text_width(text, size=SMALL) / 2
        anchor = "end" if x + half > ends[1] else "start" if x - half < ends[0] else "middle"
        canvas.line((x, TOP), (x, floor), stroke_width=0.7)
        canvas.text((x, floor + 12), text, text_anchor=anchor, font_size=SMALL, fill=MUTED)
    for fact in told.parts:
        number = panel.of(fact)
        if math.isfinite(number.value):
            row, place = told.channel_names.index(fact.channel), names.index(fact.part)
            height = TOP + ROW * (row + 0.5) + APART * ((place + 0.5) / len(names) - 0.5)
            hint = f"{fact.part}, {fact.channel}: {panel.show(number.value)}"
            hint += in_brackets(number.interval, panel.show)
            fill = SERIES[place] if len(names) <= len(SERIES) else BLUE
            canvas.dot((across(number.value), height), RADIUS, hint, fill=fill, stroke=INK, stroke_width=0.4)


def _whole(value: float | None) -> str:
    return percent(value, 0)
