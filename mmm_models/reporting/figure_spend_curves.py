"""What each channel would bring at other spends than today's, observed and extrapolated told apart."""

from dataclasses import replace

from mmm_models.explaining.explanation import Explanation
from mmm_models.explaining.spend_curves import SpendCurve
from mmm_models.reporting.curve_panel import PanelCurve, draw_panels
from mmm_models.reporting.figure import Column, Figure, Table
from mmm_models.reporting.figure_curves import curve_rows, curves_insight
from mmm_models.reporting.number_format import amount, decimal
from mmm_models.reporting.told_words import bounded, in_unit, interval, intervals_are


def spend_curves_figure(told: Explanation) -> Figure:
    """Small multiples, the largest channel first; today's spend marked."""
    curves = sorted(map(_panel, told.curves), key=lambda curve: -curve.now)
    insight = curves_insight(curves)
    label = f"Response curves of {len(curves)} channels with today's spend. {insight}"
    return Figure(draw_panels(curves, label), _table(told, curves), insight, _how_to_read(told))


def _panel(curve: SpendCurve) -> PanelCurve:
    return PanelCurve(
        *(curve.channel, curve.times, curve.spend, curve.revenue, curve.low, curve.high),
        slope=curve.slope,
        seen=curve.seen,
    )


def _table(told: Explanation, curves: list[PanelCurve]) -> Table:
    """At every other point: what a reader wants is between quarters and halves."""
    columns = [
        Column("Channel"),
        Column("Times today's", decimal),
        Column(in_unit("Spend", told.currency), amount),
        Column(in_unit("Brings", told.value_unit), amount),
    ]
    columns += [Column(interval(told), amount)] if bounded(told) else []
    return Table(tuple(columns), curve_rows([_every_other(curve) for curve in curves], bounded=bounded(told)))


def _every_other(curve: PanelCurve) -> PanelCurve:
    return replace(
        curve,
        times=curve.times[::2],
        spend=curve.spend[::2],
        value=curve.value[::2],
        low=curve.low[::2],
        high=curve.high[::2],
    )


def _how_to_read(told: Explanation) -> str:
    shaded = (
        "media as high as there ever were; beyond, the curve is dashed, because nobody saw what happens there"
        if told.last_from
        else "up to today's media; how high they ever were this run does not say, so beyond them the curve is dashed"
    )
    return (
        f"Across: spend over a period like {told.period}; up: what it brings. The dot is today's spend; the thin "
        f"dashed line's slope is what the last unit of money brings. Shaded: {shaded}. Weeks are scaled alike, other "
        f"channels stay as they were; each panel has its own scales. {intervals_are(told, 'Bands')}"
    )
