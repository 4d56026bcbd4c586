"""How training went, round by round."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mmm_models.reporting.figure import Column, Figure, Table
from mmm_models.reporting.number_format import amount, count, decimal, percent, significant
from mmm_models.reporting.number_format import seconds as duration
from mmm_models.reporting.report_input import ReportInput, RoundPoint
from mmm_models.reporting.svg_canvas import BLUE, GREY, MUTED, ORANGE, Canvas, Scale, nice_ticks

WIDTH, HEIGHT, LEFT, RIGHT, TOP, FLOOR = 340.0, 116.0, 40.0, 332.0, 20.0, 86.0
FINE_SPREAD = 0.005  # below half a percentage point, one decimal would label all lines alike


@dataclass(frozen=True)
class Curve:
    """The measure that is drawn: hold-out error where rounds report it, else the loss."""

    name: str
    show: Callable[[float | None], str]
    points: tuple[tuple[int, float], ...]


def training_figure(report: ReportInput) -> Figure:
    """One line over the rounds; rounds in which a silo was missing are ticked below."""
    rounds = report.rounds
    columns = (
        Column("Round", count),
        Column("Loss", significant),
        Column("Hold-out nRMSE", percent),
        Column("Silos", count),
        Column("Seconds", duration),
        Column("Epsilon spent", decimal),
    )
    rows = tuple((row.round, row.loss, row.nrmse, row.silos, row.seconds, row.epsilon) for row in rounds)
    curve = training_curve(rounds)
    insight = _insight(rounds, curve)
    return Figure(_svg(rounds, curve, insight), Table(columns, rows), insight, _how_to_read(rounds, curve))


def training_curve(rounds: tuple[RoundPoint, ...]) -> Curve:
    """Hold-out error where at least two rounds have it, else the loss."""
    errors, losses = _known(rounds, "nrmse"), _known(rounds, "loss")
    if len(errors) < 2 and losses:
        return Curve("training loss", amount, losses)
    values = [value for _, value in errors]
    fine = bool(values) and max(values) - min(values) < FINE_SPREAD
    return Curve("hold-out nRMSE", partial(percent, digits=2) if fine else percent, errors)


def late_change(curve: Curve) -> float:
    """Share of the whole movement that happened in the last quarter of the rounds; NaN where unknown."""
    values = [value for _, value in curve.points]
    if len(values) < 4:
        return math.nan
    spread = max(values) - min(values)
    return abs(values[-1] - values[-1 - len(values) // 4]) / spread if spread > 0 else 0.0


def missing_silos(rounds: tuple[RoundPoint, ...]) -> tuple[RoundPoint, ...]:
    """Rounds in which fewer silos answered than in the fullest one."""
    most = max((row.silos for row in rounds), default=0)
    return tuple(row for row in rounds if row.silos < most)


def _known(rounds: tuple[RoundPoint, ...], field: str) -> tuple[tuple[int, float], ...]:
    values = [(row.round, getattr(row, field)) for row in rounds]
    return tuple((number, value) for number, value in values if value is not None and math.isfinite(value))


def _insight(rounds: tuple[RoundPoint, ...], curve: Curve) -> str:
    if not curve.points:
        return f"{_rounds(len(rounds))}; neither loss nor error was reported."
    first, last = curve.points[0][1], curve.points[-1][1]
    verb = "fell" if last < first else "rose" if last > first else "stayed"
    sentence = (
        f"The {curve.name} {verb} from {curve.show(first)} to {curve.show(last)} in {_rounds(len(rounds))}"
    )
    took = sum(row.seconds for row in rounds)
    sentence += f" ({duration(took)})" if math.isfinite(took) and took > 0 else ""
    missed = missing_silos(rounds)
    if not missed:
        return f"{sentence}; every silo answered every time."
    return f"{sentence}; in {len(missed)} of them at least one silo was missing."


def _rounds(number: int) -> str:
    return "1 round" if number == 1 else f"{count(number)} rounds"


def _how_to_read(rounds: tuple[RoundPoint, ...], curve: Curve) -> str:
    is_loss = curve.name == "training loss"
    text = "A line that is flat at the end has settled"
    text += ". Losses compare rounds of one run only." if is_loss else "; rising again means overfitting."
    return f"{text} Ticks on the axis mark rounds without a silo." if missing_silos(rounds) else text


def _svg(rounds: tuple[RoundPoint, ...], curve: Curve, insight: str) -> str:
    canvas = Canvas(WIDTH, HEIGHT, f"Line chart of the {curve.name} by round. {insight}")
    numbers = [row.round for row in rounds]
    across = Scale(min(numbers, default=0), max(numbers, default=1), LEFT, RIGHT)
    canvas.line((LEFT, FLOOR), (RIGHT, FLOOR), stroke=GREY)
    canvas.text((0, 9), curve.name, font_size=9, fill=MUTED)
    for tick in nice_ticks(across.low, across.high, 5):
        if tick == int(tick):
            canvas.text(
                (across(tick), FLOOR + 13), f"{tick:g}", text_anchor="middle", font_size=9, fill=MUTED
            )
    canvas.text(((LEFT + RIGHT) / 2, FLOOR + 27), "round", text_anchor="middle", font_size=9, fill=MUTED)
    if curve.points:
        _draw_curve(canvas, curve, across)
    for row in missing_silos(rounds):
        hint = f"round {row.round}: {row.silos} silos"
        canvas.rect((across(row.round) - 0.8, FLOOR - 5), (1.6, 5), hint, fill=ORANGE)
    return canvas.svg()


def _draw_curve(canvas: Canvas, curve: Curve, across: Scale) -> None:
    values = [value for _, value in curve.points]
    low, high = min(values), max(values)
    margin = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    up = Scale(low - margin, high + margin, FLOOR, TOP)
    for tick in nice_ticks(up.low, up.high, 3):
        canvas.line((LEFT, up(tick)), (RIGHT, up(tick)), stroke_width=0.6)
        name = curve.show(tick)
        canvas.text((LEFT - 5, up(tick) + 3), name, text_anchor="end", font_size=9, fill=MUTED)
    points = [(across(number), up(value)) for number, value in curve.points]
    canvas.polyline(points, stroke_width=1.8)
    canvas.dot(points[-1], 3.2, fill=BLUE)
    above = points[-1][1] > TOP + 14
    label = (RIGHT, points[-1][1] - 7 if above else points[-1][1] + 14)
    canvas.text(label, curve.show(values[-1]), text_anchor="end", font_weight=600)
