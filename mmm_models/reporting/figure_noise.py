"""Accuracy against epsilon in words and numbers; `noise_chart` draws it."""

import math

from mmm_models.reporting.figure import Cell, Column, Figure, Table
from mmm_models.reporting.noise_chart import draw_noise_chart, signed_tenths
from mmm_models.reporting.noise_costs import NOISE_NAMES, NoiseCost, NoiseCosts, noise_costs
from mmm_models.reporting.number_format import count, decimal, percent, points, significant
from mmm_models.reporting.report_input import ReportInput

MEANINGS = {
    "central": "central noise is added by a curator who sees all data",
    "distributed": "distributed noise by all silos together inside a secure sum",
    "local": "local noise by each silo for itself",
}
NOTHING_LESS = 0.005  # points; below it, two decimals would show no cost


def noise_figure(report: ReportInput) -> Figure:
    """Share error and hold-out error over epsilon; what ended without a model is a cross at the top."""
    costs = noise_costs(report.arms)
    insight = noise_insight(costs)
    return Figure(draw_noise_chart(costs, insight), noise_table(costs), insight, _how_to_read(costs))


def noise_table(costs: NoiseCosts) -> Table:
    """Every kind of noise at every epsilon, smallest first."""
    columns = (
        Column("Epsilon", significant),
        Column("Noise"),
        Column("Share error (points)", points),
        Column("Lowest", points),
        Column("Highest", points),
        Column("More than without noise", _signed_points),
        Column("Mean channel error", percent),
        Column("Hold-out nRMSE", percent),
        Column("Relative to no noise", signed_tenths),
        Column("Runs", count),
    )
    rows = [_row(row, costs) for epsilon in costs.epsilons for row in costs.at(epsilon).values()]
    return Table(columns, tuple(rows))


def noise_insight(costs: NoiseCosts) -> str:
    """What noise costs at the smallest and at the largest epsilon, and who wins, in one or two sentences."""
    if not costs.rows or not math.isfinite(costs.share_error_points):
        return "No run with noise beside one without; nothing to compare."
    ends = dict.fromkeys((costs.epsilons[0], costs.epsilons[-1]))
    told = "; ".join(f"at ε {epsilon:g} {_prices(costs, epsilon)}" for epsilon in ends)
    told = told.replace(" points", " points of share error", 1)
    return f"{told[0].upper()}{told[1:]}.{_duel(costs)}"


def _row(row: NoiseCost, costs: NoiseCosts) -> tuple[Cell, ...]:
    runs: Cell = row.runs if row.finished == row.runs else f"{row.finished} of {row.runs}"
    if not row.finished:
        return (row.epsilon, row.privacy, "no model", *[""] * 6, runs)
    error = row.share_error_points
    shares = (error.mean, error.lowest, error.highest, costs.extra_points(row))
    fit = (row.mean_relative_error.mean, row.nrmse.mean, costs.extra_nrmse(row.nrmse.mean))
    return (row.epsilon, row.privacy, *shares, *fit, runs)


def _prices(costs: NoiseCosts, epsilon: float) -> str:
    rows = costs.at(epsilon)
    return ", ".join(
        f"{NOISE_NAMES[kind]} {_price(costs, rows[kind])}" for kind in NOISE_NAMES if kind in rows
    )


def _price(costs: NoiseCosts, row: NoiseCost) -> str:
    if not row.finished:
        return "leaves no model"
    extra = costs.extra_points(row)
    return f"costs {points(extra)} points" if extra >= NOTHING_LESS else "costs nothing"


def _duel(costs: NoiseCosts) -> str:
    """At how many epsilons noise that is shared beats noise that each silo adds in full."""
    both = [
        rows for epsilon in costs.epsilons if {"local", "distributed"} <= (rows := costs.at(epsilon)).keys()
    ]
    if not both:
        return ""
    won = sum(_loss(rows["distributed"]) < _loss(rows["local"]) for rows in both)
    if not won:
        return " Distributed noise does not beat local noise."
    if won == len(both):
        return f" Distributed noise beats local noise{' at every epsilon' if won > 1 else ''}."
    return f" Distributed noise beats local noise at {won} of {len(both)} epsilons."


def _loss(row: NoiseCost) -> float:
    """A run without a model is worse than any with one."""
    return row.share_error_points.mean if row.finished == row.runs else math.inf


def _how_to_read(costs: NoiseCosts) -> str:
    most = max((row.runs for row in costs.rows), default=1)
    random = (
        f"Marks are means of {most} runs, pale bars reach from the best to the worst of them; differences "
        "smaller than the bars may be luck."
        if most > 1
        else "One run each: noise is random, and another run's points lie elsewhere."
    )
    meanings = "; ".join(MEANINGS[kind] for kind in MEANINGS if kind in costs.kinds)
    lost = " A cross: noise left too little to train on." if costs.any_lost else ""
    end = f" {meanings[0].upper()}{meanings[1:]}." if meanings else ""
    return f"Lower is better. {random}{lost}{end} Every line is trained by the same method as the dashed one."


def _signed_points(value: float | None) -> str:
    text = decimal(value, 2)
    return f"+{text}" if value is not None and value >= NOTHING_LESS else text
