"""From predictions to results, by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mmm_models.errors import HistoryTooShort
from mmm_models.peers.media_effects import AdditiveEffects
from mmm_models.peers.peer_data import prepare_peer
from mmm_models.peers.peer_results import PeerPrediction, peer_results
from tests.mmm_models.peers.made_shapes import PLAIN, ROOT
from tests.mmm_models.small_panels import small_panel


def found(shape, effect: float, **parts):
    panel = small_panel(units=2, weeks=40, channels=1, **parts)
    data = prepare_peer(panel, holdout_weeks=8)
    effects = AdditiveEffects((shape,), np.array([effect]), data.media)
    results, _ = peer_results("made", data, PeerPrediction(np.ones_like(data.outcome), effects))
    return panel, data, results


def test_a_channel_without_saturation_has_a_straight_curve_and_one_roi():
    panel, data, results = found(PLAIN, 0.1)
    (channel,), (curve,) = results.channels, results.curves
    expected = float((0.1 * data.media[..., 0] * data.level[:, None]).sum())

    assert channel.contribution == pytest.approx(expected)
    assert channel.share == pytest.approx(expected / panel.outcome.sum())
    assert channel.roi == pytest.approx(expected / panel.spend.sum())
    assert channel.marginal_roi == pytest.approx(channel.roi)
    assert curve.contribution == pytest.approx([expected * m for m in curve.multiplier])
    assert curve.spend[-1] == pytest.approx(2 * panel.spend.sum())


def test_under_a_square_root_the_next_euro_brings_half_of_the_mean_one():
    """d sqrt(m) / dm at one is a half; a step of one per cent is a little less."""
    (channel,) = found(ROOT, 0.1)[2].channels

    assert channel.marginal_roi == pytest.approx(channel.roi * (math.sqrt(1.01) - 1) / 0.01)


def test_what_an_outcome_is_worth_counts_for_roi_and_not_for_shares():
    plain, dear = (found(PLAIN, 0.1, revenue_per_outcome=np.full((2, 40), price))[2] for price in (1.0, 20.0))

    assert dear.channels[0].roi == pytest.approx(20.0 * plain.channels[0].roi)
    assert dear.channels[0].share == plain.channels[0].share


def test_weeks_without_an_outcome_have_no_contribution():
    observed = np.ones((2, 40), dtype=bool)
    observed[:, :20] = False
    panel = small_panel(units=2, weeks=40, channels=1)
    panel = replace(panel, observed=observed, outcome=panel.outcome * observed)
    data = prepare_peer(panel, holdout_weeks=0)
    effects = AdditiveEffects((PLAIN,), np.array([0.1]), data.media)
    _, contribution = peer_results("made", data, PeerPrediction(data.outcome, effects))

    assert (contribution[:, :20] == 0).all()
    assert (contribution[:, 20:] > 0).all()


def test_fit_is_relative_to_each_units_mean_training_outcome():
    """Predicting the mean of training: nRMSE and RMSE worked out from the panel alone."""
    panel, _, results = found(PLAIN, 0.1)
    level = panel.outcome[:, :-8].mean(axis=1, keepdims=True)
    error = (panel.outcome - level)[:, -8:]

    assert results.holdout.nrmse == pytest.approx(math.sqrt(float(((error / level) ** 2).mean())))
    assert results.holdout.rmse == pytest.approx(math.sqrt(float((error**2).mean())))
    assert results.holdout.mape == pytest.approx(float((np.abs(error) / panel.outcome[:, -8:]).mean()))
    assert (results.holdout.weeks, results.holdout.units, sum(results.holdout.r2_counts)) == (8, 2, 2)


def test_too_little_history_is_an_error_with_what_would_make_it_work():
    with pytest.raises(HistoryTooShort) as caught:
        prepare_peer(small_panel(weeks=12), holdout_weeks=3)

    assert "4 more training weeks, hold out fewer" in caught.value.hint
