"""The same world trained in several ways: what federation, masks and noise cost in accuracy."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from textwrap import wrap

from mmm_models.reporting.figure import Cell, Column, Figure, Table
from mmm_models.reporting.noise_costs import ways_of_training
from mmm_models.reporting.number_format import (
    decimal,
    percent,
    points,
    seconds,
    signed_percent,
    size_in_bytes,
)
from mmm_models.reporting.report_input import ArmRow, ReportInput
from mmm_models.reporting.svg_canvas import BLUE, GREY, MUTED, RULE, TEXT_SIZE, Canvas, Scale

WIDTH, ROW, TOP, BAR = 340.0, 31.0, 20.0, 12.0
NAME_WIDTH, PANEL, GAP, NUMBER = 116.0, 104.0, 14.0, 38.0
NAME_LETTERS = 21
MOST_COLUMNS = 6  # of errors, on half a page


def arms_figure(report: ReportInput) -> Figure:
    """Share error beside hold-out error: the second hides what the first shows."""
    arms = ways_of_training(report.arms)
    insight = _insight(arms)
    return Figure(draw_arms(arms, insight), arms_table(report), insight, HOW_TO_READ)


HOW_TO_READ = (
    "Share error: mean distance of channel shares from the truth, in percentage points. Hold-out nRMSE: "
    "error of predictions for unseen weeks. Shorter is better; predictions can stay good while attribution "
    "does not."
)


def arms_table(report: ReportInput) -> Table:
    """Every measure of every way of training."""
    return measures_table(ways_of_training(report.arms))


def channel_errors_table(report: ReportInput) -> Table:
    """Every channel's error by way of training."""
    return errors_table(ways_of_training(report.arms))


def measures_table(arms: Sequence[ArmRow], *, families: bool = False) -> Table:
    """Every measure of every arm: what they cost in privacy and traffic, unless they are `families` of models."""
    columns: list[tuple[Column, list[Cell]]] = [
        (Column("Model" if families else "Trained"), [arm.name for arm in arms]),
        (Column("Share error (points)", points), [arm.share_error_points for arm in arms]),
        (Column("Mean channel error", percent), [arm.mean_relative_error for arm in arms]),
        (Column("All media error", signed_percent), [arm.total_media_error for arm in arms]),
    ]
    if any(math.isfinite(arm.interval_coverage) for arm in arms):
        whole = Column("Intervals hold truth", partial(percent, digits=0))
        columns.append((whole, [arm.interval_coverage for arm in arms]))
    columns.append((Column("Hold-out nRMSE", percent), [arm.nrmse for arm in arms]))
    columns.append((Column("MAPE", percent), [arm.mape for arm in arms]))
    if not families:
        columns.append(
            (Column("Epsilon", decimal), ["none" if a.epsilon is None else a.epsilon for a in arms])
        )
    columns.append((Column("Time", seconds), [arm.seconds for arm in arms]))
    if not families:
        columns.append((Column("Sent per silo", size_in_bytes), [arm.bytes_per_silo for arm in arms]))
    cells = [values for _, values in columns]
    return Table(tuple(column for column, _ in columns), tuple(zip(*cells, strict=True)))


def errors_table(arms: Sequence[ArmRow]) -> Table:
    """Signed relative error of every channel's contribution: one column per arm, or per channel with many arms."""
    names = list(dict.fromkeys(name for arm in arms for name in arm.channel_errors))
    if len(arms) > MOST_COLUMNS:
        by_arm = tuple((arm.name, *map(arm.channel_errors.get, names)) for arm in arms)
        return Table((Column("Error"), *(Column(name, signed_percent) for name in names)), by_arm)
    rows = tuple((name, *(arm.channel_errors.get(name) for arm in arms)) for name in names)
    return Table((Column("Error"), *(Column(arm.name, signed_percent) for arm in arms)), rows)


def _insight(arms: tuple[ArmRow, ...]) -> str:
    known = [arm for arm in arms if math.isfinite(arm.share_error_points)]
    if len(known) < 2:
        return "One way of training only; nothing to compare."
    reference, last = known[0], known[-1]
    worst = max(known, key=lambda arm: arm.share_error_points)
    sentence = f"Channel shares are {_off(reference)}"
    if worst not in (reference, last):
        sentence += f", {_off(worst)}"
    return f"{sentence}, {_off(last)}; {_prediction(known)}"


def _off(arm: ArmRow) -> str:
    return f"{points(arm.share_error_points)} points off for “{arm.name}”"


def _prediction(arms: list[ArmRow]) -> str:
    errors = [arm.nrmse for arm in arms if math.isfinite(arm.nrmse)]
    if not errors:
        return "prediction errors are not known."
    lowest, highest = percent(min(errors)), percent(max(errors))
    if lowest == highest:
        return f"hold-out nRMSE is {lowest} for all and shows none of it."
    return f"hold-out nRMSE lies between {lowest} and {highest}."


def draw_arms(arms: tuple[ArmRow, ...], insight: str) -> str:
    """Share error and hold-out error of every arm as bars."""
    canvas = Canvas(
        WIDTH, TOP + ROW * max(len(arms), 1) + 2, f"Bar charts of share error and hold-out error. {insight}"
    )
    first, second = NAME_WIDTH, NAME_WIDTH + PANEL + GAP
    canvas.text((first, 10), "share error, points", font_size=9, fill=MUTED)
    canvas.text((second, 10), "hold-out nRMSE", font_size=9, fill=MUTED)
    for index, arm in enumerate(arms):
        middle = TOP + ROW * (index + 0.5)
        _draw_name(canvas, arm.name, middle=middle)
        canvas.line((0, middle + ROW / 2), (WIDTH, middle + ROW / 2), stroke=RULE, stroke_width=0.5)
    _draw_bars(canvas, first, [arm.share_error_points for arm in arms], points)
    _draw_bars(canvas, second, [arm.nrmse for arm in arms], percent)
    return canvas.svg()


def _draw_name(canvas: Canvas, name: str, *, middle: float) -> None:
    lines = wrap(name, NAME_LETTERS, max_lines=3, placeholder="…") or [""]
    size = TEXT_SIZE if len(lines) == 1 else 9.0
    for index, line in enumerate(lines):
        baseline = middle + 3.5 + 10 * (index - (len(lines) - 1) / 2)
        canvas.label_in((0, baseline), line, NAME_WIDTH - 6, font_size=size)


def _draw_bars(canvas: Canvas, left: float, values: list[float], show: Callable[[float | None], str]) -> None:
    finite = [value for value in values if math.isfinite(value)]
    scale = Scale(0.0, max(*finite, 0.0, 1e-12), left, left + PANEL - NUMBER)
    for index, value in enumerate(values):
        middle = TOP + ROW * (index + 0.5)
        end = scale(value) if math.isfinite(value) else left
        if math.isfinite(value):
            canvas.rect((left, middle - BAR / 2), (max(end - left, 0.5), BAR), fill=BLUE if index else GREY)
        canvas.text((end + 4, middle + 3.5), show(value), font_weight=600)
    canvas.line((left, TOP), (left, canvas.height - 2), stroke=GREY)
