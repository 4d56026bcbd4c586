"""What a unit of money returned on average, and what the last one returned."""

import math

from mmm_models.reporting.figure import Column, Figure, Table
from mmm_models.reporting.interval_words import has_intervals, in_brackets, interval_name
from mmm_models.reporting.number_format import decimal, span
from mmm_models.reporting.report_input import ReportInput
from mmm_models.reporting.report_words import by_contribution, roi_is_money
from mmm_models.reporting.svg_canvas import BLUE, GREY, INK, MUTED, RULE, Canvas, Scale, nice_ticks
from mmm_models.reporting.whisker import draw_whisker, shown_range
from mmm_models.results import ChannelResult, Interval

WIDTH, ROW, TOP, BOTTOM = 340.0, 22.0, 18.0, 17.0
NAME_WIDTH, PLOT_END = 90.0, 262.0
APART = 4.5  # ROI above, marginal ROI below, where each has its interval
FAR_RIGHT = 225.0  # beyond, a centred label would meet the next one


def roi_figure(report: ReportInput) -> Figure:
    """Discs for ROI, rings for marginal ROI; joined, or each with its interval. Channels without spend are left out."""
    paid = [channel for channel in by_contribution(report.results) if math.isfinite(channel.roi)]
    insight = _insight(report, paid)
    return Figure(_svg(report, paid, insight), _table(report, paid), insight, _how_to_read(report))


def _table(report: ReportInput, paid: list[ChannelResult]) -> Table:
    columns = (Column("Channel"), Column("ROI", decimal), Column("Marginal ROI", decimal))
    if not has_intervals(report.results):
        return Table(columns, tuple((row.channel, row.roi, row.marginal_roi) for row in paid))
    between = Column(interval_name(report.results), decimal)
    rows = tuple(
        (row.channel, row.roi, row.roi_interval, row.marginal_roi, row.marginal_roi_interval) for row in paid
    )
    return Table((*columns[:2], between, columns[2], between), rows)


def _insight(report: ReportInput, paid: list[ChannelResult]) -> str:
    if not paid:
        return "No channel has spend, so there is no return to show."
    best = max(paid, key=lambda channel: channel.roi)
    roi = _with_interval(best.roi, best.roi_interval)
    sentence = f"{best.channel} returned most per {_money(report)} spent ({roi})"
    rivals = [
        row.channel for row in paid if row is not best and row.roi_interval.high >= best.roi_interval.low
    ]
    if rivals:
        sentence += f", but {_these(rivals, len(paid) - 1)} may have returned as much"
    known = [channel for channel in paid if math.isfinite(channel.marginal_roi)]
    if not known:
        return f"{sentence}."
    next_best = max(known, key=lambda channel: channel.marginal_roi)
    name = "it also" if next_best is best else next_best.channel
    sentence += f"; for the next {_money(report)} {name} returns most ({decimal(next_best.marginal_roi)})."
    return sentence + (_margin_sentence(known) if roi_is_money(report.results) else "")


def _margin_sentence(known: list[ChannelResult]) -> str:
    """Who still pays at the margin. Where intervals say that this is open, so does the sentence."""
    unsure = [row for row in known if row.marginal_roi_interval.low < 1 <= row.marginal_roi_interval.high]
    losing = [row for row in known if row.marginal_roi < 1 and row not in unsure]
    if not losing and not unsure:
        return " Every channel still pays for itself at the margin."
    told = [f"{_counted(losing)} no longer returned what was spent"] if losing else []
    told += [f"it is open whether {_counted(unsure)} did"] if losing and unsure else []
    if told:
        return f" At the margin {'; '.join(told)}."
    return f" Whether {_counted(unsure)} still paid at the margin is open."


def _counted(rows: list[ChannelResult]) -> str:
    return rows[0].channel if len(rows) == 1 else f"{len(rows)} channels"


def _these(rivals: list[str], others: int) -> str:
    if len(rivals) == 1:
        return rivals[0]
    return f"all {others} others" if len(rivals) == others else f"{len(rivals)} others"


def _with_interval(value: float, interval: Interval) -> str:
    """`2.62, 1.59–4.32`."""
    between = span(interval.low, interval.high, decimal)
    return f"{decimal(value)}, {between}" if between else decimal(value)


def _how_to_read(report: ReportInput) -> str:
    what = "revenue" if roi_is_money(report.results) else "outcome"
    text = f"Disc: {what} per {_money(report)} over the whole spend. Ring: the same for the last one per cent"
    text += " of it, which is what the next budget decision is about."
    if roi_is_money(report.results):
        text += " Left of the line at 1, less comes back than was spent (before margins)."
    if has_intervals(report.results):
        text += f" Thin lines are {interval_name(report.results)}s."
    return text


def _money(report: ReportInput) -> str:
    return report.results.currency or "unit of money"


def _svg(report: ReportInput, paid: list[ChannelResult], insight: str) -> str:
    canvas = Canvas(
        WIDTH, TOP + ROW * max(len(paid), 1) + BOTTOM, f"Dot chart of ROI and marginal ROI. {insight}"
    )
    values = [value for row in paid for value in (row.roi, row.marginal_roi) if math.isfinite(value)]
    bounds = [bound for row in paid for bound in (row.roi_interval, row.marginal_roi_interval)]
    low, high = shown_range(values, bounds)
    scale = Scale(low, max(high, 1.0) * 1.04, NAME_WIDTH, PLOT_END)
    floor = canvas.height - BOTTOM
    _draw_axis(canvas, scale, floor=floor)
    if roi_is_money(report.results):
        canvas.line((scale(1), TOP - 5), (scale(1), floor), stroke=INK, stroke_dasharray="2 2")
        anchor = "end" if scale(1) > FAR_RIGHT else "middle"
        canvas.text((scale(1), 10), "break-even", text_anchor=anchor, font_size=9, fill=MUTED)
    canvas.text((WIDTH, 10), "ROI → marginal", text_anchor="end", font_size=9, fill=MUTED)
    for index, channel in enumerate(paid):
        _draw_row(canvas, TOP + ROW * (index + 0.5), scale, channel=channel)
    return canvas.svg()


def _short(value: float) -> str:
    return decimal(value, 2 if abs(value) < 100 else 0)


def _draw_axis(canvas: Canvas, scale: Scale, *, floor: float) -> None:
    for tick in nice_ticks(scale.low, scale.high):
        canvas.line((scale(tick), TOP), (scale(tick), floor), stroke_width=0.7)
        canvas.text((scale(tick), floor + 12), f"{tick:g}", text_anchor="middle", font_size=9, fill=MUTED)


def _draw_row(canvas: Canvas, middle: float, scale: Scale, *, channel: ChannelResult) -> None:
    canvas.line((0, middle + ROW / 2), (WIDTH, middle + ROW / 2), stroke=RULE, stroke_width=0.5)
    canvas.label_in((0, middle + 4), channel.channel, NAME_WIDTH - 8)
    text = f"{_short(channel.roi)} → {_short(channel.marginal_roi)}"
    canvas.text((WIDTH, middle + 4), text, text_anchor="end")
    apart = APART if math.isfinite(channel.roi_interval.low) else 0.0
    average, marginal = (scale(channel.roi), middle - apart), (scale(channel.marginal_roi), middle + apart)
    if math.isfinite(channel.marginal_roi):
        canvas.line(average, marginal, stroke=GREY, stroke_width=1 if apart else 2)
        draw_whisker(canvas, scale, marginal[1], channel.marginal_roi_interval, BLUE)
        hint = f"{channel.channel}: marginal ROI {decimal(channel.marginal_roi)}"
        hint += in_brackets(channel.marginal_roi_interval, decimal)
        canvas.dot(marginal, 4.2 - apart / 4, hint, fill="#ffffff", stroke=BLUE, stroke_width=1.8)
    draw_whisker(canvas, scale, average[1], channel.roi_interval, BLUE)
    hint = f"{channel.channel}: ROI {decimal(channel.roi)}{in_brackets(channel.roi_interval, decimal)}"
    canvas.dot(average, 4.8 - apart / 4, hint, fill=BLUE)
