"""Peers on public files: national ones, geos, and a published truth."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mmm_models.panel_io import load_panel
from mmm_models.peers.registry import FAMILIES, NEURAL, family
from tests.mmm_models.panel_files import write_spec
from tests.mmm_models.peers.quick_families import quick_family
from tests.mmm_models.small_panels import small_panel
from tests.mmm_models.test_neural_mmm import naive_nrmse, national_spec
from tests.mmm_models.test_panel_shared_data import meridian_spec

REGRESSIONS = ["ridge", "log-linear", "interactions", "time-varying"]
PEERS = [name for name in FAMILIES if name != NEURAL]


def robyn_spec(shared_data: Path) -> dict[str, Any]:
    media = ["tv_S", "ooh_S", "print_S", "search_S", "facebook_S"]
    path = shared_data / "robyn" / "dt_simulated_weekly.csv"
    return national_spec(path, "DATE", "revenue", media, ["competitor_sales_B"])


@pytest.mark.parametrize("name", REGRESSIONS)
def test_a_published_truth_is_found(shared_data, tmp_path, name):
    path = shared_data / "pymc" / "mmm_roas_data.csv"
    panel = load_panel(write_spec(tmp_path, national_spec(path, "date", "y", ["x1", "x2"], ["z"]))).panel
    results = family(name).fit(panel, holdout_weeks=26).results
    frame = pd.read_csv(path)
    truth = [1.0 - frame[without].sum() / frame["y"].sum() for without in ("y01", "y02")]

    assert [channel.share for channel in results.channels] == pytest.approx(truth, abs=0.08)


@pytest.mark.parametrize("name", PEERS)
def test_a_national_file_is_predicted_better_than_by_its_mean(shared_data, tmp_path, name):
    panel = load_panel(write_spec(tmp_path, robyn_spec(shared_data))).panel
    results = quick_family(name).fit(panel, holdout_weeks=26).results

    assert results.holdout.nrmse < 0.6 * naive_nrmse(panel, 26)
    assert 0 <= results.media_share < 0.5


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("geos", [2, 20])
def test_geos_are_fitted(shared_data, tmp_path, name, geos):
    path = shared_data / "meridian" / "geo_all_channels.csv"
    panel = load_panel(write_spec(tmp_path, meridian_spec(path, [f"Geo{i}" for i in range(geos)]))).panel
    results = quick_family(name).fit(panel, holdout_weeks=26).results

    assert len(results.holdout.per_unit) == geos
    assert 0 <= results.media_share < 0.8
    assert results.holdout.nrmse < 1.2 * naive_nrmse(panel, 26)


@pytest.mark.slow
@pytest.mark.parametrize("name", PEERS)
def test_a_hundred_and_ninety_geos_with_thirteen_channels(name):
    """Every channel truly brings 2.6 % of the outcome."""
    panel = small_panel(units=190, weeks=104, channels=13)
    results = quick_family(name).fit(panel, holdout_weeks=26).results

    assert results.holdout.nrmse < 1.2 * naive_nrmse(panel, 26)
    if name in REGRESSIONS:
        assert [channel.share for channel in results.channels] == pytest.approx([0.026] * 13, abs=0.006)
