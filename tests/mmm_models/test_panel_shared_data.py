"""Public panels other tools ship, described by a silo file alone; and panels of unusual size."""

import numpy as np
import pandas as pd
import pytest

from mmm_models.panel import ChannelKind, pool
from mmm_models.panel_io import check_silo, load_panel
from tests.mmm_models.panel_files import good_frame, good_spec, note, problem, write_silo, write_spec

CHANNELS = range(5)


def meridian_spec(path, units, silo="north"):
    channels = {
        f"channel {i}": {
            "spend": f"Channel{i}_spend",
            "exposure": f"Channel{i}_impression",
            "exposure_unit": "impressions",
        }
        for i in CHANNELS
    }
    return {
        "silo": silo,
        "data": {"path": str(path), "only_units": list(units)},
        "columns": {
            "week": "time",
            "unit": "geo",
            "outcome": "conversions",
            "outcome_unit": "conversions",
            "revenue_per_outcome": "revenue_per_conversion",
            "population": "population",
            "currency": "USD",
        },
        "channels": channels,
        "organic": {"owned": {"exposure": "Organic_channel0_impression"}},
        "controls": {"columns": ["competitor_sales_control", "sentiment_score_control"]},
        "treatments": {"columns": ["Promo"]},
    }


def test_forty_geos_become_four_silos_and_one_pool(shared_data, tmp_path):
    path = shared_data / "meridian" / "geo_all_channels.csv"
    raw = pd.read_csv(path)
    panels = []
    for i in range(4):
        units = [f"Geo{j}" for j in range(10 * i, 10 * i + 10)]
        folder = tmp_path / f"silo{i}"
        folder.mkdir()
        panels.append(load_panel(write_spec(folder, meridian_spec(path, units, f"silo{i}"))).panel)
    assert {(panel.n_units, panel.n_weeks, panel.n_channels) for panel in panels} == {(10, 156, 6)}
    assert [channel.kind for channel in panels[0].channels] == [ChannelKind.PAID] * 5 + [ChannelKind.ORGANIC]
    assert panels[0].treatment_names == ("Promo",)
    pooled = pool(panels)
    assert pooled.n_units == 40
    assert pooled.outcome.sum() == pytest.approx(raw["conversions"].sum(), rel=1e-12)
    assert pooled.media[..., 2].sum() == raw["Channel2_impression"].sum()
    geo7 = raw[raw["geo"] == "Geo7"].sort_values("time")
    row = pooled.units.index("silo0/Geo7")
    assert pooled.spend[row, :, 3].tolist() == geo7["Channel3_spend"].tolist()
    assert pooled.controls[row, :, 2].tolist() == geo7["Promo"].tolist()


@pytest.mark.parametrize(
    ("file", "week", "outcome", "media", "controls", "weeks"),
    [
        ("pymc/mmm_example.csv", "date_week", "y", ["x1", "x2"], ["event_1", "event_2"], 179),
        ("pymc/mmm_roas_data.csv", "date", "y", ["x1", "x2"], ["z"], 131),
        (
            "robyn/dt_simulated_weekly.csv",
            "DATE",
            "revenue",
            ["tv_S", "ooh_S", "print_S", "search_S", "facebook_S"],
            ["competitor_sales_B"],
            208,
        ),
    ],
)
def test_national_files_load_without_a_unit_column(
    shared_data, tmp_path, file, week, outcome, media, controls, weeks
):
    spec = {
        "silo": "national",
        "data": {"path": str(shared_data / file)},
        "columns": {"week": week, "outcome": outcome, "currency": "EUR"},
        "channels": {name: {"spend": name} for name in media},
        "controls": {"columns": controls},
    }
    loaded = load_panel(write_spec(tmp_path, spec))
    panel = loaded.panel
    assert (panel.units, panel.n_weeks, panel.channel_names) == (("national",), weeks, tuple(media))
    assert panel.observed.all()
    assert panel.currency == panel.outcome_unit == "EUR"
    assert panel.outcome.sum() == pytest.approx(pd.read_csv(shared_data / file)[outcome].sum())
    assert loaded.report.notes == ()


def test_a_category_column_is_explained(shared_data, tmp_path):
    spec = {
        "silo": "national",
        "data": {"path": str(shared_data / "robyn" / "dt_simulated_weekly.csv")},
        "columns": {"week": "DATE", "outcome": "revenue"},
        "channels": {"tv": {"spend": "tv_S"}},
        "controls": {"columns": ["events"]},
    }
    found = problem(check_silo(write_spec(tmp_path, spec)), "text_value")
    assert (found.column, found.rows) == ("events", 2)
    assert "columns of 0 and 1" in found.hint


def test_daily_rows_of_a_national_file(tmp_path):
    frame = good_frame(units=1, weeks=7 * 60, freq="1D").drop(columns=["store", "people"])
    spec = good_spec()
    spec["data"] |= {"cadence": "daily"}
    spec["columns"] = {"week": "date", "outcome": "sales"}
    panel = load_panel(write_silo(tmp_path, frame, spec)).panel
    assert (panel.units, panel.n_weeks) == (("national",), 60)


def test_a_hundred_and_ninety_geos_with_thirteen_channels(tmp_path):
    frame = good_frame(units=190, weeks=52)
    spec = good_spec()
    spec["channels"] = {}
    extra = {f"m{i}": np.arange(len(frame)) % (i + 2.0) for i in range(13)}
    spec["channels"] = {f"channel {i}": {"spend": f"m{i}"} for i in range(13)}
    panel = load_panel(write_silo(tmp_path, frame.assign(**extra), spec)).panel
    assert panel.media.shape == (190, 52, 13)
    assert panel.media.sum() == sum(float(values.sum()) for values in extra.values())


def test_a_channel_that_is_zero_for_years_loads(tmp_path):
    frame = good_frame(units=2, weeks=156)
    frame.loc[frame.index % 156 < 120, ["tv_spend", "tv_views"]] = 0.0
    loaded = load_panel(write_silo(tmp_path, frame))
    assert not loaded.panel.media[:, :120, 0].any()
    assert loaded.panel.media[:, 120:, 0].any()
    assert loaded.report.notes == ()


def test_a_paid_channel_with_exposure_only_has_zero_spend(tmp_path):
    spec = good_spec()
    spec["channels"]["tv"] = {"exposure": "tv_views", "exposure_unit": "views"}
    loaded = load_panel(write_silo(tmp_path, good_frame(), spec))
    assert not loaded.panel.spend[..., 0].any()
    assert loaded.panel.channels[0].exposure_unit == "views"
    assert note(loaded.report, "roi_unknown").message


def test_revenue_is_a_column_a_number_or_one(tmp_path):
    spec = good_spec()
    assert (load_panel(write_silo(tmp_path, good_frame(), spec)).panel.revenue_per_outcome == 1.0).all()
    spec["columns"] |= {"revenue_per_outcome": 2.5, "outcome_unit": "units"}
    assert (load_panel(write_silo(tmp_path, good_frame(), spec)).panel.revenue_per_outcome == 2.5).all()
    spec["columns"] |= {"revenue_per_outcome": "price"}
    panel = load_panel(write_silo(tmp_path, good_frame(), spec)).panel
    assert panel.revenue_per_outcome[0, :3].tolist() == [1.0, 2.0, 3.0]
    assert panel.outcome_unit == "units"
    spec["columns"] |= {"revenue_per_outcome": 1}
    assert (
        "units per unit of spend" in note(check_silo(write_spec(tmp_path, spec)), "roi_per_outcome").message
    )
