"""Distributed noise against none, against one trusted curator's, and against local noise; few rounds against many.

Default world, five seeds that no setting was chosen on, delta 1e-4 for a whole store's series. Noise is random, so
what decides a bar is trained several times a seed. All runs are judged by what they release.
"""

import contextlib
import io
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.known_worlds import DELTA, KnownWorld, known_world
from benchmarks.line import Bar, Line, Setting
from mmm_models.errors import ModelError
from mmm_models.reporting.report_input import ArmRow
from mmm_models.reporting.result_files import read_results
from mmm_models.stored_model import load_model
from server.settings import Strategy
from simulations.arms import arm_row, measure_federated
from simulations.federated_arms import WITHOUT_NOISE, FederatedArm, Noise, NoiseKind, noised_arm
from simulations.federation import train_in_process
from simulations.fresh_silos import fresh_silos, write_curator

SEEDS, TOY_SEEDS = (201, 202, 203, 204, 205), (1,)
EPSILONS = (0.5, 1.0, 3.0, 8.0)
DECISIVE, FEW_ROUNDS = 1.0, 3.0
REPEATS, DECISIVE_REPEATS = 2, 3
TOY_ROUNDS, TOY_EPSILONS, TOY_FACTOR = 3, (1.0,), 6.0  # a toy has too few units for honest noise
NO_NOISE = WITHOUT_NOISE[-1]
FIT, SHARE_POINTS, CHANNEL = Bar(0.01), Bar(0.3), Bar(0.03)
LIKE_CENTRAL, BELOW_LOCAL, LIKE_MANY_ROUNDS = Bar(1.1), Bar(1.0), Bar(0.1)


@dataclass(frozen=True)
class Worlds:
    """The seeds of one measurement, each trained as asked, once."""

    setting: Setting

    def rows(self, arm: FederatedArm, *, repeats: int = 1) -> list[ArmRow]:
        """Every run of an arm over seeds and repeats; a run whose noise drowned everything is missing."""
        seeds = TOY_SEEDS if self.setting.quick else SEEDS
        runs = range(1, 2 if self.setting.quick else repeats + 1)
        if self.setting.quick and arm.noise:
            arm = replace(arm, noise=replace(arm.noise, epsilon=arm.noise.epsilon * TOY_FACTOR))
        found = (train(self.setting, seed, _repeat(arm, run)) for seed in seeds for run in runs)
        return [row for row in found if row is not None]


def measure(setting: Setting) -> tuple[Line, ...]:
    """Means over seeds and repeats."""
    worlds = Worlds(setting)
    plain = worlds.rows(NO_NOISE)
    adam = worlds.rows(replace(WITHOUT_NOISE[1], folder="plain-adam"))
    shared = worlds.rows(_noised(NoiseKind.DISTRIBUTED, DECISIVE), repeats=DECISIVE_REPEATS)
    central = worlds.rows(_noised(NoiseKind.CENTRAL, DECISIVE), repeats=DECISIVE_REPEATS)
    sgd = worlds.rows(_adam(NoiseKind.CENTRAL, DECISIVE), repeats=DECISIVE_REPEATS)
    few = worlds.rows(_noised(NoiseKind.DISTRIBUTED, FEW_ROUNDS), repeats=DECISIVE_REPEATS)
    many = worlds.rows(_adam(NoiseKind.DISTRIBUTED, FEW_ROUNDS), repeats=DECISIVE_REPEATS)
    epsilons = TOY_EPSILONS if setting.quick else EPSILONS
    at_one = f"distributed, epsilon {DECISIVE:g}"
    return (
        Line("share error without noise, newton", _share(plain), "points"),
        Line("share error without noise, fedadam", _share(adam), "points"),
        Line(f"{at_one}: hold-out nRMSE / no noise - 1", _nrmse(shared) / _nrmse(plain) - 1, "", FIT),
        Line(f"{at_one}: share error above no noise", _share(shared) - _share(plain), "points", SHARE_POINTS),
        Line(f"{at_one}: channel error above no noise", _channel(shared) - _channel(plain), "", CHANNEL),
        Line(
            f"{at_one}: share error / central DP-SGD (Opacus)",
            _share(shared) / _share(sgd),
            "x",
            LIKE_CENTRAL,
        ),
        Line(f"{at_one}: share error / central, newton", _share(shared) / _share(central), "x", LIKE_CENTRAL),
        *(_against_local(worlds, epsilon) for epsilon in epsilons),
        *(
            Line(f"share error, {kind}, epsilon {epsilon:g}", _share(rows), "points", values=_shares(rows))
            for epsilon in epsilons
            for kind in (NoiseKind.DISTRIBUTED, NoiseKind.LOCAL)
            if (rows := worlds.rows(_noised(kind, epsilon), repeats=_repeats(epsilon)))
        ),
        Line(
            f"newton's 25 rounds against fedadam's 80, epsilon {FEW_ROUNDS:g}: share error above",
            _share(few) - _share(many),
            "points",
            LIKE_MANY_ROUNDS,
        ),
        Line("distributed training, newton", float(np.mean([row.seconds for row in shared])), "s"),
    )


@lru_cache(maxsize=512)
def train(setting: Setting, seed: int, arm: FederatedArm) -> ArmRow | None:
    """One run from silos that start anew; None when its noise leaves nothing to train on."""
    known = known_world(setting, seed)
    directory = setting.scratch / "distributed-dp" / f"{seed}-{arm.folder}"
    specs = _silos(known, arm, setting, f"{seed}-{arm.folder}")
    rounds = TOY_ROUNDS if setting.quick else 0
    began = time.perf_counter()
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # a line per round
            train_in_process(specs, arm.settings(directory, known.world.scenario, rounds=rounds))
    except ModelError:
        return None
    measured = measure_federated(
        read_results(directory),
        load_model(directory),
        known.world.panels,
        seconds=time.perf_counter() - began,
    )
    return arm_row(arm.name, measured, known.truth)


def _silos(known: KnownWorld, arm: FederatedArm, setting: Setting, name: str) -> tuple[Path, ...]:
    directory = setting.scratch / "distributed-dp-silos" / name
    if arm.noise is not None and arm.noise.kind is NoiseKind.CENTRAL:
        return (write_curator(known.world, directory),)
    return fresh_silos(known.specs, directory)


def _against_local(worlds: Worlds, epsilon: float) -> Line:
    repeats = _repeats(epsilon)
    shared = _share(worlds.rows(_noised(NoiseKind.DISTRIBUTED, epsilon), repeats=repeats))
    local = _share(worlds.rows(_noised(NoiseKind.LOCAL, epsilon), repeats=repeats))
    return Line(f"share error, distributed / local, epsilon {epsilon:g}", shared / local, "x", BELOW_LOCAL)


def _repeats(epsilon: float) -> int:
    return DECISIVE_REPEATS if epsilon in (DECISIVE, FEW_ROUNDS) else REPEATS


def _noised(kind: NoiseKind, epsilon: float) -> FederatedArm:
    return noised_arm(Noise(kind, epsilon, DELTA))


def _adam(kind: NoiseKind, epsilon: float) -> FederatedArm:
    arm = _noised(kind, epsilon)
    return replace(arm, strategy=Strategy.FEDADAM, folder=f"{arm.folder}-adam")


def _repeat(arm: FederatedArm, run: int) -> FederatedArm:
    noise = replace(arm.noise, run=run) if arm.noise else None
    return replace(arm, noise=noise, folder=f"{arm.folder}-run-{run}")


def _shares(rows: list[ArmRow]) -> tuple[float, ...]:
    return tuple(row.share_error_points for row in rows)


def _share(rows: list[ArmRow]) -> float:
    return float(np.mean(_shares(rows))) if rows else float("nan")


def _nrmse(rows: list[ArmRow]) -> float:
    return float(np.mean([row.nrmse for row in rows]))


def _channel(rows: list[ArmRow]) -> float:
    return float(np.mean([row.mean_relative_error for row in rows]))
