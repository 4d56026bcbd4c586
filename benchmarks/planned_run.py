"""The run that planning is measured on: five channels, five silos of four regions, one model on pooled data."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.known_worlds import known_world
from benchmarks.line import Setting
from mmm_models.spec import ModelSpec, TrainingSpec
from simulations.pooled_run import PooledSettings, fit_pooled

SEED = 1
LEAST, MOST = 0.5, 1.5  # of a channel's media: what people ask about, and here and there beyond the observed


@lru_cache(maxsize=2)
def planned_run(setting: Setting) -> Path:
    """Fitted once, however many benchmarks ask."""
    world = known_world(setting, SEED, "geo")
    training = TrainingSpec(steps=3) if setting.quick else TrainingSpec()
    out = setting.scratch / "planned-run"
    holdout = world.world.scenario.holdout_weeks
    return fit_pooled(PooledSettings(world.specs, out, holdout, ModelSpec(), training), say=lambda text: None)


def questions(channels: tuple[str, ...], seed: int) -> Iterator[dict[str, str]]:
    """Never the same question twice: one to all channels, each changed by its own percentage."""
    rng = np.random.default_rng(seed)
    while True:
        asked = rng.choice(len(channels), size=rng.integers(1, len(channels) + 1), replace=False)
        yield {channels[index]: f"{100 * rng.uniform(LEAST, MOST):.4f}%" for index in asked}
