"""The best anyone could hope for: a regression that is told every unit's true carry-over and saturation.

Only one effect size per channel is left to find, by generalised least squares with the same baselines,
whitening and training weeks as the neural model. What it still gets wrong comes from confounding, noise,
collinear channels and effects that differ between units, not from unknown response curves.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.truth_errors import TruthErrors, truth_errors
from mmm_models.neural_mmm import pooled_scales
from mmm_models.panel import pool
from mmm_models.spec import ModelSpec
from mmm_models.unit_data import UnitData, prepare
from simulations.world import World

Array = NDArray[np.float64]


def oracle_errors(world: World) -> TruthErrors:
    """Fit effect sizes under the true transforms and compare contributions with the truth."""
    return truth_errors(oracle_contributions(world), world)


def oracle_contributions(world: World) -> Array:
    """What the oracle takes each channel to have sold `[channel]`, in outcome units."""
    panel, spec, weeks = pool(world.panels), ModelSpec(), world.scenario.holdout_weeks
    data = prepare(panel, pooled_scales(panel, spec, weeks), spec, holdout_weeks=weeks)
    level = np.concatenate([silo.level for silo in world.silos])
    saturated = np.concatenate([silo.response.saturated(silo.intensity) for silo in world.silos])
    driver = saturated * level[:, None, None]  # [unit, week, channel] in outcome units per unit of effect
    return np.asarray(driver.sum(axis=(0, 1)) * _effects(driver, data))


def _effects(driver: Array, data: UnitData) -> Array:
    """Effect sizes `[channel]`: weighted least squares with each unit's baseline integrated out."""
    own_level = data.level.double()
    weight = (data.train / data.noise[:, None]).double()
    whitener = data.whitener.double()
    design = torch.from_numpy(driver) / own_level[:, None, None] * weight[..., None]
    target = ((data.outcome - 1.0).double() * weight)[..., None]
    explained = torch.einsum("utf,utk->ufk", whitener, design)
    remaining = design - torch.einsum("utf,ufk->utk", whitener, explained)
    normal = torch.einsum("utk,utl->kl", design, remaining)
    return np.asarray(torch.linalg.solve(normal, torch.einsum("utk,utl->kl", remaining, target))[:, 0])
