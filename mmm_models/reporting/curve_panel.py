"""One small panel of a response curve: today marked with the slope there, its band, and what was never observed."""

import math
from dataclasses import dataclass

from mmm_models.reporting.number_format import amount, decimal
from mmm_models.reporting.svg_canvas import BLUE, GREY, INK, MUTED, ORANGE, PALE, Canvas, Scale

PANEL_WIDTH, PLOT_TOP, PLOT_HEIGHT, PANEL_HEIGHT = 128.0, 30.0, 66.0, 116.0
COLUMNS, GAP = 5, 15.0
TANGENT = 0.6  # the slope is drawn this far to either side of the mark, as a share of what was spent
BAND_REACH = 2.0  # times the curve's top: as much room a band may take
SMALL = 9.0


@dataclass(frozen=True)
class PanelCurve:
    """`value` at `times` what happened, its bounds if any, and `slope`: value gained per one times the media, at one.

    The curve is dashed beyond `seen` times, what was ever observed; infinity draws it whole.
    """

    name: str
    times: tuple[float, ...]
    spend: tuple[float, ...]
    value: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    slope: float = math.nan
    seen: float = math.inf

    @property
    def now(self) -> float:
        """The value of what happened; NaN where the curve has no such point."""
        return self.value[self.times.index(1.0)] if 1.0 in self.times else math.nan


def draw_panels(curves: list[PanelCurve], label: str) -> str:
    """All of them in rows of `COLUMNS`."""
    lines = max(math.ceil(len(curves) / COLUMNS), 1)
    canvas = Canvas(COLUMNS * PANEL_WIDTH + (COLUMNS - 1) * GAP, lines * PANEL_HEIGHT, label)
    for index, curve in enumerate(curves):
        left = (index % COLUMNS) * (PANEL_WIDTH + GAP)
        _draw_panel(canvas, (left, (index // COLUMNS) * PANEL_HEIGHT), curve)
    return canvas.svg()


def _draw_panel(canvas: Canvas, corner: tuple[float, float], curve: PanelCurve) -> None:
    left, top = corner
    floor, ceiling = top + PLOT_TOP + PLOT_HEIGHT, top + PLOT_TOP
    finite = [value for value in curve.value if math.isfinite(value)]
    across = Scale(0.0, max(curve.times), left, left + PANEL_WIDTH)
    highest = max(*finite, 0.0, 1e-12)
    highest = max(highest, min(max(map(_or_zero, curve.high), default=0.0), BAND_REACH * highest))
    up = Scale(0.0, highest * 1.06, floor, ceiling)
    canvas.label_in((left, top + 11), curve.name, PANEL_WIDTH, font_weight=600)
    canvas.text(
        (left, top + 24), f"up to {amount(max(finite, default=math.nan))}", font_size=SMALL, fill=MUTED
    )
    _draw_ground(canvas, curve.seen, across=across, up=up)
    if len(finite) == len(curve.value) > 1:
        _draw_band(canvas, curve, across=across, up=up)
        _draw_line(canvas, curve, across=across, up=up)
        _draw_present(canvas, curve, across=across, up=up)
    _draw_labels(canvas, curve, across=across, baseline=floor + 12)


def _draw_ground(canvas: Canvas, seen: float, *, across: Scale, up: Scale) -> None:
    """Shaded as far as there were media."""
    reach = across(min(seen, across.high)) if seen > 0 else across.start
    canvas.rect((across.start, up.end), (reach - across.start, PLOT_HEIGHT), fill=PALE, fill_opacity=0.45)
    canvas.line((across.start, up.start), (across.end, up.start), stroke=GREY)


def _draw_line(canvas: Canvas, curve: PanelCurve, *, across: Scale, up: Scale) -> None:
    """Whole where observed, dashed beyond; the two meet."""
    points = [(across(x), up(y)) for x, y in zip(curve.times, curve.value, strict=True)]
    edge = across(min(curve.seen, across.high))
    known, beyond = split_at(points, edge)
    canvas.polyline(known, stroke_width=2)
    if len(beyond) > 1:
        canvas.polyline(beyond, f"{curve.name}: extrapolated", stroke_width=1.6, stroke_dasharray="3 2.5")


def split_at(
    points: list[tuple[float, float]], edge: float
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Points up to `edge` and from it on, with one on the edge in both where the line crosses it."""
    known = [point for point in points if point[0] <= edge]
    beyond = [point for point in points if point[0] > edge]
    if not known or not beyond:
        return known, beyond
    (x1, y1), (x2, y2) = known[-1], beyond[0]
    share = (edge - x1) / (x2 - x1)
    meeting = (edge, y1 + share * (y2 - y1))
    return [*known, meeting] if share > 0 else known, [meeting, *beyond]


def _draw_band(canvas: Canvas, curve: PanelCurve, *, across: Scale, up: Scale) -> None:
    """Between low and high, cut where it leaves the panel."""
    if not curve.high or not all(map(math.isfinite, (*curve.low, *curve.high))):
        return
    lower = [(across(x), up(max(y, 0.0))) for x, y in zip(curve.times, curve.low, strict=True)]
    upper = [(across(x), up(min(y, up.high))) for x, y in zip(curve.times, curve.high, strict=True)]
    hint = f"{curve.name}: interval"
    canvas.polyline([*upper, *reversed(lower)], hint, fill=BLUE, fill_opacity=0.16, stroke="none")


def _draw_present(canvas: Canvas, curve: PanelCurve, *, across: Scale, up: Scale) -> None:
    now, slope = curve.now, curve.slope
    if not math.isfinite(now):
        return
    canvas.line((across(1), up(0)), (across(1), up(now)), stroke=GREY, stroke_dasharray="2 2")
    if math.isfinite(slope):
        ends = [(across(1 + side), up(now + side * slope)) for side in _tangent_reach(now, slope, up.high)]
        canvas.line(*ends, stroke=INK, stroke_width=1.1, stroke_dasharray="4 2.5")
    hint = f"{curve.name} as it was: {amount(now)}"
    canvas.dot((across(1), up(now)), 3.8, hint, fill=ORANGE, stroke="#ffffff", stroke_width=1)


def _tangent_reach(now: float, slope: float, highest: float) -> tuple[float, float]:
    """How far the slope can be drawn before it leaves the panel."""
    if slope <= 0:
        return -TANGENT, TANGENT
    return -min(TANGENT, now / slope), min(TANGENT, (highest - now) / slope)


def _draw_labels(canvas: Canvas, curve: PanelCurve, *, across: Scale, baseline: float) -> None:
    paid = curve.spend[-1] > 0
    last = amount(curve.spend[-1]) if paid else f"{decimal(curve.times[-1], 0)}×"
    canvas.text((across(0), baseline), "0", font_size=SMALL, fill=MUTED)
    canvas.text((across(across.high), baseline), last, text_anchor="end", font_size=SMALL, fill=MUTED)
    if 1.0 in curve.times and 0.3 < 1 / across.high < 0.7:
        now = amount(curve.spend[curve.times.index(1.0)]) if paid else "as it was"
        canvas.text((across(1), baseline), now, text_anchor="middle", font_size=SMALL, font_weight=600)


def _or_zero(value: float) -> float:
    return value if math.isfinite(value) else 0.0
