"""A world on disk: loads back exactly, holds the truth, never mixes with anything else."""

import errno
import json
import math
import os
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from mmm_models.intake.silo_file import read_silo_spec
from mmm_models.panel_io import load_panel
from simulations.errors import TruthUnreadable, WorldNotWritten
from simulations.scenario import Scenario, load_scenario
from simulations.world import World, make_world
from simulations.world_files import WorldFiles, read_truth, write_world

ARRAYS = ("outcome", "observed", "media", "spend", "controls", "revenue_per_outcome", "population", "weeks")
NAMES = ("silo", "units", "channels", "control_names", "treatment_names", "currency", "outcome_unit")


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(load_scenario("everything"))


@pytest.fixture(scope="module")
def files(world: World, tmp_path_factory: pytest.TempPathFactory) -> WorldFiles:
    """The world, written once; tests that change files write their own."""
    return write_world(world, tmp_path_factory.mktemp("worlds") / "everything")


@pytest.fixture
def small() -> World:
    return make_world(scenario_of())


def scenario_of(**settings: Any) -> Scenario:
    channel = {"name": "tv", "sales_share": 0.1, "spend_share": 0.05}
    size = {"name": "small", "silos": 2, "units_per_silo": 2, "weeks": 30, "holdout_weeks": 6}
    return Scenario.model_validate(size | {"channels": [channel]} | settings)


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def assert_loads_back(world: World, files: WorldFiles) -> None:
    for panel, spec in zip(world.panels, files.specs, strict=True):
        loaded = load_panel(spec).panel.with_channels(panel.channels)
        for name in ARRAYS:
            assert_array_equal(getattr(loaded, name), getattr(panel, name), err_msg=name)
        assert [getattr(loaded, name) for name in NAMES] == [getattr(panel, name) for name in NAMES]


# --- silos ----------------------------------------------------------------------------------------------


def test_a_written_world_loads_back_as_exactly_the_same_panels(world, files):
    assert_loads_back(world, files)


def test_silo_files_are_free_of_problems_and_notes(files):
    assert [load_panel(spec).report.notes for spec in files.specs] == [(), (), (), ()]


def test_a_silo_that_lacks_a_channel_has_neither_its_columns_nor_its_entry(files):
    assert load_panel(files.specs[0]).panel.channel_names[:2] == ("tv", "radio")
    for file in (files.specs[1], files.specs[1].with_suffix(".csv")):
        assert "tv" in file.read_text(encoding="utf-8")
        assert "radio" not in file.read_text(encoding="utf-8")


def test_a_table_has_plain_columns_in_the_documented_order(files):
    header, first = files.specs[1].with_suffix(".csv").read_text(encoding="utf-8").splitlines()[:2]

    assert header == (
        "week,store,sales,population,tv_spend,tv_contacts,social_spend,social_impressions,display_spend,"
        "display_impressions,search_spend,search_clicks,newsletter_sends,competitor_price,temperature,"
        "holiday,promotion"
    )
    assert first.startswith("2024-03-04,silo-2-store-001,")


def test_silos_in_one_directory_keep_their_privacy_state_apart(files):
    states = [tomllib.loads(spec.read_text(encoding="utf-8"))["privacy"]["state"] for spec in files.specs]

    assert states == [".mixroom/silo-1", ".mixroom/silo-2", ".mixroom/silo-3", ".mixroom/silo-4"]


def test_a_worlds_silos_note_nothing_outside_their_own_folders(files):
    """A world is throw-away: deleting a silo's folder starts it anew, and the user's home stays clean."""
    for path in files.specs:
        spec = read_silo_spec(path)
        assert spec.ledger_witness == spec.state_directory == path.resolve().parent / ".mixroom" / spec.silo


@pytest.mark.parametrize(
    "settings",
    [
        {"silos": 1, "units_per_silo": 1, "weeks": 12, "holdout_weeks": 1},
        {"units_per_silo": [1, 1001], "weeks": 12, "holdout_weeks": 1},
        {
            "channels": [
                {"name": "tv", "sales_share": 0.1, "spend_share": 0.05},
                {"name": "mail", "sales_share": 0.1, "kind": "organic"},
                {
                    "name": "steady",
                    "sales_share": 0.1,
                    "spend_share": 0.05,
                    "weekly_log_sd": 0,
                    "unit_weekly_log_sd": 0,
                },
            ]
        },
        {"channels": [{"name": "mail", "sales_share": 0.1, "kind": "organic"}], "start": "2025-01-04"},
        {"baseline": {"promotion_rate": 0, "holiday_weeks": []}},
        {"baseline": {"level": 1e9, "level_log_sd": 1.0}},
        {"baseline": {"noise_low": 0.8, "noise_high": 0.8}},
    ],
    ids=["smallest", "many units", "constant and organic", "organic only", "no events", "huge", "noisy"],
)
def test_unusual_worlds_load_back_too(settings, tmp_path):
    world = make_world(scenario_of(**settings))

    assert_loads_back(world, write_world(world, tmp_path / "world"))


def test_a_world_of_fewer_than_three_silos_may_still_be_trained_on(tmp_path):
    files = write_world(make_world(scenario_of()), tmp_path)

    assert tomllib.loads(files.specs[0].read_text(encoding="utf-8"))["privacy"]["min_silos"] == 2


# --- truth ----------------------------------------------------------------------------------------------


def test_the_truth_read_back_is_the_worlds(world, files):
    for path in (files.truth, files.truth.parents[1]):
        truth = read_truth(path)

        assert (truth.scenario, truth.seed, truth.currency) == ("everything", 1, "USD")
        assert truth.total_outcome == world.total_outcome
        assert truth.channels[:5] == world.channel_truths()[:5]
        free = truth.channels[5]
        assert math.isnan(free.roi)
        assert math.isnan(free.marginal_roi)
        assert replace(free, roi=0, marginal_roi=0) == replace(
            world.channel_truths()[5], roi=0, marginal_roi=0
        )


def test_the_truth_is_plain_json_without_nan(files):
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    content = json.loads(files.truth.read_text(encoding="utf-8"), parse_constant=refuse)

    assert list(content) == ["scenario", "seed", "currency", "total_outcome", "channels"]
    fields = ["name", "contribution", "share", "spend", "roi", "marginal_roi"]
    assert [list(row) for row in content["channels"]] == [fields] * 6
    assert content["channels"][5]["roi"] is None


def test_the_table_of_contributions_has_the_columns_of_a_runs_results(world, files):
    table = pd.read_csv(files.truth.with_name("contributions.csv"))

    assert list(table.columns) == ["channel", "contribution", "share", "roi", "marginal_roi"]
    assert tuple(table["channel"]) == world.scenario.channel_names
    assert list(table["share"]) == [truth.share for truth in world.channel_truths()]
    assert table["roi"].isna().tolist() == [False] * 5 + [True]


def test_the_weekly_truth_holds_every_silo_unit_week_and_channel(world, files):
    table = pd.read_parquet(files.truth.with_name("contributions_by_week.parquet"))

    assert list(table.columns) == ["silo", "unit", "week", "channel", "contribution", "baseline"]
    assert len(table) == (12 + 8 + 20 + 5) * 78 * 6
    for silo in world.silos:
        rows = table[table["silo"] == silo.panel.silo]
        for position, unit in enumerate(silo.panel.units[:2]):
            tv = rows[(rows["unit"] == unit) & (rows["channel"] == "tv")].sort_values("week")
            assert_array_equal(tv["contribution"], silo.contribution[position, :, 0])
            assert_array_equal(tv["baseline"], silo.baseline[position])
            assert_array_equal(tv["week"].to_numpy().astype("datetime64[D]"), silo.panel.weeks)


def test_weekly_truth_adds_up_to_the_summary(world, files):
    table = pd.read_parquet(files.truth.with_name("contributions_by_week.parquet"))
    by_channel = table.groupby("channel", observed=True)["contribution"].sum()

    for truth in read_truth(files.truth).channels:
        assert by_channel[truth.name] == pytest.approx(truth.contribution)


def test_the_saved_scenario_is_complete_and_gives_the_same_world_again(world, files):
    saved = files.truth.with_name("scenario.toml")

    assert load_scenario(str(saved)) == world.scenario
    assert tomllib.loads(saved.read_text(encoding="utf-8"))["baseline"]["demand_shock_persistence"] == 0.5
    again = make_world(load_scenario(str(saved)))
    assert_array_equal(again.panels[0].outcome, world.panels[0].outcome)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"channels": 5}', '{"channels": []}', '{"channels": [{"name": "tv"}], "seed": 1}'],
)
def test_a_damaged_truth_is_not_believed(text, tmp_path):
    path = tmp_path / "truth.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(TruthUnreadable, match="damaged"):
        read_truth(path)


def test_a_missing_truth_names_where_it_was_sought(tmp_path):
    with pytest.raises(TruthUnreadable, match=r"truth\.json"):
        read_truth(tmp_path)


# --- the directory --------------------------------------------------------------------------------------


def test_writing_the_same_world_again_changes_nothing_and_leaves_other_files_alone(small, tmp_path):
    write_world(small, tmp_path / "world")
    ledger = tmp_path / "world" / ".mixroom" / "silo-1" / "ledger.jsonl"
    ledger.parent.mkdir(parents=True)
    ledger.write_text("spent", encoding="utf-8")
    before = contents(tmp_path / "world")

    write_world(small, tmp_path / "world")

    assert contents(tmp_path / "world") == before


def test_writing_completes_an_interrupted_attempt(small, tmp_path, monkeypatch):
    complete = contents(write_world(small, tmp_path / "complete").truth.parents[1])
    moves, real_replace = [], os.replace

    def disk_full(source: Path, target: Path) -> None:
        moves.append(target)
        if len(moves) > 2:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        real_replace(source, target)

    monkeypatch.setattr(os, "replace", disk_full)
    with pytest.raises(WorldNotWritten, match="No space left"):
        write_world(small, tmp_path / "cut off")
    with pytest.raises(TruthUnreadable):
        read_truth(tmp_path / "cut off")
    monkeypatch.undo()

    write_world(small, tmp_path / "cut off")

    assert contents(tmp_path / "cut off") == complete


def test_a_directory_that_holds_another_world_is_refused_and_left_as_it_was(small, tmp_path):
    write_world(small, tmp_path)
    before = contents(tmp_path)

    with pytest.raises(
        WorldNotWritten, match="another world than 'small' with seed 2; nothing was written"
    ) as no:
        write_world(make_world(scenario_of(seed=2)), tmp_path)

    assert "another directory" in no.value.hint
    assert contents(tmp_path) == before


def test_a_directory_with_somebody_elses_files_is_refused_and_left_as_it_was(small, tmp_path):
    (tmp_path / "silo-1.csv").write_text("mine", encoding="utf-8")

    with pytest.raises(WorldNotWritten, match="is not empty and holds no world"):
        write_world(small, tmp_path)

    assert contents(tmp_path) == {"silo-1.csv": b"mine"}


def test_an_empty_directory_is_fine_and_a_file_is_not(small, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine", encoding="utf-8")

    assert write_world(small, tmp_path / "empty").truth.is_file()
    with pytest.raises(WorldNotWritten, match="is a file"):
        write_world(small, tmp_path / "file")


def test_numbers_survive_the_trip_to_text_without_rounding(small, tmp_path):
    """The panel is already rounded to what the table shows: cents, whole exposures, four decimals."""
    write_world(small, tmp_path)
    table = pd.read_csv(tmp_path / "silo-1.csv")

    assert_array_equal(table["sales"], small.panels[0].outcome.ravel())
    assert_array_equal(table["sales"], np.round(table["sales"], 2))
    assert_array_equal(table["tv_spend"], small.panels[0].spend.ravel())
    assert table["tv_impressions"].dtype == np.int64
