"""A fitted run to ask questions of: two silos of four stores, sixty weeks, three channels."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from mmm_models.planning.stored_basis import load_basis, save_basis
from mmm_models.spec import ModelSpec, TrainingSpec
from mmm_models.stored_model import load_model
from simulations.pooled_run import PooledSettings, fit_pooled
from simulations.scenario import load_scenario
from simulations.world import make_world
from simulations.world_files import write_world

CHANNELS = ("tv", "search", "social")
SCENARIO = """
name = "small"
seed = 5
silos = 2
units_per_silo = 4
weeks = 60
holdout_weeks = 8
channels = [
  { name = "tv", sales_share = 0.1, spend_share = 0.05 },
  { name = "search", sales_share = 0.08, spend_share = 0.04 },
  { name = "social", sales_share = 0.06, spend_share = 0.03 },
]
"""


@dataclass(frozen=True)
class SmallRun:
    """The run's directory, and the silo files it was fitted to."""

    run: Path
    silos: tuple[Path, ...]

    def copied(self, to: Path) -> Path:
        """A run of the same content, to be damaged."""
        return Path(shutil.copytree(self.run, to))

    def without_silos(self, to: Path) -> Path:
        """As a federated run leaves it: only sums over all silos."""
        run = self.copied(to)
        save_basis(load_basis(run).merged(), run)
        return run

    def unsure(self, to: Path) -> Path:
        """As a strategy leaves it that sums no curvature."""
        run = self.copied(to)
        replace(load_model(run), covariance=None).save(run)
        return run


def fit_small_run(folder: Path) -> SmallRun:
    """Made in a second or two."""
    scenario = folder / "small.toml"
    scenario.write_text(SCENARIO, encoding="utf-8")
    world = write_world(make_world(load_scenario(str(scenario))), folder / "world")
    settings = PooledSettings(world.specs, folder / "run", 8, ModelSpec(), TrainingSpec(steps=30))
    return SmallRun(fit_pooled(settings, say=lambda text: None), world.specs)
