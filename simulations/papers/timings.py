"""How long training, planning and answering take, in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from mmm_models.neural_mmm import NeuralMmm
from mmm_models.panel import pool
from mmm_models.planning.changes import Change
from mmm_models.planning.planner import Planner
from simulations.papers.claims import Reading
from simulations.papers.feature_timing import FeatureTiming
from simulations.scenario import Scenario
from simulations.world import make_world

WEEKS = 100
MORE = 1.2  # of each channel in turn, what if


def training_reading(scenario: Scenario, records: int) -> Reading:
    """Fit the neural MMM once to a world of so many unit-weeks in the scenario's silos, intervals included.

    The world is made before the clock starts.
    """
    units = max(1, records // (WEEKS * scenario.silos))
    world = make_world(scenario.model_copy(update={"units_per_silo": units, "weeks": WEEKS}))
    panel = pool(world.panels)
    seconds = seconds_of(partial(NeuralMmm().fit, panel, holdout_weeks=scenario.holdout_weeks))
    return Reading("training", f"neural MMM, {panel.n_units * panel.n_weeks:,} records", (seconds,))


def features_reading(timing: FeatureTiming) -> Reading:
    """One value a build."""
    return Reading("features", f"{timing.records:,} records, {timing.columns} columns", timing.seconds)


def planning_readings(runs: Sequence[Path], setting: str) -> tuple[Reading, ...]:
    """One plan from each stored run; then a first question, which works out what later ones share, and one about each
    channel. Files are read before the clock starts."""
    planned, read, answered = [], [], []
    for run in runs:
        planned.append(seconds_of(Planner.of_run(run).plan))
        planner = Planner.of_run(run)
        questions = [Change(name, factor=MORE) for name in planner.basis.channels]
        read.append(seconds_of(partial(planner.what_if, questions)))
        answered += [seconds_of(partial(planner.what_if, [one])) for one in questions]
    return (
        Reading("optimisation", setting, tuple(planned)),
        Reading("what-if", f"{setting}, one channel", tuple(answered)),
        Reading("what-if", f"{setting}, the first question", tuple(read), judged=False),
    )


def seconds_of(ask: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    began = time.perf_counter()
    ask()
    return time.perf_counter() - began
