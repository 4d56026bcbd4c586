"""Panels of unusual shape run from their silo file alone, end in finite numbers, and say what they cannot tell."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from mmm_models.diagnostics.diagnose import diagnose
from mmm_models.panel_io import load_panel
from tests.mixroom import odd_shapes
from tests.mixroom.test_public_panels import in_folders, robyn
from tests.mmm_models.panel_files import write_spec
from tests.mmm_models.test_panel_shared_data import meridian_spec

STEPS = ("--steps", "40")

# Shape -> units, channels, findings that it must have, findings that it must not have.
SHAPES: dict[Callable[[Path], Path], tuple[int, list[str], set[str], set[str]]] = {
    odd_shapes.reach_and_frequency: (
        6,
        ["video", "search"],
        set(),
        {"no-spend", "collinear", "spend-not-comparable"},
    ),
    odd_shapes.national_media_in_regions: (8, ["tv", "radio"], {"national-media"}, {"one-unit", "collinear"}),
    odd_shapes.two_geos: (2, ["tv", "radio", "social"], set(), {"national-media", "one-unit", "few-units"}),
    odd_shapes.many_geos_without_spend: (
        190,
        [f"channel {i}" for i in range(13)],
        {"no-spend"},
        {"collinear", "few-weeks-per-number", "follows-demand"},
    ),
    odd_shapes.silent_for_years: (
        10,
        ["tv", "cinema", "podcast"],
        {"off-for-long", "held-out-only"},
        {"never-on", "rarely-on"},
    ),
    odd_shapes.german_export: (4, ["TV", "Außen"], {"little-history"}, {"collinear", "spend-not-comparable"}),
}


def assert_finite(printed: str, *, channels: list[str], units: int) -> None:
    """Every number of the results is finite; a channel without spend has no ROI."""
    results = json.loads(printed)
    assert [row["channel"] for row in results["channels"]] == channels
    for row in results["channels"]:
        assert 0 <= row["contribution"] < results["outcome"]
        assert math.isfinite(row["share"])
        assert all((row[name] is None) == (row["spend"] == 0) for name in ("roi", "marginal_roi"))
    assert results["units"] == units
    assert all(math.isfinite(results["holdout"][name]) for name in ("rmse", "nrmse", "mape"))
    assert all(math.isfinite(value) for curve in results["curves"] for value in curve["contribution"])


@pytest.mark.slow
@pytest.mark.parametrize("make", SHAPES, ids=lambda make: make.__name__)
def test_a_shape_is_fitted_and_says_what_it_cannot_tell(make, terminal, tmp_path):
    units, channels, must, must_not = SHAPES[make]
    file = make(tmp_path / "silo")

    seen = terminal("fit", file, "--out", tmp_path / "fit", *STEPS, "--json")

    assert seen.code == 0, seen.err
    assert_finite(seen.out, channels=channels, units=units)
    codes = {finding["code"] for finding in json.loads(seen.out)["findings"]}
    assert (must - codes, must_not & codes) == (set(), set())


def test_reach_and_frequency_are_kept_beside_their_product(tmp_path):
    file = odd_shapes.reach_and_frequency(tmp_path)
    table = pd.read_csv(tmp_path / "table.csv")

    panel = load_panel(file).panel

    assert panel.has_frequency.tolist() == [True, False]
    assert panel.media[..., 0].sum() == pytest.approx((table["viewers"] * table["contacts"]).sum())
    assert panel.reach[..., 0].sum() == pytest.approx(table["viewers"].sum())


def test_names_and_numbers_of_a_german_export_are_read_as_meant(tmp_path):
    panel = load_panel(odd_shapes.german_export(tmp_path)).panel

    assert (panel.n_units, panel.n_weeks, str(panel.weeks[0])) == (4, 110, "2021-01-04")
    assert 5_000 < panel.outcome.mean() < 15_000
    assert panel.control_names == ("Ø Preis",)


def test_too_little_history_is_refused_with_what_would_do(terminal, tmp_path):
    """The silo file's own limit, 26 weeks a unit, before anything is fitted."""
    file = odd_shapes.short_history(tmp_path, weeks=14)

    seen = terminal("fit", file, "--out", tmp_path / "fit", *STEPS)

    assert seen.code != 0
    assert "1 unit of 1 with fewer than 26 weeks" in seen.err
    assert "give more weeks" in seen.err
    assert not (tmp_path / "fit").exists()


def test_a_lowered_limit_does_not_make_a_model_of_nothing(terminal, tmp_path):
    """14 weeks less a quarter are 11 to train on; carry-over alone spans 13."""
    file = odd_shapes.short_history(tmp_path, weeks=14, min_weeks=5)

    seen = terminal("fit", file, "--out", tmp_path / "fit", *STEPS)

    error, hint = seen.refusal
    assert "at most 11 training weeks a unit, and 13 are needed" in error
    assert "give 2 more training weeks" in hint
    assert not (tmp_path / "fit").exists()


def test_forty_weeks_are_fitted_and_said_to_be_little(terminal, tmp_path):
    file = odd_shapes.short_history(tmp_path, weeks=40)

    seen = terminal("fit", file, "--out", tmp_path / "fit", *STEPS, "--json")

    assert_finite(seen.out, channels=["a", "b", "c"], units=1)
    findings = {finding["code"]: finding for finding in json.loads(seen.out)["findings"]}
    assert findings["little-history"]["severity"] == "review"
    assert {"few-weeks-per-number", "one-unit"} <= set(findings)


def test_forty_public_geos_are_told_apart(shared_data, tmp_path):
    """40 geos, 156 weeks, organic media and promotions: nothing in them runs together or is too short."""
    path = shared_data / "meridian" / "geo_all_channels.csv"
    panel = load_panel(write_spec(tmp_path, meridian_spec(path, [f"Geo{i}" for i in range(40)]))).panel

    codes = {finding.code for finding in diagnose(panel, holdout_weeks=24)}

    assert not codes & {"collinear", "national-media", "one-unit", "little-history", "no-spend"}


def test_a_public_national_series_is_said_to_follow_demand(shared_data, tmp_path):
    (file,) = in_folders(tmp_path, [robyn(shared_data / "robyn" / "dt_simulated_weekly.csv")])

    findings = diagnose(load_panel(file).panel, holdout_weeks=24)

    assert "one-unit" in {finding.code for finding in findings}
    assert "tv_S" in {name for f in findings if f.code == "follows-demand" for name in f.channels}
