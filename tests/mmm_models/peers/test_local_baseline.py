"""Baselines solved for in closed form leave the media effects of the whole regression."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import Ridge

from mmm_models.peers.local_baseline import LocalBaseline, non_negative_minimum, reduce

UNITS, WEEKS, COLUMNS, FEATURES = 3, 40, 2, 4


def drawn(seed: int = 0):
    rng = np.random.default_rng(seed)
    columns = rng.gamma(2.0, 0.5, (UNITS, WEEKS, COLUMNS))
    features = rng.normal(size=(UNITS, WEEKS, FEATURES))
    target = columns @ np.array([0.4, 0.2]) + features.sum(axis=-1) + 0.3 * rng.normal(size=(UNITS, WEEKS))
    learn = np.ones((UNITS, WEEKS), dtype=bool)
    learn[:, -8:] = False
    return columns, target, LocalBaseline(features), learn


def test_effects_are_those_of_one_ridge_regression_on_everything():
    """scikit-learn's, each unit with columns of its own for its baseline, rows weighted by the unit's noise."""
    columns, target, baseline, learn = drawn()
    reduced = reduce(columns, target, baseline, learn)
    penalty = np.diag([2.0, 5.0])
    # noise as the reduction sees it: r' S^-1 r of the target alone against its plain residual
    noise = np.sqrt(_noise_variance(target, baseline, learn))
    rows = []
    for unit in range(UNITS):
        local = np.zeros((WEEKS, UNITS * FEATURES))
        local[:, unit * FEATURES : (unit + 1) * FEATURES] = baseline.features[unit]
        media = columns[unit] / np.sqrt(np.diag(penalty))
        rows.append(np.concatenate([media, local], axis=1)[learn[unit]] / noise[unit])
    design = np.concatenate(rows)
    wanted = np.concatenate([target[unit][learn[unit]] / noise[unit] for unit in range(UNITS)])
    fitted = Ridge(alpha=1.0, fit_intercept=False).fit(design, wanted)

    assert reduced.solve(penalty) == pytest.approx(fitted.coef_[:2] / np.sqrt(np.diag(penalty)), rel=1e-6)


def _noise_variance(target, baseline, learn):
    """Mean squared residual of a ridge regression (penalty 0.01) on the baseline alone, unit by unit."""
    found = []
    for unit in range(UNITS):
        rows = baseline.features[unit][learn[unit]]
        wanted = target[unit][learn[unit]]
        fitted = Ridge(alpha=0.01, fit_intercept=False).fit(rows, wanted)
        found.append(float(((wanted - fitted.predict(rows)) ** 2).mean()))
    return np.array(found)


def test_prediction_errors_of_weeks_not_learnt_from_need_no_outcome_of_theirs():
    columns, target, baseline, learn = drawn()
    effects = reduce(columns, target, baseline, learn).solve(np.eye(2))
    predicted = target - reduce(columns, target, baseline, learn).error(effects)
    changed = np.where(learn, target, target + 100.0)
    again = reduce(columns, changed, baseline, learn)

    assert np.array_equal(again.solve(np.eye(2)), effects)
    assert changed - again.error(effects) == pytest.approx(predicted, abs=1e-9)


def test_the_non_negative_minimum_is_one():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(6, 4))
    quadratic, linear = root.T @ root, np.array([3.0, -2.0, 1.0, 0.5])
    found = non_negative_minimum(quadratic, linear)
    searched = minimize(
        lambda c: c @ quadratic @ c - 2 * linear @ c,
        np.ones(4),
        jac=lambda c: 2 * (quadratic @ c - linear),
        bounds=[(0, None)] * 4,
        options={"ftol": 1e-15, "gtol": 1e-10},
    )

    assert found.min() == 0
    assert found == pytest.approx(searched.x, abs=1e-5)


def test_a_constant_unit_does_not_outweigh_all_others():
    columns, target, baseline, learn = drawn()
    target[0] = 0.0
    reduced = reduce(columns, target, baseline, learn)

    assert np.isfinite(reduced.normal).all()
