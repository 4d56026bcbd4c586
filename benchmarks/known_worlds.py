"""The default world for several seeds, on disk and trained, each made once however many benchmarks ask."""

import contextlib
import io
import shutil
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from benchmarks.line import Setting
from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.reporting.report_input import ArmRow
from mmm_models.reporting.result_files import read_results
from mmm_models.results import Results
from mmm_models.stored_model import StoredModel, load_model
from simulations.arms import arm_row, measure_federated
from simulations.federated_arms import FederatedArm, Noise, NoiseKind
from simulations.federation import train_in_process
from simulations.scenario import Scenario, load_scenario
from simulations.world import ChannelTruth, World, make_world
from simulations.world_files import write_world

EPSILON, DELTA = 8.0, 1e-4
TOY_ROUNDS = 3


class Arm(StrEnum):
    """Ways to train federatedly."""

    PLAIN = "plain sums"
    SECURE = "secure aggregation"
    PRIVATE = "secure aggregation and local differential privacy"


@dataclass(frozen=True, eq=False)
class KnownWorld:
    """A world, its truth and its silo files."""

    world: World
    truth: tuple[ChannelTruth, ...]
    specs: tuple[Path, ...]


@dataclass(frozen=True, eq=False)
class TrainedArm:
    """A finished run: as released, measured against the truth, and the model behind it."""

    released: Results
    row: ArmRow
    model: StoredModel


def seeds(setting: Setting) -> tuple[int, ...]:
    """The three the bars name."""
    return (1,) if setting.quick else (101, 102, 103)


def scenario(*, quick: bool, seed: int) -> Scenario:
    """The default scenario, or a toy of the same kind, with just enough units for the private arm."""
    default = load_scenario("default", seed=seed)
    return default.model_copy(update={"silos": 3, "units_per_silo": 100}) if quick else default


@lru_cache(maxsize=8)
def known_world(setting: Setting, seed: int) -> KnownWorld:
    """Made and written once per seed."""
    world = make_world(scenario(quick=setting.quick, seed=seed))
    files = write_world(world, setting.scratch / f"world-{seed}")
    return KnownWorld(world, world.channel_truths(), files.specs)


@lru_cache(maxsize=64)
def train_arm(setting: Setting, seed: int, arm: Arm, repetition: int = 0) -> TrainedArm:
    """Train once per seed, arm and repetition; silos start with a new key, noise and ledger each time."""
    known = known_world(setting, seed)
    directory = setting.scratch / "runs" / f"{seed}-{arm.name.lower()}-{repetition}"
    noise = Noise(NoiseKind.LOCAL, EPSILON, DELTA) if arm is Arm.PRIVATE else None
    planned = FederatedArm(name=arm.value, folder=directory.name, masks=arm is not Arm.PLAIN, noise=noise)
    chosen = planned.settings(directory, known.world.scenario, rounds=TOY_ROUNDS if setting.quick else 0)
    _forget_states(known.specs)
    began = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):  # a line per round
        train_in_process(known.specs, chosen)
    released, model = read_results(directory), load_model(directory)
    measured = measure_federated(released, model, known.world.panels, seconds=time.perf_counter() - began)
    return TrainedArm(released, arm_row(arm.value, measured, known.truth, noise=noise), model)


def _forget_states(specs: tuple[Path, ...]) -> None:
    """Lifetime ledgers would refuse a repetition, and rightly."""
    for path in specs:
        shutil.rmtree(read_silo_spec(path).state_directory, ignore_errors=True)
