"""Plans and what-if answers in process: how long people wait for each kind of question.

A run is opened once, as the service does; no question is asked twice, so nothing is answered from memory.
"""

from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from benchmarks.line import Bar, Line, Setting
from benchmarks.planned_run import planned_run, questions
from benchmarks.stopwatch import seconds_of
from mmm_models.planning.changes import changes_of
from mmm_models.planning.goal_text import goal_of
from mmm_models.planning.open_planner import open_planner
from mmm_models.planning.planner import Planner

PLAN, WHAT_IF = Bar(1.0), Bar(20.0)
TOTALS, RETURNS, MARGINALS = (0.8, 1.2), (2.0, 3.0), (1.0, 2.0)  # ranges that questions are drawn from


def measure(setting: Setting) -> tuple[Line, ...]:
    """Medians and 95th percentiles; one thread, as in the service."""
    run = planned_run(setting)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return (*_whole(run, quick=setting.quick), *_by_silo(run, quick=setting.quick))
    finally:
        torch.set_num_threads(threads)


def _whole(run: Path, *, quick: bool) -> list[Line]:
    planner = _opened(run, by="all")
    repetitions = 2 if quick else 20
    lines = [Line("opening a run", _seconds([partial(_opened, run, by="all")] * repetitions)[0], "s")]
    lines += _what_if(planner, "what-if", 10 if quick else 400, bar=WHAT_IF)
    lines += _plans(planner, "plan for a total", _totals(repetitions), bar=PLAN)
    lines += _plans(planner, "plan for a total, risk 0.1", _totals(repetitions), bar=PLAN, risk=0.1)
    returns = [f"roi={share:.4f}" for share in np.linspace(*RETURNS, repetitions)]
    marginals = [f"marginal-roi={share:.4f}" for share in np.linspace(*MARGINALS, repetitions)]
    lines += _plans(planner, "plan for a return", returns, bar=PLAN)
    lines += _plans(planner, "plan for a marginal return", marginals, bar=PLAN)
    lines.append(Line("weeks planned too", _seconds([partial(planner.plan, flight=True)])[0], "s"))
    lines.append(Line("frontier", _seconds([planner.frontier])[0], "s"))
    return lines


def _by_silo(run: Path, *, quick: bool) -> list[Line]:
    planner = _opened(run, by="silo")
    return [
        *_what_if(planner, "silo by silo: what-if", 5 if quick else 100),
        *_plans(planner, "silo by silo: plan for a total", _totals(2 if quick else 10), bar=PLAN),
    ]


def _opened(run: Path, *, by: str) -> Planner:
    planner = open_planner(run, by=by)
    _ = planner.measures
    return planner


def _totals(count: int) -> list[str]:
    return [f"{100 * share:.4f}%" for share in np.linspace(*TOTALS, count)]


def _plans(
    planner: Planner, what: str, goals: list[str], *, bar: Bar, risk: float | None = None
) -> list[Line]:
    def answer(goal: str) -> object:
        total, target = (None, goal) if "=" in goal else (goal, None)
        return planner.plan(goal_of(planner, total, target), risk=risk)

    half, most, all_of_them = _seconds([partial(answer, goal) for goal in goals])
    return [Line(f"{what}, median", half, "s"), Line(f"{what}, p95", most, "s", bar, all_of_them)]


def _what_if(planner: Planner, what: str, count: int, *, bar: Bar | None = None) -> list[Line]:
    asked = [changes_of(changes) for changes in islice(questions(planner.basis.channels, seed=0), count)]
    half, most, all_of_them = _seconds([partial(planner.what_if, changes) for changes in asked])
    milliseconds = tuple(1000 * second for second in all_of_them)
    return [
        Line(f"{what}, median", 1000 * half, "ms"),
        Line(f"{what}, p95", 1000 * most, "ms", bar, milliseconds),
    ]


def _seconds(calls: list[Callable[[], object]]) -> tuple[float, float, tuple[float, ...]]:
    """Median, 95th percentile, and each."""
    taken = [seconds_of(call) for call in calls]
    return float(np.quantile(taken, 0.5)), float(np.quantile(taken, 0.95)), tuple(taken)
