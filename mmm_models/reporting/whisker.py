"""Intervals as thin lines with caps; one that leaves the picture ends in an arrow."""

import math
from collections.abc import Iterable

from mmm_models.reporting.svg_canvas import INK, Canvas, Scale
from mmm_models.results import Interval

CAP, ARROW = 3.0, 4.0
REACH = 2.5  # times the largest estimate: a channel nobody knows must not press the others flat


def shown_range(estimates: Iterable[float], intervals: Iterable[Interval]) -> tuple[float, float]:
    """What a picture makes room for: zero, all estimates, and intervals as far as `REACH` allows."""
    known = [value for value in estimates if math.isfinite(value)]
    reach = REACH * max(map(abs, known), default=0.0)
    ends = [end for interval in intervals for end in (interval.low, interval.high) if math.isfinite(end)]
    inside = [min(max(end, -reach), reach) for end in ends]
    return min(0.0, *known, *inside, 0.0), max(0.0, *known, *inside, 0.0)


def draw_whisker(canvas: Canvas, across: Scale, middle: float, interval: Interval, colour: str = INK) -> None:
    """From the interval's low to its high end at height `middle`; nothing for one that is not known."""
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return
    start, end = across(max(interval.low, across.low)), across(min(interval.high, across.high))
    ends = (start, middle), (end, middle)
    canvas.line(*ends, stroke="#ffffff", stroke_width=3.0, stroke_opacity=0.75)  # seen on bars as well
    canvas.line(*ends, stroke=colour, stroke_width=1.2)
    _draw_end(canvas, (start, middle), -1.0 if interval.low < across.low else 0.0, colour)
    _draw_end(canvas, (end, middle), 1.0 if interval.high > across.high else 0.0, colour)


def _draw_end(canvas: Canvas, at: tuple[float, float], beyond: float, colour: str) -> None:
    """A cap, or an arrow head to the side that the interval goes `beyond`."""
    (x, y), back = at, ARROW * beyond
    points = [(x - back, y - CAP), (x, y), (x - back, y + CAP)]
    canvas.polyline(points, stroke=colour, stroke_width=1.2)
