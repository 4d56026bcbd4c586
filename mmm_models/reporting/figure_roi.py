"""What a unit of money returned on average, and what the last one returned."""

import math

from mmm_models.reporting.figure import Column, Figure, Table
from mmm_models.reporting.number_format import decimal
from mmm_models.reporting.report_input import ReportInput
from mmm_models.reporting.report_words import by_contribution, roi_is_money
from mmm_models.reporting.svg_canvas import BLUE, GREY, INK, MUTED, RULE, Canvas, Scale, nice_ticks
from mmm_models.results import ChannelResult

WIDTH, ROW, TOP, BOTTOM = 340.0, 22.0, 18.0, 17.0
NAME_WIDTH, PLOT_END = 90.0, 262.0
FAR_RIGHT = 225.0  # beyond, a centred label would meet the next one


def roi_figure(report: ReportInput) -> Figure:
    """Discs for ROI, rings for marginal ROI, joined; channels without spend are left out."""
    paid = [channel for channel in by_contribution(report.results) if math.isfinite(channel.roi)]
    columns = (Column("Channel"), Column("ROI", decimal), Column("Marginal ROI", decimal))
    table = Table(columns, tuple((row.channel, row.roi, row.marginal_roi) for row in paid))
    insight = _insight(report, paid)
    return Figure(_svg(report, paid, insight), table, insight, _how_to_read(report))


def _insight(report: ReportInput, paid: list[ChannelResult]) -> str:
    if not paid:
        return "No channel has spend, so there is no return to show."
    best = max(paid, key=lambda channel: channel.roi)
    sentence = f"{best.channel} returned most per {_money(report)} spent ({decimal(best.roi)})"
    known = [channel for channel in paid if math.isfinite(channel.marginal_roi)]
    if not known:
        return f"{sentence}."
    next_best = max(known, key=lambda channel: channel.marginal_roi)
    name = "it also" if next_best is best else next_best.channel
    sentence += f"; for the next {_money(report)} {name} returns most ({decimal(next_best.marginal_roi)})."
    losing = [channel.channel for channel in known if channel.marginal_roi < 1]
    return sentence + (_losing_sentence(losing) if roi_is_money(report.results) else "")


def _losing_sentence(losing: list[str]) -> str:
    if not losing:
        return " Every channel still pays for itself at the margin."
    what = losing[0] if len(losing) == 1 else f"{len(losing)} channels"
    return f" At the margin {what} no longer returned what was spent."


def _how_to_read(report: ReportInput) -> str:
    what = "revenue" if roi_is_money(report.results) else "outcome"
    text = f"Disc: {what} per {_money(report)} over the whole spend. Ring: the same for the last one per cent"
    text += " of it, which is what the next budget decision is about."
    if roi_is_money(report.results):
        text += " Left of the line at 1, less comes back than was spent (before margins)."
    return text


def _money(report: ReportInput) -> str:
    return report.results.currency or "unit of money"


def _svg(report: ReportInput, paid: list[ChannelResult], insight: str) -> str:
    canvas = Canvas(
        WIDTH, TOP + ROW * max(len(paid), 1) + BOTTOM, f"Dot chart of ROI and marginal ROI. {insight}"
    )
    values = [value for row in paid for value in (row.roi, row.marginal_roi) if math.isfinite(value)]
    scale = Scale(min(0.0, *values, 0.0), max(*values, 0.0, 1.0) * 1.04, NAME_WIDTH, PLOT_END)
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
    average, marginal = (scale(channel.roi), middle), (scale(channel.marginal_roi), middle)
    if math.isfinite(channel.marginal_roi):
        canvas.line(average, marginal, stroke=GREY, stroke_width=2)
        hint = f"{channel.channel}: marginal ROI {decimal(channel.marginal_roi)}"
        canvas.dot(marginal, 4.2, hint, fill="#ffffff", stroke=BLUE, stroke_width=1.8)
    canvas.dot(average, 4.8, f"{channel.channel}: ROI {decimal(channel.roi)}", fill=BLUE)
