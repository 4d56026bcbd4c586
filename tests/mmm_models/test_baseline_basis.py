"""What a unit's own baseline may look like."""

import numpy as np
import pytest

from mmm_models.baseline_basis import baseline_basis
from mmm_models.spec import BaselineSpec

WEEKS = np.datetime64("2023-01-02") + 7 * np.arange(60).astype("timedelta64[D]")


def features(spec: BaselineSpec, controls=None, train=None, weeks=WEEKS) -> dict[str, np.ndarray]:
    """Columns `[unit, week]` by name."""
    controls = np.zeros((1, len(weeks), 0)) if controls is None else controls
    train = np.ones(controls.shape[:2], dtype=np.bool_) if train is None else train
    names = tuple(f"control {i}" for i in range(controls.shape[2]))
    basis = baseline_basis(weeks, controls, names, train, spec)
    assert basis.features.shape == (*controls.shape[:2], len(basis.names))
    return {name: basis.features[..., i] for i, name in enumerate(basis.names)}


def test_intercept_and_trend_are_scaled_by_their_priors():
    found = features(BaselineSpec(intercept_sd=7.0, trend_sd_per_year=0.2))
    assert (found["intercept"] == 7.0).all()
    trend = found["trend"][0]
    assert trend.mean() == pytest.approx(0.0, abs=1e-12)
    assert (trend[52] - trend[0]) / (52 * 7 / 365.25) == pytest.approx(0.2)


def test_season_repeats_every_year_and_higher_orders_are_smaller():
    weeks = np.datetime64("2021-01-01") + 7 * np.arange(160).astype("timedelta64[D]")
    found = features(BaselineSpec(season_pairs=2, season_sd=0.3), weeks=weeks)
    for order in (1, 2):
        sine, cosine = found[f"season_sin_{order}"][0], found[f"season_cos_{order}"][0]
        np.testing.assert_allclose(np.hypot(sine, cosine), 0.3 / order)
        assert cosine[0] == pytest.approx(0.3 / order)  # 1 January
    year = [np.flatnonzero(weeks == np.datetime64(day))[0] for day in ("2021-07-02", "2022-07-01")]
    assert abs(np.diff(found["season_sin_1"][0][year])) < 0.3 * 2 * np.pi * 1.5 / 365


@pytest.mark.parametrize(("weeks", "pairs"), [(39, 0), (40, 3)])
def test_a_short_history_has_no_season(weeks, pairs):
    found = features(BaselineSpec(season_pairs=3), weeks=WEEKS[:weeks])
    assert sum(name.startswith("season_sin") for name in found) == pairs


def test_drift_is_about_as_wide_everywhere_as_its_prior_says():
    found = features(BaselineSpec(drift_sd=0.03, drift_weeks=8))
    bumps = np.stack([column[0] for name, column in found.items() if name.startswith("drift")])
    sd = np.sqrt((bumps**2).sum(axis=0))
    assert sd.max() / sd.min() < 1.35
    assert 0.03 <= sd.min() <= sd.max() < 0.045
    assert not any(name.startswith("drift") for name in features(BaselineSpec(drift_sd=0.0)))


def test_controls_are_standardised_by_training_weeks_alone():
    controls = np.random.default_rng(0).normal(5.0, 3.0, (2, 60, 2))
    train = np.ones((2, 60), dtype=np.bool_)
    train[:, 50:] = False
    found = features(BaselineSpec(control_sd=0.2), controls, train)
    column = found["control 1"]
    np.testing.assert_allclose(column[:, :50].mean(axis=1), 0.0, atol=1e-12)
    np.testing.assert_allclose(column[:, :50].std(axis=1), 0.2)
    changed = controls.copy()
    changed[:, 50:] *= 2.0
    np.testing.assert_array_equal(
        features(BaselineSpec(control_sd=0.2), changed, train)["control 1"][:, :50], column[:, :50]
    )


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_a_control_counts_whatever_its_unit_and_a_constant_one_does_not(scale):
    controls = np.stack([np.arange(60.0), np.full(60, 0.1)], axis=-1)[None] * scale
    found = features(BaselineSpec(control_sd=1.0), controls)
    expected = (np.arange(60) - 29.5) / np.sqrt((60**2 - 1) / 12)  # standard deviation of 0..59
    np.testing.assert_allclose(found["control 0"][0], expected)
    assert not found["control 1"].any()


def test_a_control_out_of_all_proportion_is_held_at_eight_standard_deviations():
    controls = np.zeros((1, 60, 1))
    controls[0, ::2] = 1.0
    controls[0, 59] = 1000.0
    train = np.arange(60)[None] < 50
    assert features(BaselineSpec(control_sd=0.1), controls, train)["control 0"].max() == pytest.approx(0.8)
