"""Effects that drift."""

from dataclasses import replace

import numpy as np
import pytest

from mmm_models.peers.ridge import Ridge
from mmm_models.peers.time_varying import TimeVarying, walk_basis
from tests.mmm_models.small_panels import small_panel


def test_basis_adds_up_to_one_and_stays_where_it_was_after_training():
    train = np.ones((2, 50), dtype=bool)
    train[:, 40:] = False
    basis = walk_basis(train, knot_weeks=13)

    assert basis.shape == (50, 4)  # knots at weeks 0, 13, 26 and 39
    assert basis.sum(axis=1) == pytest.approx(np.ones(50))
    assert basis[13].tolist() == [0, 1, 0, 0]
    assert (basis[40:] == [0, 0, 0, 1]).all()


def test_an_effect_that_grows_is_seen_to_grow():
    panel = small_panel(units=10, weeks=120, channels=1)
    rng = np.random.default_rng(1)
    strength = np.linspace(0.05, 0.35, 120)
    outcome = 100.0 * (1.0 + strength * panel.media[..., 0] / 200.0)
    made = replace(panel, outcome=outcome + rng.standard_normal(outcome.shape))
    fitted = TimeVarying().fit(made, holdout_weeks=12)
    per_media = fitted.contribution[..., 0].sum(axis=0) / made.media[..., 0].sum(axis=0)

    assert per_media[60:100].mean() > 1.5 * per_media[:40].mean()
    assert fitted.results.holdout.nrmse < Ridge().fit(made, holdout_weeks=12).results.holdout.nrmse


def test_an_effect_that_stays_is_left_alone():
    panel = small_panel(units=10, weeks=120, channels=1)
    fitted = TimeVarying().fit(panel, holdout_weeks=12)

    assert fitted.choices["step sd"] == 0.001
