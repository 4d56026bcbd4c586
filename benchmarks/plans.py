"""What plans are truly worth: 20 markets of 20 geos that all work differently, each planned for its next year.

The last year's money is split anew, every channel within half and one and a half times what it had. The truth knows
the best split. Regret is what a plan brings less than that, over what the best split gains on last year's; as a share
of all that media bring it stands beside. The same with a tenth more money, with the model calibrated by two lift tests,
and planned for a risk.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.known_worlds import scenario
from benchmarks.line import Bar, Line, Setting
from benchmarks.simulated_lifts import two_lift_tests
from benchmarks.varied_worlds import vary
from mmm_models.fitted_model import stored_model_of
from mmm_models.neural_mmm import FittedNeuralMmm, NeuralMmm
from mmm_models.panel import Panel, pool
from mmm_models.planning.basis_of_panel import basis_of_panel
from mmm_models.planning.goals import Budget
from mmm_models.planning.planner import Planner
from simulations.true_outlook import true_outlook
from simulations.true_regret import TrueRegret, true_regret
from simulations.world import World, make_world

SEEDS, TOY_SEEDS = tuple(range(701, 721)), (1,)
REGRET, NEVER_WORSE = Bar(0.02), Bar(0.95, at_least=True)
MORE_MONEY = 1.1
ERROR_SHARE = 0.05  # standard error of a lift test / its true lift


@dataclass(frozen=True)
class Worth:
    """What a plan is truly worth, what it promised over what it truly gains, and whether its interval holds that."""

    true: TrueRegret
    promised: float
    covered: bool


def measure(setting: Setting) -> tuple[Line, ...]:
    """Means over worlds; `values` are the worlds'."""
    chosen = TOY_SEEDS if setting.quick else SEEDS
    worlds = [make_world(vary(scenario(quick=setting.quick, seed=seed, name="geo"))) for seed in chosen]
    found = [_measure_world(world) for world in worlds]
    names = found[0]
    return tuple(line for name in names for line in _lines(name, [world[name] for world in found]))


def _measure_world(world: World) -> dict[str, Worth]:
    panel, weeks = pool(world.panels), world.scenario.holdout_weeks
    plain = NeuralMmm().fit(panel, holdout_weeks=weeks)
    lifts = two_lift_tests(world, plain.results, error_share=ERROR_SHARE)
    calibrated = NeuralMmm(lifts=lifts).fit(panel, holdout_weeks=weeks)
    planner, informed = (_planner(fitted, panel, weeks) for fitted in (plain, calibrated))
    return {
        "the same money": _worth(planner, world, 1.0),
        "a tenth more money": _worth(planner, world, MORE_MONEY),
        "the same money, two lift tests": _worth(informed, world, 1.0),
        "the same money, risk 0.1": _worth(planner, world, 1.0, risk=0.1),
    }


def _planner(fitted: FittedNeuralMmm, panel: Panel, weeks: int) -> Planner:
    model = stored_model_of(fitted, panel, holdout_weeks=weeks)
    return Planner(model, basis_of_panel(panel, model))


def _worth(planner: Planner, world: World, more: float, *, risk: float | None = None) -> Worth:
    plan = planner.plan(Budget(more * planner.last_total), risk=risk)
    true = true_regret(plan, planner, world)
    truth = true_outlook(world, planner.look.period)
    gain, interval = true.planned - truth.revenue(planner.look.period.spend), plan.planned.gain_interval
    return Worth(true, plan.planned.gain / gain, interval.low <= gain <= interval.high)


def _lines(name: str, found: Sequence[Worth]) -> list[Line]:
    regret = tuple(worth.true.regret for worth in found)
    of_media = tuple(worth.true.of_media for worth in found)
    better = tuple(float(worth.true.planned >= worth.true.last) for worth in found)
    gain = tuple(100.0 * (worth.true.planned / worth.true.last - 1.0) for worth in found)
    best = tuple(100.0 * (worth.true.best / worth.true.last - 1.0) for worth in found)
    said = tuple(worth.promised for worth in found)
    covered = tuple(float(worth.covered) for worth in found)
    return [
        Line(f"{name}: true regret / the best split's gain", float(np.mean(regret)), "", REGRET, regret),
        Line(f"{name}: true regret / all that media bring", float(np.mean(of_media)), "", REGRET, of_media),
        Line(
            f"{name}: worlds no worse than last year's split", float(np.mean(better)), "", NEVER_WORSE, better
        ),
        Line(f"{name}: true gain on last year's split of it", float(np.mean(gain)), "%", values=gain),
        Line(f"{name}: the best split's", float(np.mean(best)), "%", values=best),
        Line(f"{name}: gain the plan promised / true, median", float(np.median(said)), "x", values=said),
        Line(f"{name}: true gain in the plan's 90 % interval", float(np.mean(covered)), "", values=covered),
    ]
