"""Small runs to explain, in memory: two silos pooled, with scattered parameters and a posterior around them."""

from dataclasses import replace

import numpy as np

from mmm_models.panel import Panel, pool
from mmm_models.planning.basis_of_panel import basis_of_panel
from mmm_models.planning.plan_basis import PlanBasis
from mmm_models.stored_model import StoredModel
from tests.mmm_models.planning.small_bases import small_model
from tests.mmm_models.small_panels import small_panel

WEEKS, PERIOD = 60, 26


def two_silos(channels: int = 2) -> Panel:
    """The second runs half as much media as the first."""
    north = small_panel(weeks=WEEKS, channels=channels)
    south = small_panel(units=2, weeks=WEEKS, channels=channels, seed=1)
    thrifty = replace(south, silo="south", media=0.5 * south.media, spend=0.5 * south.spend)
    return pool([north, thrifty])


def small_run(channels: int = 2, *, sure: bool = True) -> tuple[PlanBasis, StoredModel]:
    """Its parts are north and south; without intervals unless `sure`."""
    panel = two_silos(channels)
    model = small_model(panel)
    basis = basis_of_panel(panel, model, parts="silo")
    if not sure:
        return basis, model
    return basis, replace(model, covariance=0.02 * np.eye(len(model.parameters)))
