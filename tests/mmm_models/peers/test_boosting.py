"""Trees and their SHAP values."""

from dataclasses import replace

import numpy as np
import pytest

from mmm_models.peers.boosting import Boosting, TreeEffects
from mmm_models.peers.peer_data import prepare_peer
from mmm_models.peers.tree_features import tree_features
from tests.mmm_models.small_panels import small_panel

QUICK = Boosting(leaves=(8,), most_trees=100, learning_rate=0.1)


@pytest.fixture(scope="module")
def effects() -> TreeEffects:
    data = prepare_peer(flighted(), holdout_weeks=8)
    features = tree_features(data)
    rows = features.rows(data.media)
    model = QUICK._model(features, rows.shape[1], 8, int(data.train.sum()))
    model.set_params(max_iter=60).fit(rows[data.train.ravel()], data.outcome[data.train])
    return TreeEffects(model, features, data.media)


def flighted():
    """Media on and off in turn, with an effect that is easily seen."""
    panel = small_panel(units=6, weeks=90, channels=3)
    on = np.random.default_rng(1).random(panel.media.shape) < 0.6
    media = panel.media * on
    return replace(panel, media=media, spend=0.01 * media, outcome=panel.outcome + 0.1 * media.sum(axis=-1))


def test_contributions_of_a_week_are_what_would_be_missing_without_media(effects):
    none = effects._predict(np.zeros_like(effects.media))

    assert effects.contributions.sum(axis=-1) == pytest.approx(effects.predicted - none, abs=1e-6)
    assert effects.contributions.min() >= -1e-7


def test_more_media_never_predict_less(effects):
    for channel in range(3):
        assert (effects.change(channel, 1.5) >= 0).all()
        assert (effects.change(channel, 0.0) <= 0).all()


def test_a_channel_that_never_stopped_is_said_to_be_credited_above_its_quietest_week_only():
    results = QUICK.fit(small_panel(), holdout_weeks=8).results

    assert [(f.code, f.channels) for f in results.findings] == [
        ("always-on", ("c0",)),
        ("always-on", ("c1",)),
    ]
    assert QUICK.fit(flighted(), holdout_weeks=8).results.findings == ()


def test_effects_that_are_there_are_found():
    results = QUICK.fit(flighted(), holdout_weeks=8).results
    truth = 0.12 * flighted().media.sum(axis=(0, 1))  # 0.02 of the panel and 0.1 more

    assert [c.contribution for c in results.channels] == pytest.approx(truth, rel=0.35)


def test_so_many_trees_are_grown_without_tuning():
    fitted = Boosting(trees=7).fit(small_panel(), holdout_weeks=4)

    assert fitted.choices == {"leaves": 8, "trees": 7, "rolling-origin errors": []}
