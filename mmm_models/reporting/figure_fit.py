"""How well held-out weeks are predicted, unit by unit: a diagnosis of the model, not its goal."""

import math

from mmm_models.reporting.figure import Column, Figure, Table
from mmm_models.reporting.number_format import count, percent
from mmm_models.reporting.report_input import ReportInput
from mmm_models.reporting.report_words import outcome_word
from mmm_models.reporting.svg_canvas import BLUE, GREY, INK, MUTED, ORANGE, Canvas, Scale
from mmm_models.results import R2_EDGES, HoldoutFit

WIDTH, HEIGHT, TOP, FLOOR = 340.0, 116.0, 18.0, 86.0
BAR_SHARE = 0.78


def fit_figure(report: ReportInput) -> Figure:
    """Number of units by hold-out R2."""
    counts = r2_counts(report.results.holdout)
    table = Table(
        (Column("Hold-out R² from"), Column("to"), Column("Units", count)),
        tuple((*edges, units) for edges, units in zip(_edge_names(), counts, strict=True)) if counts else (),
    )
    insight = _insight(report)
    return Figure(_svg(counts, insight), table, insight, _how_to_read(report))


def r2_counts(holdout: HoldoutFit) -> tuple[float, ...]:
    """Units per R2 bucket, noised counts cut at zero; empty when nothing was released."""
    counts = holdout.r2_counts or _counted([fit.r2 for fit in holdout.per_unit])
    if len(counts) != len(R2_EDGES) + 1 or not all(map(math.isfinite, counts)):
        return ()
    cut = tuple(max(units, 0.0) for units in counts)
    return cut if sum(cut) > 0 else ()


def median_bucket(counts: tuple[float, ...]) -> int | None:
    """Index of the bucket that holds the median unit."""
    reached = 0.0
    for index, units in enumerate(counts):
        reached += units
        if reached >= sum(counts) / 2:
            return index
    return None


def _counted(values: list[float]) -> tuple[float, ...]:
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return ()
    buckets = [sum(value >= edge for edge in R2_EDGES) for value in known]
    return tuple(float(buckets.count(index)) for index in range(len(R2_EDGES) + 1))


def _insight(report: ReportInput) -> str:
    holdout = report.results.holdout
    if not math.isfinite(holdout.nrmse):
        return "Hold-out errors were not measured or not released."
    sentence = f"Held-out weeks are missed by {percent(holdout.nrmse)} of a unit's mean {_noun(report)}"
    counts = r2_counts(holdout)
    middle = median_bucket(counts)
    if middle is None:
        return f"{sentence}."
    return sentence + _verdict(counts, middle)


def _verdict(counts: tuple[float, ...], middle: int) -> str:
    if middle == 0:
        return ": for most units worse than their own average would do. Read everything here with care."
    low, high = _edge_names()[middle]
    where = f"{low} or above" if not high else f"between {low} and {high}"
    behind = counts[0] / sum(counts)
    below = f", and {percent(behind, 0)} of units do worse than their own average" if behind >= 0.005 else ""
    return f"; the median unit has R² {where}{below}."


def _how_to_read(report: ReportInput) -> str:
    return (
        "R² is the part of a unit's week-to-week movement that was predicted for the "
        f"{report.results.holdout.weeks} weeks the model never saw; below 0 the unit's own average would "
        "have done better. A good fit does not prove the attribution, a bad one is a reason to look."
    )


def _noun(report: ReportInput) -> str:
    return outcome_word(report.results).removeprefix("the ")


def _edge_names() -> list[tuple[str, str]]:
    names = [f"{edge:g}" for edge in R2_EDGES]
    return list(zip(["below", *names], [*names, ""], strict=True))


def _svg(counts: tuple[float, ...], insight: str) -> str:
    canvas = Canvas(WIDTH, HEIGHT, f"Histogram of hold-out R² over units. {insight}")
    up = Scale(0.0, max(*counts, 1e-12) if counts else 1.0, FLOOR, TOP)
    slot = WIDTH / (len(R2_EDGES) + 1)
    for index, units in enumerate(counts):
        left = slot * (index + (1 - BAR_SHARE) / 2)
        top = min(up(units), FLOOR - 0.5)
        canvas.rect((left, top), (slot * BAR_SHARE, FLOOR - top), fill=ORANGE if index == 0 else BLUE)
        middle = left + slot * BAR_SHARE / 2
        canvas.text((middle, top - 4), count(units), text_anchor="middle", font_weight=600)
    for index, (low, high) in enumerate(_edge_names()):
        name = f"below {high}" if index == 0 else f"{low}–{high}" if high else f"≥ {low}"
        canvas.text((slot * (index + 0.5), FLOOR + 13), name, text_anchor="middle", font_size=9.5, fill=INK)
    canvas.line((0, FLOOR), (WIDTH, FLOOR), stroke=GREY)
    canvas.text(
        (WIDTH / 2, FLOOR + 27), "units by hold-out R²", text_anchor="middle", font_size=9, fill=MUTED
    )
    if not counts:
        canvas.text((WIDTH / 2, FLOOR / 2), "not released", text_anchor="middle", fill=MUTED)
    return canvas.svg()
