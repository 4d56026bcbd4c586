"""A plan on disk: `plan.json`, `plan.csv` and `flights.csv`, or `frontier.json` and `frontier.csv`."""

import csv
import io
import json
import math
from collections.abc import Iterable
from pathlib import Path

from mmm_models.planning.answer_json import answer_json
from mmm_models.planning.frontier import Frontier
from mmm_models.planning.plan import Plan
from mmm_models.reporting.result_files import write_whole

Cell = str | float
PLAN_COLUMNS = (
    *("part", "channel", "last_spend", "spend", "floor", "ceiling", "last_revenue", "revenue"),
    *(
        "revenue_low",
        "revenue_high",
        "marginal_roi",
        "marginal_roi_low",
        "marginal_roi_high",
        "bound",
        "reach",
    ),
)


def write_answer(answer: Plan | Frontier, directory: Path) -> tuple[Path, ...]:
    """Write each file, whole or not at all; the JSON file, which holds everything, last."""
    directory.mkdir(parents=True, exist_ok=True)
    texts = _plan_tables(answer) if isinstance(answer, Plan) else {"frontier.csv": _frontier_csv(answer)}
    name = "plan.json" if isinstance(answer, Plan) else "frontier.json"
    texts[name] = json.dumps(answer_json(answer), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    for file, text in texts.items():
        write_whole(directory / file, text)
    if isinstance(answer, Plan) and not answer.flights:
        (directory / "flights.csv").unlink(missing_ok=True)  # those of an earlier plan
    return tuple(directory / file for file in texts)


def _plan_tables(plan: Plan) -> dict[str, str]:
    rows = [
        (
            *(cell.part, cell.channel, cell.last_spend, cell.spend, cell.floor, cell.ceiling),
            *(cell.last_revenue, cell.revenue, cell.revenue_interval.low, cell.revenue_interval.high),
            *(cell.marginal_roi, cell.marginal_roi_interval.low, cell.marginal_roi_interval.high),
            *(cell.bound, cell.reach),
        )
        for cell in plan.cells
    ]
    texts = {"plan.csv": _csv(PLAN_COLUMNS, rows)}
    if plan.flights:
        weekly: list[tuple[Cell, ...]] = [
            (flight.part, flight.channel, week, spend, last)
            for flight in plan.flights
            for week, (spend, last) in enumerate(zip(flight.spend, flight.last_spend, strict=True), 1)
        ]
        texts["flights.csv"] = _csv(("part", "channel", "week", "spend", "last_spend"), weekly)
    return texts


def _frontier_csv(frontier: Frontier) -> str:
    columns = ("label", "kind", "total", "revenue", "revenue_low", "revenue_high", "part", "channel", "spend")
    rows = [
        (
            *(point.label, point.kind, point.split.spend, point.split.revenue),
            *(point.split.revenue_interval.low, point.split.revenue_interval.high),
            *cell,
        )
        for point in (*frontier.budgets, *frontier.risks)
        for cell in point.cells
    ]
    return _csv(columns, rows)


def _csv(header: Iterable[str], rows: Iterable[tuple[Cell, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Cell) -> str:
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else ""
    return str(value)
