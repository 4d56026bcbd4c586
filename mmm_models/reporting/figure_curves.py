"""What each channel would have contributed at other spends, one small panel per channel."""

import math

from mmm_models.reporting.curve_panel import PanelCurve, draw_panels
from mmm_models.reporting.figure import Cell, Column, Figure, Table
from mmm_models.reporting.interval_words import has_intervals, interval_name
from mmm_models.reporting.number_format import amount, decimal, percent
from mmm_models.reporting.report_input import ReportInput
from mmm_models.reporting.report_words import by_contribution, outcome_unit
from mmm_models.results import ChannelResult, Interval, ResponseCurve, Results


def curves_figure(report: ReportInput) -> Figure:
    """Small multiples with their bands, what happened marked and the slope drawn there."""
    by_name = {curve.channel: curve for curve in report.results.curves}
    channels = [channel for channel in by_contribution(report.results) if channel.channel in by_name]
    curves = [_panel(by_name[channel.channel], channel, report.results) for channel in channels]
    insight, table = curves_insight(curves), _table(report, curves)
    label = f"Response curves of {len(curves)} channels. {insight}"
    return Figure(draw_panels(curves, label), table, insight, _how_to_read(report))


def _panel(curve: ResponseCurve, channel: ChannelResult, results: Results) -> PanelCurve:
    return PanelCurve(
        *(curve.channel, curve.multiplier, curve.spend, curve.contribution, curve.low, curve.high),
        slope=_slope(channel, results),
    )


def _table(report: ReportInput, curves: list[PanelCurve]) -> Table:
    columns = [Column("Channel"), Column("Times spend", decimal), Column("Spend", amount)]
    columns += [Column("Contribution", amount)]
    bounded = has_intervals(report.results)
    columns += [Column(interval_name(report.results), amount)] if bounded else []
    return Table(tuple(columns), curve_rows(curves, bounded=bounded))


def curve_rows(curves: list[PanelCurve], *, bounded: bool) -> tuple[tuple[Cell, ...], ...]:
    """Name, times, spend and value of every point, with its interval where `bounded`."""
    rows: list[tuple[Cell, ...]] = []
    for curve in curves:
        band: list[Cell] = [*map(Interval, curve.low, curve.high)] or [""] * len(curve.times)
        points = zip(curve.times, curve.spend, curve.value, band, strict=True)
        rows += [(curve.name, *(point if bounded else point[:-1])) for point in points]
    return tuple(rows)


def curves_insight(curves: list[PanelCurve]) -> str:
    """Who has most room for more, and who least."""
    gains = {curve.name: gain for curve in curves if math.isfinite(gain := _gain(curve))}
    if not gains:
        return "No channel has a response that could be followed beyond what was spent."
    most, least = max(gains, key=lambda name: gains[name]), min(gains, key=lambda name: gains[name])
    times = curves[0].times[-1]
    start = "With twice" if times == 2 else f"With {decimal(times, 1)} times"
    sentence = f"{start} its media, {most} would have contributed {_more(gains[most])}"
    if most == least:
        return f"{sentence}."
    return f"{sentence}; {least}, the closest to saturation, {_more(gains[least])}."


def _more(gain: float) -> str:
    return f"{percent(abs(gain), 0)} {'more' if gain >= 0 else 'less'}"


def _gain(curve: PanelCurve) -> float:
    return curve.value[-1] / curve.now - 1.0 if curve.now > 0 else math.nan


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


def _slope(channel: ChannelResult, results: Results) -> float:
    """Contribution gained per one times the media, at what happened; NaN without spend."""
    price = results.revenue / results.outcome if results.outcome > 0 else math.nan
    return channel.marginal_roi * channel.spend / price if price > 0 else math.nan
