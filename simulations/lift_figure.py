"""The experiment's answer beside the truth, and beside what one would believe without an experiment."""

from __future__ import annotations

from dataclasses import dataclass

from mmm_models.reporting.figure import Column, Figure, Table
from mmm_models.reporting.number_format import decimal
from mmm_models.reporting.svg_canvas import BLUE, GREY, INK, MUTED, RULE, Canvas, Scale, nice_ticks

_WIDTH, _HEIGHT, _LEFT, _RIGHT = 560.0, 108.0, 150.0, 30.0
_ROWS = {"experiment": 26.0, "naive": 58.0}


@dataclass(frozen=True)
class LiftReading:
    """Shares of people who buy because of the campaign: measured with its interval, believed, and true."""

    lift: float
    low: float
    high: float
    naive: float
    truth: float

    @property
    def holds_truth(self) -> bool:
        """Whether the interval covers the truth."""
        return self.low <= self.truth <= self.high


def lift_figure(reading: LiftReading) -> Figure:
    """An interval, a dot and a diamond on one axis of percentage points."""
    insight = _insight(reading)
    canvas = Canvas(_WIDTH, _HEIGHT, insight)
    points = [100 * value for value in (reading.low, reading.high, reading.naive, reading.truth, 0.0)]
    scale = Scale(min(points), max(points) * 1.05, _LEFT, _WIDTH - _RIGHT)
    _axis(canvas, scale)
    _row(canvas, "experiment", "test against control")
    y = _ROWS["experiment"]
    canvas.line((scale(points[0]), y), (scale(points[1]), y), stroke=BLUE, stroke_width=3)
    canvas.dot((scale(100 * reading.lift), y), 5, hint="measured")
    canvas.diamond((scale(points[3]), y), 7, hint="true lift")
    _row(canvas, "naive", "exposed against not")
    canvas.dot((scale(points[2]), _ROWS["naive"]), 5, hint="without an experiment", fill=GREY)
    return Figure(canvas.svg(), _table(reading), insight, _READING)


_READING = (
    "Percentage points of people who buy because of the campaign. Line: 95 % interval of the experiment; open diamond: "
    "the truth, known because the world is made; grey dot: what those who saw the campaign buy more than the others."
)


def _axis(canvas: Canvas, scale: Scale) -> None:
    for tick in nice_ticks(scale.low, scale.high):
        x = scale(tick)
        canvas.line((x, 8), (x, 78), stroke=INK if tick == 0 else RULE)
        canvas.text((x, 94), f"{tick:g}", text_anchor="middle", fill=MUTED)


def _row(canvas: Canvas, row: str, label: str) -> None:
    canvas.text((0, _ROWS[row] + 4), label)


def _insight(reading: LiftReading) -> str:
    verdict = "holds" if reading.holds_truth else "misses"
    return (
        f"The campaign made {_points(reading.lift)} of 100 people buy who would not have "
        f"({_points(reading.low)} to {_points(reading.high)}); the interval {verdict} the truth, "
        f"{_points(reading.truth)}. Comparing exposed people with the others would have said "
        f"{_points(reading.naive)}."
    )


def _table(reading: LiftReading) -> Table:
    rows = (
        ("Experiment", reading.lift, reading.low, reading.high),
        ("Exposed against not exposed", reading.naive, "", ""),
        ("Truth", reading.truth, "", ""),
    )
    columns = ("Lift (points)", "At least", "At most")
    return Table((Column(""), *(Column(name, _points) for name in columns)), rows)


def _points(value: float | None) -> str:
    return decimal(None if value is None else 100 * value)
