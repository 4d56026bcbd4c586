"""What is made of a panel before training, and that nothing leaks from held-out weeks or other units."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from mmm_models.neural_mmm import NeuralMmm, pooled_scales
from mmm_models.spec import ModelSpec, TrainingSpec
from mmm_models.unit_data import UnitData, prepare, split_weeks
from tests.mmm_models.small_panels import prepared, small_panel

SPEC = ModelSpec()
TENSORS = [field.name for field in fields(UnitData) if field.name != "feature_names"]


def with_other_future(panel, holdout_weeks: int = 8):
    outcome = panel.outcome.copy()
    outcome[:, -holdout_weeks:] = 1e4 * np.random.default_rng(9).random((panel.n_units, holdout_weeks))
    return replace(panel, outcome=outcome)


def test_held_out_outcomes_reach_nothing_but_themselves():
    panel = small_panel()
    (scales, data), (other_scales, other) = prepared(panel, SPEC), prepared(with_other_future(panel), SPEC)
    assert scales.to_vector().tolist() == other_scales.to_vector().tolist()
    for name in TENSORS:
        same = torch.equal(getattr(data, name), getattr(other, name))
        assert same == (name != "outcome"), name
    assert torch.equal(data.outcome[:, :-8], other.outcome[:, :-8])


def test_held_out_outcomes_do_not_reach_the_trained_response():
    family = NeuralMmm(training=TrainingSpec(steps=20))
    panel = small_panel()
    before = family.fit(panel, holdout_weeks=8)
    after = family.fit(with_other_future(panel), holdout_weeks=8)
    for one, two in zip(
        before.trained.response.parameters(), after.trained.response.parameters(), strict=True
    ):
        assert torch.equal(one, two)
    assert after.results.holdout.nrmse > 10 * before.results.holdout.nrmse


def test_held_out_media_and_prices_reach_neither_scales_nor_the_trained_response():
    """They are plans, known beforehand, and the fit on held-out weeks needs them; nothing is learnt from them."""
    panel, family = small_panel(), NeuralMmm(training=TrainingSpec(steps=20))
    later = np.arange(panel.n_weeks) >= panel.n_weeks - 8
    more = np.where(later, 5.0, 1.0)[None, :, None]
    planned = replace(
        panel,
        media=panel.media * more,
        spend=panel.spend * more,
        revenue_per_outcome=panel.revenue_per_outcome * more[..., 0],
    )
    before, after = (family.fit(each, holdout_weeks=8) for each in (panel, planned))

    assert before.scales.to_vector().tolist() == after.scales.to_vector().tolist()
    assert before.posterior.mode.tolist() == after.posterior.mode.tolist()
    assert before.posterior.covariance.tolist() == after.posterior.covariance.tolist()
    assert before.results.channels != after.results.channels


def test_a_unit_is_prepared_the_same_alone_and_among_others():
    panel = small_panel()
    scales, together = prepared(panel, SPEC)
    alone = prepare(panel.select_units([1]), scales, SPEC, holdout_weeks=8)
    for name in TENSORS:
        torch.testing.assert_close(getattr(alone, name)[0], getattr(together, name)[1], rtol=1e-5, atol=1e-6)


def test_outcomes_are_multiples_of_a_units_mean_training_week():
    outcome = np.array([[10.0] * 30 + [30.0] * 30])
    _, data = prepared(small_panel(units=1, outcome=outcome), SPEC, holdout_weeks=15)
    # 30 weeks of 10 and 15 of 30: mean 50 / 3
    assert data.level.item() == pytest.approx(50 / 3)
    assert data.outcome[0, [0, -1]].tolist() == pytest.approx([0.6, 1.8])
    assert (int(data.train.sum()), int(data.test.sum())) == (45, 15)


def test_weeks_are_trained_on_or_held_out_or_neither():
    observed = np.ones((2, 40), dtype=np.bool_)
    observed[0, 5:8] = observed[0, 38] = False
    panel = small_panel(units=2, weeks=40)
    panel = replace(panel, observed=observed, outcome=panel.outcome * observed)
    train, test = split_weeks(panel, ModelSpec(warm_up_weeks=2), 6)
    assert np.flatnonzero(train[0]).tolist() == [2, 3, 4, *range(8, 34)]
    assert np.flatnonzero(test[0]).tolist() == [34, 35, 36, 37, 39]
    assert np.flatnonzero(train[1]).tolist() == list(range(2, 34))


@pytest.mark.parametrize(("asked", "held"), [(0, 0), (10, 10), (15, 15), (50, 15)])
def test_at_most_a_quarter_is_held_out(asked, held):
    _, test = split_weeks(small_panel(), SPEC, asked)
    assert test.sum(axis=1).tolist() == [held] * 3


@pytest.mark.parametrize("population", [None, np.array([1e3, 2e3, 3e3])])
def test_a_unit_without_sales_before_the_hold_out_takes_no_part(population):
    panel = small_panel() if population is None else small_panel(population=population)
    outcome = panel.outcome.copy()
    outcome[1, :52] = 0.0
    scales, data = prepared(replace(panel, outcome=outcome), SPEC)
    expected = pooled_scales(panel.select_units([0, 2]), SPEC, 8)
    assert scales.to_vector().tolist() == expected.to_vector().tolist()
    assert data.level[1] == 0
    for array in (data.train, data.test, data.media, data.outcome):
        assert not array[1].any()
    assert all(torch.isfinite(getattr(data, name)).all() for name in TENSORS)


def test_the_whitener_inverts_the_covariance_of_training_weeks():
    _, data = prepared(small_panel(), SPEC)
    train = data.train[2].numpy() > 0
    features, whitener = (array[2].double().numpy()[train] for array in (data.features, data.whitener))
    variance = float(data.noise[2]) ** 2
    covariance = variance * np.eye(train.sum()) + features @ features.T
    inverse = (np.eye(train.sum()) - whitener @ whitener.T) / variance
    # float32 features against an intercept prior of 10: a thousandth of the inverse's own size
    np.testing.assert_allclose(inverse @ covariance, np.eye(train.sum()), atol=0.02)
    assert not data.whitener[2][~torch.as_tensor(train)].any()


def test_noise_is_what_a_baseline_without_media_leaves_and_never_nothing():
    weeks, rng = 104, np.random.default_rng(3)
    outcome = np.stack([100.0 + 10.0 * rng.standard_normal(weeks), np.full(weeks, 100.0)])
    panel = small_panel(units=2, weeks=weeks, outcome=outcome)
    _, data = prepared(panel, SPEC, holdout_weeks=0)
    # 104 weeks, some thirty features of which the wide ones take a weekly error's share away
    assert 0.07 < float(data.noise[0]) < 0.1
    assert float(data.noise[1]) == pytest.approx(0.01)


def test_a_unit_is_prepared_alike_to_the_last_bit_whichever_others_its_silo_has():
    """What one unit adds to a private sum is bounded; nothing bounds what it would change in others."""
    panel = small_panel(units=7)
    scales, whole = prepared(panel, SPEC)
    for units in ([0], [6], [0, 1], [2, 5, 6], [0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]):
        part = prepare(panel.select_units(units), scales, SPEC, holdout_weeks=8)
        for name in TENSORS:
            assert torch.equal(getattr(part, name), getattr(whole, name)[units]), (name, units)


def test_double_precision_changes_the_precision_and_no_number():
    _, data = prepared(small_panel(), SPEC)
    for name in TENSORS:
        assert getattr(data.double(), name).dtype is torch.float64
        assert getattr(data.double(), name).tolist() == getattr(data, name).tolist()
    assert data.double().feature_names == data.feature_names
