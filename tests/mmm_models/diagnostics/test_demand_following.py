"""Media that move with demand are told from media that sell."""

import numpy as np
import pytest

from mmm_models.diagnostics.demand_following import baseline_correlation
from mmm_models.diagnostics.panel_evidence import gather_evidence
from mmm_models.panel import pool
from mmm_models.spec import ModelSpec
from simulations.scenario import Scenario
from simulations.world import make_world
from tests.mmm_models.diagnostics.made_panels import (
    HOLDOUT,
    found,
    independent_media,
    made_panel,
    season,
    the_finding,
)

CODES = ("follows-demand", "moves-like-baseline")
DEMAND = 0.15 * season()


def world(elasticity, seed):
    channels = [
        {"name": "tv", "sales_share": 0.1, "spend_share": 0.05, "flight": "flighted"},
        {
            "name": "search",
            "sales_share": 0.06,
            "spend_share": 0.03,
            "flight": "follows_demand",
            "demand_elasticity": elasticity,
        },
    ]
    sizes = {"silos": 5, "units_per_silo": 4, "weeks": 104, "holdout_weeks": 24}
    return pool(
        make_world(
            Scenario.model_validate({"name": "tiny", "seed": seed, "channels": channels, **sizes})
        ).panels
    )


def test_media_that_ignore_demand_are_innocent():
    assert found(made_panel(independent_media(2), demand=DEMAND), *CODES) == {}


def test_media_that_follow_the_season_are_named():
    media = independent_media(2)
    media[..., 1] *= 1.0 + 2.0 * DEMAND

    finding = the_finding(made_panel(media, demand=DEMAND), "follows-demand")

    assert finding.channels == ("c1",)
    assert "too high" in finding.text


def test_media_that_avoid_the_season_are_named_with_the_opposite_bias():
    media = independent_media(2)
    media[..., 1] *= 1.0 - 2.0 * DEMAND

    assert "too low" in the_finding(made_panel(media, demand=DEMAND), "follows-demand").text


def test_media_that_follow_a_control_are_named():
    """The control explains demand, so the model can tell; that it must is worth saying."""
    control = 0.1 * np.random.default_rng(5).standard_normal((12, 140))
    media = independent_media(2)
    media[..., 0] *= np.exp(4.0 * control)
    panel = made_panel(media, demand=control, controls=control[..., None])

    assert found(panel, "follows-demand") == {"follows-demand": ("c0",)}


def test_a_channel_that_sells_much_is_not_taken_for_one_that_follows():
    """Its own sales make outcome and media correlate; the baseline beside it stays flat."""
    media = independent_media(2)
    panel = made_panel(media, demand=None)
    boosted = made_panel(media, outcome=panel.outcome + 10.0 * media[..., 0])

    outcome = boosted.outcome - boosted.outcome.mean(axis=1, keepdims=True)
    assert np.corrcoef(outcome.ravel(), media[..., 0].ravel())[0, 1] > 0.8
    assert found(boosted, *CODES) == {}


def test_without_demand_that_moves_nothing_is_confounded():
    media = independent_media(1) * (1.0 + 0.3 * season()[None, :, None])
    panel = made_panel(media, demand=None, noise=0.005)
    seen = gather_evidence(panel, holdout_weeks=HOLDOUT, spec=ModelSpec())

    assert baseline_correlation(seen).tolist() == [0.0]


def test_media_made_of_season_alone_say_next_to_nothing():
    media = independent_media(2)
    media[..., 1] = 1.0 + 0.5 * season()[None, :] + 0.02 * media[..., 0]

    finding = the_finding(made_panel(media, demand=DEMAND), "moves-like-baseline")

    assert finding.channels == ("c1",)
    assert finding.severity == "review"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_in_known_truth_worlds_the_channel_that_follows_demand_is_named(seed):
    assert found(world(1.5, seed), "follows-demand", holdout_weeks=24) == {"follows-demand": ("search",)}
    assert found(world(0.0, seed), "follows-demand", holdout_weeks=24) == {}
