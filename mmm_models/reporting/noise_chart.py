"""Two line charts over epsilon: share error, and hold-out error relative to no noise."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from mmm_models.reporting.noise_costs import NOISE_NAMES, NoiseCost, NoiseCosts
from mmm_models.reporting.number_format import points, signed_percent
from mmm_models.reporting.svg_canvas import (
    BLUE,
    GREY,
    INK,
    MUTED,
    ORANGE,
    Canvas,
    Point,
    Scale,
    nice_ticks,
    text_width,
)

WIDTH, HEIGHT = 700.0, 206.0
TOP, FLOOR, AXIS, PANEL, GAP, INSET = 44.0, 168.0, 40.0, 296.0, 28.0, 16.0
SMALL, APART = 9.0, 5.0  # kinds of noise stand a little apart, so that none hides another
COLOURS = {"distributed": BLUE, "local": ORANGE, "central": INK}


@dataclass(frozen=True)
class Panel:
    """One of the two pictures: what is drawn of a row, its mean and its runs, and where no noise lies."""

    title: str
    left: float
    mean: Callable[[NoiseCost], float]
    extremes: Callable[[NoiseCost], tuple[float, float]]
    without_noise: float
    show: Callable[[float | None], str]


def draw_noise_chart(costs: NoiseCosts, insight: str) -> str:
    """The picture; what ended without a model is a cross at the top."""
    canvas = Canvas(WIDTH, HEIGHT, f"Line charts of accuracy by epsilon. {insight}")
    _draw_legend(canvas, costs)
    for panel in _panels(costs):
        _draw_panel(canvas, panel, costs)
    return canvas.svg()


def _panels(costs: NoiseCosts) -> tuple[Panel, Panel]:
    return (
        Panel(
            "share error, points",
            AXIS,
            lambda row: row.share_error_points.mean,
            lambda row: (row.share_error_points.lowest, row.share_error_points.highest),
            costs.share_error_points,
            points,
        ),
        Panel(
            "hold-out nRMSE, relative to no noise",
            AXIS + PANEL + GAP + AXIS,
            lambda row: costs.extra_nrmse(row.nrmse.mean),
            lambda row: (costs.extra_nrmse(row.nrmse.lowest), costs.extra_nrmse(row.nrmse.highest)),
            0.0 if costs.nrmse > 0 else math.nan,
            _signed_hundredths,
        ),
    )


def _draw_legend(canvas: Canvas, costs: NoiseCosts) -> None:
    left = 0.0
    for kind in (kind for kind in COLOURS if kind in costs.kinds):
        _draw_mark(canvas, (left + 4, 8), kind)
        left = _legend_text(canvas, left + 13, NOISE_NAMES[kind])
    canvas.line((left, 8), (left + 20, 8), stroke=GREY, stroke_width=1.4, stroke_dasharray="4 3")
    left = _legend_text(canvas, left + 26, "no noise")
    if costs.any_lost:
        _draw_cross(canvas, (left + 4, 8), MUTED, "")
        _legend_text(canvas, left + 13, "no model")


def _legend_text(canvas: Canvas, left: float, text: str) -> float:
    """Where the next entry starts."""
    canvas.text((left, 11.5), text)
    return left + text_width(text) + 16


def _draw_panel(canvas: Canvas, panel: Panel, costs: NoiseCosts) -> None:
    right = panel.left + PANEL
    across = _across(costs.epsilons, panel.left + INSET, right - INSET)
    up = _up(panel, costs)
    canvas.text((panel.left - AXIS, 32), panel.title, font_size=SMALL, fill=MUTED)
    for tick in nice_ticks(up.low, up.high, 4):
        canvas.line((panel.left, up(tick)), (right, up(tick)), stroke_width=0.6)
        label = (panel.left - 5, up(tick) + 3)
        canvas.text(label, panel.show(tick), text_anchor="end", font_size=SMALL, fill=MUTED)
    canvas.line((panel.left, FLOOR), (right, FLOOR), stroke=GREY)
    _draw_epsilons(canvas, costs.epsilons, across)
    canvas.text(
        (right, FLOOR + 27), "epsilon, on a log scale", text_anchor="end", font_size=SMALL, fill=MUTED
    )
    if math.isfinite(panel.without_noise):
        level = up(panel.without_noise)
        canvas.line(
            (panel.left, level), (right, level), stroke=GREY, stroke_width=1.4, stroke_dasharray="4 3"
        )
    for kind in reversed([kind for kind in COLOURS if kind in costs.kinds]):
        rows = [costs.at(epsilon)[kind] for epsilon in costs.epsilons if kind in costs.at(epsilon)]
        _draw_kind(canvas, panel, rows, across=across, up=up)


def _draw_epsilons(canvas: Canvas, epsilons: tuple[float, ...], across: Callable[[float], float]) -> None:
    free_from = -math.inf
    for epsilon in epsilons:
        name, middle = f"{epsilon:g}", across(epsilon)
        half = text_width(name, size=SMALL) / 2
        canvas.line((middle, FLOOR), (middle, FLOOR + 3), stroke=GREY)
        if middle - half > free_from:
            canvas.text((middle, FLOOR + 13), name, text_anchor="middle", font_size=SMALL, fill=MUTED)
            free_from = middle + half + 3


def _draw_kind(
    canvas: Canvas, panel: Panel, rows: list[NoiseCost], *, across: Callable[[float], float], up: Scale
) -> None:
    """The line of one kind of noise, broken where no model came out; upright, from the best run to the worst."""
    kind, colour, path = rows[0].privacy, COLOURS[rows[0].privacy], list[Point]()
    beside = APART * (list(COLOURS).index(kind) - 1)
    for row in rows:
        middle, value = across(row.epsilon) + beside, panel.mean(row)
        if not math.isfinite(value):
            _draw_line(canvas, path, colour)
            path = []
            _draw_cross(canvas, (middle, TOP + 5), colour, f"{_hint(row)}: {row.failure or 'not known'}")
            continue
        path.append((middle, up(value)))
        low, high = panel.extremes(row)
        canvas.line((middle, up(low)), (middle, up(high)), stroke=colour, stroke_opacity=0.4, stroke_width=3)
    _draw_line(canvas, path, colour)
    for row in rows:
        if math.isfinite(value := panel.mean(row)):
            at = (across(row.epsilon) + beside, up(value))
            _draw_mark(canvas, at, kind, f"{_hint(row)}: {panel.show(value)}")


def _hint(row: NoiseCost) -> str:
    return f"{NOISE_NAMES[row.privacy]}, epsilon {row.epsilon:g}"


def _draw_line(canvas: Canvas, path: list[Point], colour: str) -> None:
    if len(path) > 1:
        canvas.polyline(path, stroke=colour, stroke_width=1.8)


def _draw_mark(canvas: Canvas, middle: Point, kind: str, hint: str = "") -> None:
    """Shapes differ as well as colours: a disc, a square, an open circle."""
    if kind == "local":
        canvas.rect((middle[0] - 3.2, middle[1] - 3.2), (6.4, 6.4), hint, fill=COLOURS[kind])
    elif kind == "central":
        canvas.dot(middle, 3.4, hint, fill="#ffffff", stroke=COLOURS[kind], stroke_width=1.4)
    else:
        canvas.dot(middle, 3.6, hint, fill=COLOURS[kind])


def _draw_cross(canvas: Canvas, middle: Point, colour: str, hint: str) -> None:
    (x, y), arm = middle, 3.5
    corners = [(x - arm, y - arm), (x + arm, y + arm), (x, y), (x - arm, y + arm), (x + arm, y - arm)]
    canvas.polyline(corners, hint, stroke=colour, stroke_width=2)


def _across(epsilons: tuple[float, ...], start: float, end: float) -> Callable[[float], float]:
    """Position by the logarithm; a single epsilon stands in the middle."""
    if len(epsilons) < 2:
        return lambda epsilon: (start + end) / 2
    scale = Scale(math.log(epsilons[0]), math.log(epsilons[-1]), start, end)
    return lambda epsilon: scale(math.log(epsilon))


def _up(panel: Panel, costs: NoiseCosts) -> Scale:
    """From zero, or below it where values are, to a little above the highest."""
    drawn = [end for row in costs.rows if row.finished for end in panel.extremes(row)]
    finite = [value for value in (*drawn, panel.without_noise) if math.isfinite(value)]
    low, high = min(*finite, 0.0, 0.0), max(*finite, 0.0, 0.0)
    room = 0.1 * (high - low) or 0.01
    crosses = 2 * room if costs.any_lost else 0.0  # they stand above everything
    below = room if min(low, panel.without_noise) <= 0 else 0.0
    return Scale(low - below, high + room + crosses, FLOOR, TOP)


def signed_tenths(fraction: float | None) -> str:
    """A small relative difference: 0.004 is `+0.4 %`."""
    return signed_percent(fraction, 1)


def _signed_hundredths(fraction: float | None) -> str:
    return signed_percent(fraction, 2)
