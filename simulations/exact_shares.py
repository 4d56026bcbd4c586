"""What a model says about a world when it is evaluated exactly, by a simulator who sees every panel."""

import numpy as np
from numpy.typing import NDArray

from mmm_models.attribution import Naming, results_from_sum
from mmm_models.panel import pool
from mmm_models.stored_model import StoredModel
from mmm_models.unit_data import prepare
from mmm_models.unit_records import unit_records
from simulations.world import World


def exact_shares(model: StoredModel, world: World) -> NDArray[np.float64]:
    """Share of the outcome `[channel]` by this model over all units: what it learnt, apart from what silos report.

    Neither the noise of a private release nor a lie in a silo's own totals is in it.
    """
    described = model.description
    panel = pool(world.panels).with_channels(described.panel_channels)
    data = prepare(panel, model.scales, described.model, holdout_weeks=described.holdout_weeks)
    layout, response = described.records(private=False), model.response()
    total = unit_records(response, panel, data, scales=model.scales, layout=layout).sum(axis=0)
    naming = Naming(panel.channels, described.outcome_unit, described.currency)
    results = results_from_sum(total, naming, response=response, scales=model.scales, layout=layout)
    share = {channel.channel: channel.share for channel in results.channels}
    return np.array([share[name] for name in world.scenario.channel_names])
