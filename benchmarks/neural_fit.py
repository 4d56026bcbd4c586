"""The neural MMM on pooled data: 800 units x 104 weeks x 5 channels, 300 steps, and where the time goes.

Compared with its limit only. Parts are timed inside the very same `fit`, so they add up to it.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

from benchmarks.known_worlds import known_world
from benchmarks.line import Bar, Line, Setting
from benchmarks.stopwatch import median, seconds_of
from mmm_models import neural_mmm
from mmm_models.panel import Panel, pool
from mmm_models.spec import TrainingSpec

SECONDS = Bar(10.0)
PARTS = {
    "pooled_scales": "agreeing on scales",
    "prepare": "preparing unit records",
    "train": "training steps",
    "fit_readings": "mode and curvature of the posterior",
    "unit_records": "attribution",
    "holdout_errors": "fit of each unit",
}


def measure(setting: Setting) -> tuple[Line, ...]:
    """Medians over repetitions."""
    world = known_world(setting, 1).world
    panel, training = pool(world.panels), TrainingSpec(steps=3) if setting.quick else TrainingSpec()
    fits = [time_fit(panel, training, world.scenario.holdout_weeks) for _ in range(1 if setting.quick else 3)]
    size = f"{panel.n_units} units x {panel.n_weeks} weeks x {panel.n_channels} channels"
    totals = tuple(fit["total"] for fit in fits)
    lines = [Line(f"fit, {size}, {training.steps} steps", median(totals), "s", SECONDS, totals)]
    for name, what in PARTS.items():
        seconds = tuple(fit[name] for fit in fits)
        lines.append(Line(f"of which {what}", median(seconds), "s", values=seconds))
    return tuple(lines)


def time_fit(panel: Panel, training: TrainingSpec, holdout_weeks: int) -> dict[str, float]:
    """Seconds of one fit and of each of its parts."""
    seconds = dict.fromkeys(PARTS, 0.0)

    def timed(name: str, part: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            result = part(*args, **kwargs)
            seconds[name] += time.perf_counter() - began
            return result

        return call

    with ExitStack() as stack:
        for name in PARTS:
            stack.enter_context(patch.object(neural_mmm, name, timed(name, getattr(neural_mmm, name))))
        model = neural_mmm.NeuralMmm(training=training)
        total = seconds_of(lambda: model.fit(panel, holdout_weeks=holdout_weeks))
    return {**seconds, "total": total}
