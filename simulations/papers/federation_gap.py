"""The same world trained where all data are in one place, and federated with its sums kept secret."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmm_models.reporting.result_files import read_results
from mmm_models.spec import ModelSpec, TrainingSpec
from simulations.federated_arms import FederatedArm
from simulations.federation import train_in_process
from simulations.papers.claims import Reading
from simulations.pooled_run import PooledSettings, fit_pooled
from simulations.world import World
from simulations.world_files import write_world


@dataclass(frozen=True)
class FederationGap:
    """One seed's hold-out RMSE in outcome units, and the centralised run's directory."""

    silos: int
    centralised: float
    federated: float
    run: Path


def federation_gap(world: World, directory: Path) -> FederationGap:
    """Write the world's silo files into `directory` and train both ways, with the usual settings of a run."""
    scenario, run = world.scenario, directory / "centralised"
    specs = write_world(world, directory / "world").specs
    settings = PooledSettings(specs, run, scenario.holdout_weeks, ModelSpec(), TrainingSpec())
    fit_pooled(settings, say=lambda _: None)
    arm = FederatedArm(name="federated", folder="federated")
    with contextlib.redirect_stderr(io.StringIO()):  # a line per round
        federated = train_in_process(specs, arm.settings(directory / arm.folder, scenario))
    rmse = [read_results(path).holdout.rmse for path in (run, federated)]
    return FederationGap(scenario.silos, rmse[0], rmse[1], run)


def gap_reading(gaps: Sequence[FederationGap], setting: str) -> Reading:
    """How far apart the two are, on either side; one a seed."""
    apart = tuple(abs(gap.federated / gap.centralised - 1.0) for gap in gaps)
    return Reading("federated-rmse", f"{setting} in {gaps[0].silos} silos", apart)
