"""Planners of small panels without training: known parameters, and a posterior of a given width."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np

from mmm_models.network import MediaResponse
from mmm_models.panel import Panel, pool
from mmm_models.planning.basis_of_panel import basis_of_panel
from mmm_models.planning.limits import Limits
from mmm_models.planning.plan import Plan
from mmm_models.planning.plan_basis import Part
from mmm_models.planning.planner import Planner
from mmm_models.spec import ModelSpec
from mmm_models.stored_model import StoredModel
from mmm_models.training import get_vector
from tests.mmm_models.planning.small_bases import small_model
from tests.mmm_models.small_panels import scattered_response, small_panel

ANYWHERE = Limits(change=None)


@lru_cache
def small_planner(
    *,
    channels: int = 3,
    silos: int = 1,
    width: float = 0.2,
    weeks: int | None = None,
    synergy: bool = False,
    by_part: bool = False,
) -> Planner:
    """Of panels with gamma media; `width`: standard deviation of every parameter, 0 for a run without intervals."""
    panels = [replace(small_panel(channels=channels, seed=seed), silo=f"silo{seed}") for seed in range(silos)]
    panel: Panel = pool(panels) if silos > 1 else panels[0]
    model = small_model(panel)
    if synergy:
        spec = ModelSpec(max_lag_weeks=4, synergy=True)
        response: MediaResponse = scattered_response(spec, channels)
        described = model.description.model_copy(update={"model": spec})
        model = StoredModel(described, model.scales, get_vector(response))
    if width:
        model = replace(model, covariance=width**2 * np.eye(model.parameters.size))
    return Planner(model, basis_of_panel(panel, model, "silo" if by_part else "all"), weeks)


def altered(planner: Planner, change: Callable[[Part], Part]) -> Planner:
    """The same run with another past."""
    parts = tuple(change(part) for part in planner.basis.parts)
    return replace(planner, basis=replace(planner.basis, parts=parts))


def unpaid(planner: Planner, *channels: int, since: int = 0) -> Planner:
    """Media of these channels cost nothing from that week on; the last period begins in week 8 of 60."""

    def change(part: Part) -> Part:
        spend = part.spend.copy()
        spend[since:, channels] = 0.0
        return replace(part, spend=spend)

    return altered(planner, change)


def stopped(planner: Planner, *channels: int, since: int = 8) -> Planner:
    """These channels did not run from that week on."""

    def change(part: Part) -> Part:
        columns = {name: getattr(part, name).copy() for name in ("spend", "intensity", "contribution")}
        for column in columns.values():
            column[since:, channels] = 0.0
        return replace(part, **columns)

    return altered(planner, change)


def money(plan: Plan) -> np.ndarray:
    """Of every cell."""
    return np.array([cell.spend for cell in plan.cells])
