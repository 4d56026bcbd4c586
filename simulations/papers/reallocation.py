"""What moving money would sell: what the model says, what the truth says, and the most that any plan could."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from mmm_models.planning.goals import Budget
from mmm_models.planning.limits import Limit, Limits
from mmm_models.planning.period import Period, last_period
from mmm_models.planning.planner import Planner
from mmm_models.planning.stored_basis import load_basis
from simulations.papers.claims import Reading
from simulations.true_outlook import TrueOutlook, true_outlook
from simulations.world import World

Array = NDArray[np.float64]
BUDGETS: Mapping[str, float] = MappingProxyType({"neutral-budget": 1.0, "larger-budget": 1.1})
MOST = 2.0  # times what a channel had: further than that hardly any response was ever seen


@dataclass(frozen=True, eq=False)
class PlannedMoney:
    """A run's plan for a period like its last: `spend` [1, channel], and the revenue that the model says it adds."""

    spend: Array
    gain: float


# From a run's directory and a budget relative to what was spent; at most `MOST` times each channel's money.
Plans = Callable[[Path, float], PlannedMoney]


@dataclass(frozen=True)
class Uplift:
    """What one plan adds, as shares of all sales of the period: by the model, in truth, and the best plan there is.

    `media` is the share of sales that media truly had before.
    """

    budget: str  # a claim of `BUDGETS`
    modelled: float
    true: float
    best: float
    media: float


def planned_money(run: Path, budget: float) -> PlannedMoney:
    """What `mixroom plan` would say, every channel's money free between nothing and `MOST` times as much."""
    planner = Planner.of_run(run)
    period = planner.look.period
    limits = Limits(
        change=None, channels={name: Limit(ceiling=f"{100 * MOST:g}%") for name in planner.basis.channels}
    )
    plan = planner.plan(Budget(budget * planner.last_total), limits=limits)
    spend = {cell.channel: cell.spend for cell in plan.cells}
    return PlannedMoney(
        np.array([[spend[name] for name in planner.basis.channels]]).reshape(period.spend.shape),
        plan.planned.gain,
    )


def measure_uplifts(world: World, run: Path, plans: Plans) -> tuple[Uplift, ...]:
    """Plan each budget from the run alone, then ask the world."""
    period = last_period(load_basis(run).merged())
    truth = true_outlook(world, period)
    before, sales = truth.revenue(period.spend), float(period.revenue.sum())
    found = []
    for name, budget in BUDGETS.items():
        plan = plans(run, budget)
        best = best_spend(truth, period, budget)
        found.append(
            Uplift(
                name,
                modelled=plan.gain / sales,
                true=(truth.revenue(plan.spend) - before) / sales,
                best=(truth.revenue(best) - before) / sales,
                media=before / sales,
            )
        )
    return tuple(found)


def best_spend(truth: TrueOutlook, period: Period, budget: float) -> Array:
    """The plan of somebody who knows the truth, within the same bounds: money `[part, channel]`."""
    share = period.spend / period.spend.sum()

    def lost(multiplier: Array) -> float:
        return -truth.revenue(period.spend * multiplier.reshape(share.shape)) / float(period.revenue.sum())

    found = minimize(
        lost,
        np.full(share.size, budget),
        method="SLSQP",
        bounds=[(0.0, MOST)] * share.size,
        constraints={"type": "eq", "fun": lambda multiplier: float(multiplier @ share.ravel()) - budget},
    )
    return np.asarray(period.spend * found.x.reshape(share.shape))


def uplift_readings(uplifts: Sequence[Uplift], setting: str) -> tuple[Reading, ...]:
    """The truth of each budget's plan is judged; what the model said and what was possible stand beside."""
    readings = []
    for name in BUDGETS:
        own = [uplift for uplift in uplifts if uplift.budget == name]
        beside = {
            "the model's own word": [one.modelled for one in own],
            "the best plan there is": [one.best for one in own],
            "true, of what media sold": [one.true / one.media for one in own],
            "the best plan, of what media sold": [one.best / one.media for one in own],
        }
        readings.append(Reading(name, f"{setting}; true", tuple(one.true for one in own)))
        readings += [
            Reading(name, f"{setting}; {what}", tuple(values), judged=False)
            for what, values in beside.items()
        ]
    return tuple(readings)
