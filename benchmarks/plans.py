"""What plans are truly worth: 20 markets of 20 geos that all work differently, each planned for its next year.

The last year's money is split anew, every channel within half and one and a half times what it had. The truth knows
the best split. Regret is what a plan brings less than that, over what the best split gains on last year's; as a share
of all that media bring it stands beside. The same with a tenth more money, planned for a risk, and with the model
calibrated: by two lift tests, and by two on every channel, up and down.

An oracle plans the same money: it knows every response curve and only had to estimate how large effects are
(benchmarks/oracle.py). Its regret is what estimating alone costs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.known_worlds import scenario
from benchmarks.line import Bar, Line, Setting
from benchmarks.oracle_outlook import oracle_outlook
from benchmarks.simulated_lifts import both_ways, two_lift_tests
from benchmarks.varied_worlds import vary
from mmm_models.fitted_model import stored_model_of
from mmm_models.neural_mmm import FittedNeuralMmm, NeuralMmm
from mmm_models.panel import Panel, pool
from mmm_models.planning.basis_of_panel import basis_of_panel
from mmm_models.planning.goals import Budget
from mmm_models.planning.planner import Planner
from simulations.true_outlook import true_outlook
from simulations.true_regret import TrueRegret, best_split, true_regret
from simulations.world import World, make_world

SEEDS, TOY_SEEDS = tuple(range(701, 721)), (1,)
REGRET, NEVER_WORSE = Bar(0.02), Bar(0.95, at_least=True)
MORE_MONEY = 1.1
SAME = "the same money"
ERROR_SHARE = 0.05  # standard error of a lift test / all that the channel sells in its weeks
ERROR_SHARES_BOTH_WAYS = (0.05, 0.02)


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
    lines = [line for name in found[0].plans for line in _lines(name, [world.plans[name] for world in found])]
    return (*lines, *_oracle_lines(found))


@dataclass(frozen=True)
class Planned:
    """One world's plans by name, and the oracle's."""

    plans: dict[str, Worth]
    oracle: TrueRegret


def _measure_world(world: World) -> Planned:
    panel, weeks = pool(world.panels), world.scenario.holdout_weeks
    plain = NeuralMmm().fit(panel, holdout_weeks=weeks)
    planner = _planner(plain, panel, weeks)
    lifts = {f"{SAME}, two lift tests": two_lift_tests(world, plain.results, error_share=ERROR_SHARE)}
    for share in ERROR_SHARES_BOTH_WAYS:
        lifts[f"{SAME}, every channel up and down at {share:.0%}"] = both_ways(world, error_share=share)
    informed = {
        name: _planner(NeuralMmm(lifts=tests).fit(panel, holdout_weeks=weeks), panel, weeks)
        for name, tests in lifts.items()
    }
    plans = {
        SAME: _worth(planner, world, 1.0),
        "a tenth more money": _worth(planner, world, MORE_MONEY),
        **{name: _worth(each, world, 1.0) for name, each in informed.items()},
        f"{SAME}, risk 0.1": _worth(planner, world, 1.0, risk=0.1),
    }
    return Planned(plans, _oracle(planner, world, plans[SAME].true))


def _oracle(planner: Planner, world: World, plain: TrueRegret) -> TrueRegret:
    """What last year's money, split as the oracle would, is truly worth."""
    plan, truth = planner.plan(Budget(planner.last_total)), true_outlook(world, planner.look.period)
    return replace(plain, planned=truth.revenue(best_split(plan, oracle_outlook(world, truth))))


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


def _oracle_lines(found: Sequence[Planned]) -> list[Line]:
    oracle = tuple(world.oracle.regret for world in found)
    ours = float(np.mean([world.plans[SAME].true.regret for world in found]))
    return [
        Line("oracle: true regret / the best split's gain", float(np.mean(oracle)), "", values=oracle),
        Line("the same money: true regret / oracle's", ours / float(np.mean(oracle)), "x"),
    ]
