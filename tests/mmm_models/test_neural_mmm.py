"""The neural MMM from panel to results, on made-up and on public data."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mmm_models.family import ModelFamily
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.panel import Panel
from mmm_models.panel_io import load_panel
from mmm_models.results import Results
from mmm_models.spec import ModelSpec, TrainingSpec
from mmm_models.unit_data import split_weeks
from tests.mmm_models.family_contract import FamilyContract
from tests.mmm_models.panel_files import write_spec
from tests.mmm_models.small_panels import small_panel
from tests.mmm_models.test_panel_shared_data import meridian_spec


class TestNeuralMmm(FamilyContract):
    family: ModelFamily = NeuralMmm(ModelSpec(max_lag_weeks=6), TrainingSpec(steps=15, learning_rate=0.1))


class TestNeuralMmmWithSynergyAndWaves(FamilyContract):
    family: ModelFamily = NeuralMmm(
        ModelSpec(max_lag_weeks=6, synergy=True, effect_waves=2), TrainingSpec(steps=15, learning_rate=0.1)
    )


def national_spec(path: Path, week: str, outcome: str, media: list[str], controls: list[str]) -> dict:
    return {
        "silo": "national",
        "data": {"path": str(path)},
        "columns": {"week": week, "outcome": outcome, "currency": "EUR"},
        "channels": {name: {"spend": name} for name in media},
        "controls": {"columns": controls},
    }


def naive_nrmse(panel: Panel, holdout_weeks: int) -> float:
    """Error of predicting every held-out week by its unit's mean training week, relative to that mean."""
    train, test = split_weeks(panel, ModelSpec(), holdout_weeks)
    level = (panel.outcome * train).sum(axis=1) / train.sum(axis=1)
    error = (panel.outcome / level[:, None] - 1.0)[test]
    return float(np.sqrt((error**2).mean()))


def assert_sane(results: Results) -> None:
    for channel in results.channels:
        assert 0 < channel.contribution < results.outcome
        assert 0 < channel.share < 0.6
    assert 0 < results.media_share < 0.8


def test_four_silos_of_ten_geos(shared_data, tmp_path):
    path = shared_data / "meridian" / "geo_all_channels.csv"
    panel = load_panel(write_spec(tmp_path, meridian_spec(path, [f"Geo{i}" for i in range(40)]))).panel
    results = NeuralMmm(training=TrainingSpec(steps=60)).fit(panel, holdout_weeks=26).results
    assert_sane(results)
    assert results.holdout.nrmse < naive_nrmse(panel, 26)
    assert len(results.holdout.per_unit) == 40
    assert all(0.3 < channel.roi < 4.0 for channel in results.channels if channel.spend > 0)
    # what a conversion brings is in the file: two cents, not one
    frame = pd.read_csv(path)
    assert results.revenue == pytest.approx((frame["conversions"] * frame["revenue_per_conversion"]).sum())


@pytest.mark.parametrize(
    ("file", "week", "outcome", "media", "controls"),
    [
        ("pymc/mmm_example.csv", "date_week", "y", ["x1", "x2"], ["event_1", "event_2"]),
        (
            "robyn/dt_simulated_weekly.csv",
            "DATE",
            "revenue",
            ["tv_S", "ooh_S", "print_S", "search_S", "facebook_S"],
            ["competitor_sales_B"],
        ),
    ],
)
def test_national_files_are_predicted_better_than_by_their_mean(
    shared_data, tmp_path, file, week, outcome, media, controls
):
    spec = national_spec(shared_data / file, week, outcome, media, controls)
    panel = load_panel(write_spec(tmp_path, spec)).panel
    results = NeuralMmm().fit(panel, holdout_weeks=26).results
    assert_sane(results)
    assert results.holdout.nrmse < 0.5 * naive_nrmse(panel, 26)


def test_a_published_truth_is_found_although_spend_is_in_no_unit_of_money(shared_data, tmp_path):
    """The file's counterfactual columns say what sales would have been without each channel."""
    path = shared_data / "pymc" / "mmm_roas_data.csv"
    panel = load_panel(write_spec(tmp_path, national_spec(path, "date", "y", ["x1", "x2"], ["z"]))).panel
    results = NeuralMmm().fit(panel, holdout_weeks=26).results
    frame = pd.read_csv(path)
    truth = [1.0 - frame[without].sum() / frame["y"].sum() for without in ("y01", "y02")]
    found = [channel.share for channel in results.channels]
    assert truth == pytest.approx([0.210, 0.138], abs=0.001)
    assert found == pytest.approx(truth, abs=0.08)


def test_the_unit_of_money_changes_nothing_but_the_numbers_in_money():
    panel = small_panel()
    family = NeuralMmm(training=TrainingSpec(steps=20))
    plain = family.fit(panel, holdout_weeks=8).results
    # a factor of 2^10 moves every quantity by whole octaves, so that the agreed scales move exactly along
    rescaled = replace(panel, outcome=panel.outcome * 1024.0, spend=panel.spend * 1024.0)
    in_pence = family.fit(rescaled, holdout_weeks=8).results
    for one, other in zip(plain.channels, in_pence.channels, strict=True):
        assert other.contribution == pytest.approx(1024.0 * one.contribution, rel=1e-3)
        assert (other.share, other.roi) == pytest.approx((one.share, one.roi), rel=1e-3)


def test_a_hundred_and_ninety_geos_with_thirteen_channels():
    panel = small_panel(units=190, weeks=156, channels=13)
    results = NeuralMmm(training=TrainingSpec(steps=50)).fit(panel, holdout_weeks=26).results
    assert len(results.channels) == 13
    assert all(channel.contribution > 0 for channel in results.channels)
    assert results.holdout.nrmse < naive_nrmse(panel, 26)
