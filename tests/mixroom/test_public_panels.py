"""Panels that other tools ship, from a silo file alone to contributions, pooled and federated."""

import json

import pandas as pd
import pytest

from tests.mmm_models.panel_files import write_spec
from tests.mmm_models.test_panel_shared_data import meridian_spec


def national_spec(path, columns, media, *, silo="national", controls=(), currency="EUR"):
    return {
        "silo": silo,
        "data": {"path": str(path)},
        "columns": {**columns, "currency": currency},
        "channels": {name: {"spend": name} for name in media},
        "controls": {"columns": list(controls)},
    }


def robyn(path, silo="robyn"):
    media = ["tv_S", "ooh_S", "print_S", "search_S", "facebook_S"]
    columns = {"week": "DATE", "outcome": "revenue"}
    return national_spec(path, columns, media, silo=silo, controls=["competitor_sales_B"])


def in_folders(tmp_path, specs):
    files = []
    for index, spec in enumerate(specs):
        folder = tmp_path / f"owner-{index}"
        folder.mkdir()
        files.append(write_spec(folder, spec))
    return files


def forty_geos(shared_data, tmp_path):
    path = shared_data / "meridian" / "geo_all_channels.csv"
    groups = [[f"Geo{geo}" for geo in range(10 * i, 10 * i + 10)] for i in range(4)]
    return in_folders(tmp_path, [meridian_spec(path, units, f"region-{i}") for i, units in enumerate(groups)])


def assert_sane(seen, *, channels, units):
    assert seen.code == 0, seen.err
    results = json.loads(seen.out)
    assert [row["channel"] for row in results["channels"]] == channels
    assert all(0 <= row["contribution"] < results["outcome"] for row in results["channels"])
    assert results["units"] == units
    holdout = results["holdout"]
    assert 0 < holdout["nrmse"] < 1
    assert sum(holdout["r2_counts"]) == units


@pytest.mark.slow
def test_forty_geos_in_four_silos_are_fitted_and_trained(terminal, shared_data, tmp_path):
    files = forty_geos(shared_data, tmp_path)
    channels = [*(f"channel {i}" for i in range(5)), "owned"]

    pooled = terminal("fit", *files, "--out", tmp_path / "fit", "--steps", "60", "--json")
    federated = terminal("train", *files, "--out", tmp_path / "train", "--rounds", "40", "--json")

    assert_sane(pooled, channels=channels, units=40)
    assert_sane(federated, channels=channels, units=40)
    outcome = pd.read_csv(shared_data / "meridian" / "geo_all_channels.csv")["conversions"].sum()
    assert json.loads(federated.out)["outcome"] == pytest.approx(outcome, rel=1e-6)


def test_a_national_series_is_fitted(terminal, shared_data, tmp_path):
    files = in_folders(tmp_path, [robyn(shared_data / "robyn" / "dt_simulated_weekly.csv")])

    seen = terminal("fit", *files, "--out", tmp_path / "fit", "--steps", "60", "--json")

    assert_sane(seen, channels=["tv_S", "ooh_S", "print_S", "search_S", "facebook_S"], units=1)


@pytest.mark.parametrize(
    ("file", "week", "outcome", "controls"),
    [
        ("mmm_example.csv", "date_week", "y", ["event_1", "event_2"]),
        ("mmm_roas_data.csv", "date", "y", []),
    ],
)
def test_a_series_in_index_units_is_fitted(terminal, shared_data, tmp_path, file, week, outcome, controls):
    path = shared_data / "pymc" / file
    spec = national_spec(path, {"week": week, "outcome": outcome}, ["x1", "x2"], controls=controls)

    seen = terminal(
        "fit", *in_folders(tmp_path, [spec]), "--out", tmp_path / "fit", "--steps", "60", "--json"
    )

    assert_sane(seen, channels=["x1", "x2"], units=1)


@pytest.mark.slow
def test_three_national_silos_train_together(terminal, shared_data, tmp_path):
    """Three owners of one series each; a sum of three hides each from the coordinator."""
    path = shared_data / "robyn" / "dt_simulated_weekly.csv"
    files = in_folders(tmp_path, [robyn(path, silo=f"country-{i}") for i in range(3)])

    seen = terminal("train", *files, "--out", tmp_path / "train", "--rounds", "30", "--json")

    assert_sane(seen, channels=["tv_S", "ooh_S", "print_S", "search_S", "facebook_S"], units=3)
