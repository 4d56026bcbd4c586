"""What each channel would have contributed at other spends, one small panel per channel."""

import math

from mmm_models.reporting.figure import Cell, Column, Figure, Table
from mmm_models.reporting.interval_words import has_intervals, interval_name
from mmm_models.reporting.number_format import amount, decimal, percent
from mmm_models.reporting.report_input import ReportInput
from mmm_models.reporting.report_words import by_contribution, outcome_unit
from mmm_models.reporting.svg_canvas import BLUE, GREY, INK, MUTED, ORANGE, PALE, Canvas, Scale
from mmm_models.results import ChannelResult, Interval, ResponseCurve, Results

COLUMNS, GAP = 5, 15.0
PANEL_WIDTH, PLOT_TOP, PLOT_HEIGHT, PANEL_HEIGHT = 128.0, 30.0, 66.0, 116.0
TANGENT = 0.6  # the slope is drawn this far to either side of the mark, as a share of what was spent
BAND_REACH = 2.0  # times the curve's top: as much room a band may take
SMALL = 9.0


def curves_figure(report: ReportInput) -> Figure:
    """Small multiples with their bands, what happened marked and the slope drawn there."""
    by_name = {curve.channel: curve for curve in report.results.curves}
    channels = [channel for channel in by_contribution(report.results) if channel.channel in by_name]
    curves = [by_name[channel.channel] for channel in channels]
    svg, table = _svg(report, channels, curves), _table(report, curves)
    return Figure(svg, table, _insight(curves), _how_to_read(report))


def _table(report: ReportInput, curves: list[ResponseCurve]) -> Table:
    columns = [Column("Channel"), Column("Times spend", decimal), Column("Spend", amount)]
    columns += [Column("Contribution", amount)]
    bounded = has_intervals(report.results)
    columns += [Column(interval_name(report.results), amount)] if bounded else []
    rows = []
    for curve in curves:
        band: list[Cell] = [*map(Interval, curve.low, curve.high)] or [""] * len(curve.multiplier)
        points = zip(curve.multiplier, curve.spend, curve.contribution, band, strict=True)
        rows += [(curve.channel, *(point if bounded else point[:-1])) for point in points]
    return Table(tuple(columns), tuple(rows))


def _insight(curves: list[ResponseCurve]) -> str:
    gains = {curve.channel: gain for curve in curves if math.isfinite(gain := _gain(curve))}
    if not gains:
        return "No channel has a response that could be followed beyond what was spent."
    most, least = max(gains, key=lambda name: gains[name]), min(gains, key=lambda name: gains[name])
    times = curves[0].multiplier[-1]
    start = "With twice" if times == 2 else f"With {decimal(times, 1)} times"
    sentence = f"{start} its media, {most} would have contributed {_more(gains[most])}"
    if most == least:
        return f"{sentence}."
    return f"{sentence}; {least}, the closest to saturation, {_more(gains[least])}."


def _more(gain: float) -> str:
    return f"{percent(abs(gain), 0)} {'more' if gain >= 0 else 'less'}"


def _gain(curve: ResponseCurve) -> float:
    now = _at_present(curve)
    return curve.contribution[-1] / now - 1.0 if now > 0 else math.nan


def _at_present(curve: ResponseCurve) -> float:
    return curve.contribution[curve.multiplier.index(1.0)] if 1.0 in curve.multiplier else math.nan


def _how_to_read(report: ReportInput) -> str:
    unit = outcome_unit(report.results)
    return (
        f"Across: spend{_in(report.results.currency)} over the whole period; up: contribution{_in(unit)}. "
        "The dot is what happened; the dashed line's slope is the marginal ROI. All weeks are "
        "scaled alike, the other channels stay as they were; each panel has its own scales. Beyond the dot "
        "the model extrapolates."
        + (f" Bands are {interval_name(report.results)}s." if has_intervals(report.results) else "")
    )


def _in(unit: str) -> str:
    return f" in {unit}" if unit else ""


def _svg(report: ReportInput, channels: list[ChannelResult], curves: list[ResponseCurve]) -> str:
    lines = max(math.ceil(len(curves) / COLUMNS), 1)
    width = COLUMNS * PANEL_WIDTH + (COLUMNS - 1) * GAP
    canvas = Canvas(
        width, lines * PANEL_HEIGHT, f"Response curves of {len(curves)} channels. {_insight(curves)}"
    )
    for index, (channel, curve) in enumerate(zip(channels, curves, strict=True)):
        left = (index % COLUMNS) * (PANEL_WIDTH + GAP)
        top = (index // COLUMNS) * PANEL_HEIGHT
        _draw_panel(canvas, (left, top), curve, slope=_slope(channel, report.results))
    return canvas.svg()


def _draw_panel(canvas: Canvas, corner: tuple[float, float], curve: ResponseCurve, *, slope: float) -> None:
    left, top = corner
    floor, ceiling = top + PLOT_TOP + PLOT_HEIGHT, top + PLOT_TOP
    finite = [value for value in curve.contribution if math.isfinite(value)]
    across = Scale(0.0, max(curve.multiplier), left, left + PANEL_WIDTH)
    highest = max(*finite, 0.0, 1e-12)
    highest = max(highest, min(max(map(_or_zero, curve.high), default=0.0), BAND_REACH * highest))
    up = Scale(0.0, highest * 1.06, floor, ceiling)
    canvas.label_in((left, top + 11), curve.channel, PANEL_WIDTH, font_weight=600)
    canvas.text(
        (left, top + 24), f"up to {amount(max(finite, default=math.nan))}", font_size=SMALL, fill=MUTED
    )
    canvas.rect((left, ceiling), (PANEL_WIDTH, PLOT_HEIGHT), fill=PALE, fill_opacity=0.45)
    canvas.line((left, floor), (left + PANEL_WIDTH, floor), stroke=GREY)
    if len(finite) == len(curve.contribution) > 1:
        _draw_band(canvas, curve, across=across, up=up)
        points = zip(curve.multiplier, curve.contribution, strict=True)
        canvas.polyline([(across(x), up(y)) for x, y in points], stroke_width=2)
        _draw_present(canvas, curve, slope, across=across, up=up)
    _draw_labels(canvas, curve, across=across, baseline=floor + 12)


def _draw_band(canvas: Canvas, curve: ResponseCurve, *, across: Scale, up: Scale) -> None:
    """Between low and high, cut where it leaves the panel."""
    if not curve.high or not all(map(math.isfinite, (*curve.low, *curve.high))):
        return
    lower = [(across(x), up(max(y, 0.0))) for x, y in zip(curve.multiplier, curve.low, strict=True)]
    upper = [(across(x), up(min(y, up.high))) for x, y in zip(curve.multiplier, curve.high, strict=True)]
    hint = f"{curve.channel}: interval"
    canvas.polyline([*upper, *reversed(lower)], hint, fill=BLUE, fill_opacity=0.16, stroke="none")


def _draw_present(canvas: Canvas, curve: ResponseCurve, slope: float, *, across: Scale, up: Scale) -> None:
    now = _at_present(curve)
    if not math.isfinite(now):
        return
    canvas.line((across(1), up(0)), (across(1), up(now)), stroke=GREY, stroke_dasharray="2 2")
    if math.isfinite(slope):
        ends = [(across(1 + side), up(now + side * slope)) for side in _tangent_reach(now, slope, up.high)]
        canvas.line(*ends, stroke=INK, stroke_width=1.1, stroke_dasharray="4 2.5")
    hint = f"{curve.channel} as it was: {amount(now)}"
    canvas.dot((across(1), up(now)), 3.8, hint, fill=ORANGE, stroke="#ffffff", stroke_width=1)


def _tangent_reach(now: float, slope: float, highest: float) -> tuple[float, float]:
    """How far the slope can be drawn before it leaves the panel."""
    if slope <= 0:
        return -TANGENT, TANGENT
    return -min(TANGENT, now / slope), min(TANGENT, (highest - now) / slope)


def _draw_labels(canvas: Canvas, curve: ResponseCurve, *, across: Scale, baseline: float) -> None:
    paid = curve.spend[-1] > 0
    last = amount(curve.spend[-1]) if paid else f"{decimal(curve.multiplier[-1], 0)}×"
    canvas.text((across(0), baseline), "0", font_size=SMALL, fill=MUTED)
    canvas.text((across(across.high), baseline), last, text_anchor="end", font_size=SMALL, fill=MUTED)
    if 1.0 in curve.multiplier and 0.3 < 1 / across.high < 0.7:
        now = amount(curve.spend[curve.multiplier.index(1.0)]) if paid else "as it was"
        canvas.text((across(1), baseline), now, text_anchor="middle", font_size=SMALL, font_weight=600)


def _or_zero(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _slope(channel: ChannelResult, results: Results) -> float:
    """Contribution gained per one times the media, at what happened; NaN without spend."""
    price = results.revenue / results.outcome if results.outcome > 0 else math.nan
    return channel.marginal_roi * channel.spend / price if price > 0 else math.nan
