"""Built-in worlds for several seeds, on disk and trained, each made once however many benchmarks ask."""

import contextlib
import io
import shutil
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

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
SEEDS = {"default": (101, 102, 103), "geo": (311, 312, 313, 314, 315)}
TOYS: dict[str, dict[str, Any]] = {
    "default": {"silos": 3, "units_per_silo": 100},  # just enough units for the private arm
    "geo": {"silos": 3, "units_per_silo": 2},
}


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


def seeds(setting: Setting, name: str = "default") -> tuple[int, ...]:
    """Those the bars are measured on; nothing was ever chosen by them."""
    return (1,) if setting.quick else SEEDS[name]


def scenario(*, quick: bool, seed: int, name: str = "default") -> Scenario:
    """A built-in scenario, or a toy of the same kind."""
    whole = load_scenario(name, seed=seed)
    return whole.model_copy(update=TOYS[name]) if quick else whole


def known_world(setting: Setting, seed: int, name: str = "default") -> KnownWorld:
    """Made and written once per scenario and seed."""
    return _made(setting, seed, name)


def train_arm(
    setting: Setting, seed: int, arm: Arm, *, repetition: int = 0, name: str = "default"
) -> TrainedArm:
    """Train once per scenario, seed, arm and repetition; silos start with a new key, noise and ledger each time."""
    return _trained(setting, seed, arm, repetition, name)


@lru_cache(maxsize=16)
def _made(setting: Setting, seed: int, name: str) -> KnownWorld:
    """Cached by all arguments: a default that is given and one that is left out mean the same world."""
    world = make_world(scenario(quick=setting.quick, seed=seed, name=name))
    files = write_world(world, setting.scratch / f"world-{name}-{seed}")
    return KnownWorld(world, world.channel_truths(), files.specs)


@lru_cache(maxsize=64)
def _trained(setting: Setting, seed: int, arm: Arm, repetition: int, name: str) -> TrainedArm:
    known = known_world(setting, seed, name)
    directory = setting.scratch / "runs" / f"{name}-{seed}-{arm.name.lower()}-{repetition}"
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
