"""The optimiser alone, on true curves of five channels: against a brute-force grid and 50 random starts."""

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.known_worlds import scenario
from benchmarks.line import Bar, Line, Setting
from benchmarks.stopwatch import median, seconds_of
from benchmarks.varied_worlds import vary
from mmm_models.planning.allocate import allocate
from mmm_models.planning.cell_curves import expected_curves
from mmm_models.planning.feasible import Feasible
from mmm_models.planning.period import last_period
from mmm_models.planning.piecewise import Aim
from simulations.true_outlook import TrueOutlook, true_basis, true_outlook
from simulations.world import make_world

Array = NDArray[np.float64]
SEEDS, TOY_SEEDS = tuple(range(721, 729)), (1,)
NEVER_WORSE = Bar(0.001)
STEPS, STARTS, TOY_STARTS = 24, 50, 3


def measure(setting: Setting) -> tuple[Line, ...]:
    """By how much the best alternative is better, worst world; above zero: better than ours."""
    chosen = TOY_SEEDS if setting.quick else SEEDS
    starts = TOY_STARTS if setting.quick else STARTS
    rows = [_measure_world(seed, quick=setting.quick, starts=starts) for seed in chosen]
    grid, random, seconds = (tuple(column) for column in zip(*rows, strict=True))
    return (
        Line(
            f"best of a grid of {STEPS + 1} points a channel / ours - 1, worst world",
            max(grid),
            "",
            NEVER_WORSE,
            grid,
        ),
        Line(f"best of {starts} random starts / ours - 1, worst world", max(random), "", NEVER_WORSE, random),
        Line("seconds, curves included", median(seconds), "s", values=seconds),
    )


def _measure_world(seed: int, *, quick: bool, starts: int) -> tuple[float, float, float]:
    world = make_world(vary(scenario(quick=quick, seed=seed, name="geo")))
    truth = true_outlook(world, last_period(true_basis(world)))
    last = truth.period.spend
    total, cells = float(last.sum()), last.size
    within = Feasible(np.zeros(cells), np.full(cells, total), ())
    found: list[Array | None] = []
    seconds = seconds_of(
        lambda: found.append(
            allocate(expected_curves(truth, within.low, within.high), within, Aim(total=total))
        )
    )
    (ours,) = found
    assert ours is not None
    value = truth.revenue(ours.reshape(last.shape))
    rng = np.random.default_rng(seed)
    random = max(_local_search(truth, total, rng.dirichlet(np.ones(cells))) for _ in range(starts))
    return _grid(truth, total) / value - 1.0, random / value - 1.0, seconds


def _grid(truth: TrueOutlook, total: float) -> float:
    """The best of all splits into multiples of a 24th of the money; channels do not feel each other here."""
    shape = truth.period.spend.shape
    shares = np.arange(STEPS + 1) / STEPS
    each = np.stack(
        [truth.expected(truth.intensity(np.full(shape, total * share))).numpy().ravel() for share in shares]
    )  # [share, channel]
    channels = each.shape[1]
    splits = np.array(
        [split for split in product(range(STEPS + 1), repeat=channels - 1) if sum(split) <= STEPS]
    )
    whole = np.column_stack([splits, STEPS - splits.sum(axis=1)])
    return float(each[whole, np.arange(channels)].sum(axis=1).max())


def _local_search(truth: TrueOutlook, total: float, start: Array) -> float:
    shape = truth.period.spend.shape

    def loss(share: Array) -> float:
        return -truth.revenue((total * np.clip(share, 0.0, 1.0)).reshape(shape)) / total

    found = minimize(
        loss,
        start,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * start.size,
        constraints={"type": "eq", "fun": lambda share: share.sum() - 1.0},
    )
    share = np.clip(found.x, 0.0, 1.0)
    return truth.revenue((total * share / share.sum()).reshape(shape))
