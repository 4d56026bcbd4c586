"""What a plan is truly worth in a known-truth world: how far it stays below the best split the truth knows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmm_models.planning.allocate import allocate
from mmm_models.planning.cell_curves import Responds, expected_curves
from mmm_models.planning.feasible import Feasible
from mmm_models.planning.piecewise import Aim
from mmm_models.planning.plan import Plan
from mmm_models.planning.planner import Planner
from simulations.errors import TruthUnreadable
from simulations.scenario import load_scenario
from simulations.true_outlook import true_outlook
from simulations.world import World, make_world
from simulations.world_files import SCENARIO_FILE

Array = NDArray[np.float64]
SAME_OUTCOME = 1e-3


@dataclass(frozen=True)
class TrueRegret:
    """True revenue of media in the period with last period's split scaled to the plan's money, with the plan, and with
    the best split within the plan's floors and ceilings."""

    last: float
    planned: float
    best: float

    @property
    def regret(self) -> float:
        """What the plan brings less than the best split, over what that gains; NaN where nothing can be gained."""
        gain = self.best - self.last
        return (self.best - self.planned) / gain if gain > 0 else float("nan")

    @property
    def of_media(self) -> float:
        """What the plan brings less than the best split, over all that media bring with it."""
        return (self.best - self.planned) / self.best


def true_regret(plan: Plan, planner: Planner, world: World) -> TrueRegret:
    """Of a plan with last period's rhythm. Limits of groups and parts are not among the plan's cells, and the best
    split need not keep them. Raises TruthUnreadable for a run of another world."""
    period = planner.look.period
    _require_same_world(planner, world)
    truth = true_outlook(world, period)
    spend = np.array([cell.spend for cell in plan.cells]).reshape(period.spend.shape)
    return TrueRegret(
        last=truth.revenue(period.spend * (spend.sum() / period.spend.sum())),
        planned=truth.revenue(spend),
        best=truth.revenue(best_split(plan, truth)),
    )


def best_split(plan: Plan, response: Responds) -> Array:
    """The plan's money within its floors and ceilings, as is best by this response `[part, channel]`."""
    within = Feasible(
        np.array([cell.floor for cell in plan.cells]), np.array([cell.ceiling for cell in plan.cells]), ()
    )
    total = sum(cell.spend for cell in plan.cells)
    best = allocate(expected_curves(response, within.low, within.high), within, Aim(total=total))
    assert best is not None  # the plan itself keeps these limits
    return best.reshape(response.period.spend.shape)


def _require_same_world(planner: Planner, world: World) -> None:
    """Raises TruthUnreadable unless channels, silos and, where weeks are known, the period's outcome agree."""
    basis, period = planner.basis, planner.look.period
    names, parts = tuple(panel.silo for panel in world.panels), tuple(part.name for part in basis.parts)
    sold = sum(float(panel.outcome[:, -period.weeks :].sum()) for panel in world.panels)
    alike = abs(float(period.outcome.sum()) - sold) <= SAME_OUTCOME * sold or not basis.by_week
    if basis.channels != world.scenario.channel_names or not alike or (len(parts) > 1 and parts != names):
        raise TruthUnreadable(
            "this run is not of that world: its channels, silos or sales differ",
            hint="name the directory of the world whose silo files the run was made from",
        )


def read_world(directory: Path) -> World:
    """The world that `mixroom world` wrote there, made again. Raises TruthUnreadable."""
    path = directory / SCENARIO_FILE
    if not path.is_file():
        raise TruthUnreadable(
            f"no world is written at {directory}", hint="give a directory that `mixroom world` has written"
        )
    return make_world(load_scenario(str(path)))
