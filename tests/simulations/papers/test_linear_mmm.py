"""The linear MMM of the studies: ordinary least squares, as another library does it."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from mmm_models.features.carry_over import CarryOver, CarryOverKind, carry_over
from mmm_models.panel import pool
from mmm_models.peers.peer_data import prepare_peer
from simulations.papers.linear_mmm import LinearMmm, linear_columns
from simulations.papers.study_panel import one_series
from tests.simulations.papers.small_world import small_world


@pytest.fixture(scope="module")
def panel():
    return pool(small_world().panels)


def test_coefficients_are_those_of_statsmodels(panel):
    data = prepare_peer(panel, holdout_weeks=24)
    theirs = sm.OLS(data.outcome[data.train], linear_columns(data)[data.train]).fit()

    ours = LinearMmm().fit(panel, holdout_weeks=24)

    assert ours.parameters["coefficients"] == pytest.approx(theirs.params, rel=1e-6, abs=1e-9)


def test_a_channel_contributes_in_proportion_to_its_carried_over_media(panel):
    fitted = LinearMmm().fit(panel, holdout_weeks=24)

    data = prepare_peer(panel, holdout_weeks=24)
    carried = carry_over(data.media[..., 0], CarryOver(CarryOverKind.GEOMETRIC, 0.5).kernel)
    effect = fitted.parameters["coefficients"][0]
    assert fitted.contribution[..., 0] == pytest.approx(effect * carried * data.level[:, None])


def test_media_only_knows_nothing_of_the_season(panel):
    """So it predicts worse where seasons are a tenth of sales."""
    nation = one_series(panel)

    whole = LinearMmm().fit(nation, holdout_weeks=24).results.holdout.rmse
    blind = LinearMmm(media_only=True).fit(nation, holdout_weeks=24)

    assert blind.parameters["coefficients"].size == nation.n_channels + 1
    assert blind.results.holdout.rmse > 1.5 * whole


def test_later_weeks_change_nothing_it_learnt(panel):
    later = np.array(panel.outcome)
    later[:, -24:] *= 3.0
    changed = replace(panel, outcome=later)

    first, second = (LinearMmm().fit(one, holdout_weeks=24) for one in (panel, changed))

    assert (first.parameters["coefficients"] == second.parameters["coefficients"]).all()
