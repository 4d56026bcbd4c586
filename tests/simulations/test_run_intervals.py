"""Intervals of federated runs: those of one place with all data, and with noise wider but still there."""

from pathlib import Path

import numpy as np

from mmm_models.neural_mmm import NeuralMmm
from mmm_models.panel import pool
from mmm_models.panel_io import load_panel
from mmm_models.results import Results
from mmm_models.stored_model import load_model
from tests.small_federation import HOLDOUT_WEEKS, settings_for, sharing_noise, train

Files = tuple[Path, ...]


def widths(results: Results) -> np.ndarray:
    """High over low, as a logarithm, of every contribution, ROI and marginal ROI."""
    intervals = [
        interval
        for channel in results.channels
        for interval in (channel.contribution_interval, channel.roi_interval, channel.marginal_roi_interval)
    ]
    return np.log([interval.high / interval.low for interval in intervals])


def test_a_federated_run_is_as_sure_as_one_place_with_all_data(silo_files: Files, tmp_path: Path) -> None:
    settings = settings_for(tmp_path / "run", rounds=12)
    federated = train(silo_files, settings)
    panel = pool([load_panel(path).panel for path in silo_files])
    central = NeuralMmm(settings.model).fit(panel, holdout_weeks=HOLDOUT_WEEKS).results

    assert federated.interval_level == central.interval_level == 0.9
    np.testing.assert_allclose(widths(federated), widths(central), rtol=0.1)
    for channel, curve in zip(federated.channels, federated.curves, strict=True):
        assert channel.contribution_interval.low < channel.contribution < channel.contribution_interval.high
        assert all(
            low <= value <= high
            for low, value, high in zip(curve.low, curve.contribution, curve.high, strict=True)
        )
    covariance = load_model(tmp_path / "run").covariance
    assert covariance is not None
    assert (np.linalg.eigvalsh(covariance) > 0).all()


def test_small_steps_sum_no_curvature_and_say_no_interval(silo_files: Files, tmp_path: Path) -> None:
    results = train(silo_files, settings_for(tmp_path / "run", strategy="fedadam"))

    assert np.isnan(results.interval_level)
    assert load_model(tmp_path / "run").covariance is None


def test_a_noised_run_has_intervals_from_what_was_charged(generous_silo_files: Files, tmp_path: Path) -> None:
    results = train(generous_silo_files, settings_for(tmp_path / "run", **{**sharing_noise(), "rounds": 12}))

    assert results.private
    assert results.interval_level == 0.9
    for channel in results.channels:
        assert (
            0
            <= channel.contribution_interval.low
            <= channel.contribution
            < channel.contribution_interval.high
        )
        assert channel.share_interval.high * results.outcome > channel.contribution
