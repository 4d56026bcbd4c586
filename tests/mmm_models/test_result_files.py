"""Results on disk: exact columns, nothing lost, nothing half-written."""

import csv
import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest

from mmm_models.errors import ModelError
from mmm_models.reporting.result_files import (
    MEASURES,
    ResultsUnreadable,
    read_results,
    write_results,
    write_whole,
)
from mmm_models.results import NO_INTERVAL, ChannelResult, HoldoutFit, Results
from tests.mmm_models.report_samples import HOLDOUT, NOTHING, RESULTS, SURE, channel, with_intervals


def test_four_files_are_written_into_a_new_folder(tmp_path: Path) -> None:
    paths = write_results(RESULTS, tmp_path / "new" / "run")

    assert sorted(path.name for path in (tmp_path / "new" / "run").iterdir()) == sorted(
        path.name for path in paths
    )
    assert [path.name for path in paths] == [
        "contributions.csv",
        "response_curves.csv",
        "holdout.json",
        "results.json",
    ]


def test_contributions_have_the_promised_columns_and_unrounded_numbers(tmp_path: Path) -> None:
    odd = ChannelResult('a, "b"', "paid", 3.0, 0.1 + 0.2, 1 / 3, 2 / 3, 1e-17)
    write_results(replace(RESULTS, channels=(odd, channel("email", 9_000.0, 0.0))), tmp_path)

    text = (tmp_path / "contributions.csv").read_bytes().decode()
    first, second = csv.DictReader(text.splitlines())

    assert text.splitlines()[0] == (
        "channel,contribution,share,roi,marginal_roi,contribution_low,contribution_high,share_low,share_high,"
        "roi_low,roi_high,marginal_roi_low,marginal_roi_high"
    )
    assert "\r" not in text
    assert [first["channel"], *map(float, list(first.values())[1:5])] == [
        'a, "b"',
        0.1 + 0.2,
        1 / 3,
        2 / 3,
        1e-17,
    ]
    assert second == {
        "channel": "email",
        "contribution": "9000.0",
        "share": "0.009",
        "roi": "",
        "marginal_roi": "",
        **{f"{name}_{end}": "" for name in MEASURES for end in ("low", "high")},
    }


def test_intervals_stand_in_columns_of_their_own(tmp_path: Path) -> None:
    write_results(with_intervals(RESULTS, 1.25), tmp_path)

    tv = next(csv.DictReader((tmp_path / "contributions.csv").read_text(encoding="utf-8").splitlines()))

    assert (tv["contribution_low"], tv["contribution_high"]) == ("64000.0", "100000.0")  # 80 000 / and * 1.25
    assert (float(tv["share_low"]), float(tv["share_high"])) == pytest.approx((0.064, 0.1))
    assert (float(tv["roi_low"]), float(tv["roi_high"])) == pytest.approx((2.56, 4.0))  # 80 of 25
    assert float(tv["marginal_roi_high"]) == pytest.approx(4.0 / 3)


def test_curves_are_one_row_per_channel_and_multiplier(tmp_path: Path) -> None:
    write_results(RESULTS, tmp_path)

    rows = list(csv.reader((tmp_path / "response_curves.csv").read_text(encoding="utf-8").splitlines()))

    assert rows[0] == ["channel", "multiplier", "spend", "contribution", "low", "high"]
    assert len(rows) == 1 + 5 * 9
    assert rows[5] == ["tv", "1.0", "25000.0", "80000.0", "", ""]


def test_bands_of_curves_stand_beside_them(tmp_path: Path) -> None:
    write_results(with_intervals(RESULTS, 1.25), tmp_path)

    rows = list(csv.reader((tmp_path / "response_curves.csv").read_text(encoding="utf-8").splitlines()))

    assert rows[5] == ["tv", "1.0", "25000.0", "80000.0", "64000.0", "100000.0"]


def test_holdout_holds_fit_histogram_and_what_the_numbers_mean(tmp_path: Path) -> None:
    write_results(RESULTS, tmp_path)

    holdout = json.loads((tmp_path / "holdout.json").read_text(encoding="utf-8"))

    assert (holdout["weeks"], holdout["units"], holdout["nrmse"], holdout["mape"]) == (24, 100.0, 0.07, 0.056)
    assert holdout["r2"][0] == {"from": None, "to": 0.0, "units": 5.0}
    assert holdout["r2"][-1] == {"from": 0.8, "to": None, "units": 10.0}
    assert [bucket["units"] for bucket in holdout["r2"]] == list(HOLDOUT.r2_counts)
    assert holdout["per_unit"] == [{"unit": "secret-store-7", "rmse": 100.0, "mape": 0.05, "r2": 0.5}]
    assert holdout["meaning"]["rmse"].startswith("EUR per unit and week")


def test_what_is_not_a_number_is_null(tmp_path: Path) -> None:
    write_results(NOTHING.results, tmp_path)

    holdout = json.loads((tmp_path / "holdout.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)

    assert (holdout["rmse"], holdout["r2"]) == (None, [])
    assert results["channels"][0]["roi"] is None


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    write_results(RESULTS, tmp_path)

    assert read_results(tmp_path) == RESULTS


def test_intervals_findings_and_experiments_are_read_back(tmp_path: Path) -> None:
    first, *rest = SURE.results.channels
    unsure = replace(first, roi_interval=NO_INTERVAL)  # one number without, among those with
    results = replace(SURE.results, channels=(unsure, *rest), model="ridge")
    write_results(results, tmp_path)

    again = read_results(tmp_path)

    assert again == results
    assert math.isnan(again.channels[0].roi_interval.low)
    assert again.findings[0].channels == ("display", "social")
    assert [check.agrees for check in again.experiments] == [True, False]


def test_results_from_before_intervals_are_read(tmp_path: Path) -> None:
    write_results(RESULTS, tmp_path)
    path = tmp_path / "results.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    for name in ("model", "interval_level", "findings", "experiments"):
        del content[name]
    for row in content["channels"]:
        for name in MEASURES:
            del row[f"{name}_interval"]
    for row in content["curves"]:
        del row["low"], row["high"]
    path.write_text(json.dumps(content), encoding="utf-8")

    assert read_results(tmp_path) == RESULTS


def test_missing_numbers_are_read_back_as_missing(tmp_path: Path) -> None:
    private = replace(RESULTS, private=True, holdout=HoldoutFit(24, 99.7, math.nan, 0.07, 0.06))
    write_results(private, tmp_path)

    again = read_results(tmp_path)

    assert math.isnan(again.holdout.rmse)
    assert replace(again, holdout=replace(again.holdout, rmse=0.0)) == replace(
        private, holdout=replace(private.holdout, rmse=0.0)
    )


def test_private_results_with_numbers_of_single_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="single units") as refused:
        write_results(replace(RESULTS, private=True), tmp_path / "run")

    assert refused.value.hint
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds no results.json"),
        ("{", "cannot be read"),
        ("[]", "not a results file"),
        ('{"format": "other"}', "not a results file"),
        ('{"format": "mixroom-results", "version": 99}', "version 99; this reads version 1"),
        (
            '{"format": "mixroom-results", "version": 1, "outcome": "many"}',
            "does not hold what it must: outcome",
        ),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_damaged_file_is_refused_with_its_reason(
    tmp_path: Path, content: str | bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "results.json").write_bytes(content.encode() if isinstance(content, str) else content)

    with pytest.raises(ResultsUnreadable, match=message) as refused:
        read_results(tmp_path)

    assert refused.value.hint


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "results.json"
    write_whole(path, "old")

    def full_disk(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, "new")

    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["results.json"]


def test_every_field_of_results_is_in_the_file(tmp_path: Path) -> None:
    write_results(RESULTS, tmp_path)

    content = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))

    assert content.keys() == {"format", "version", *Results.__dataclass_fields__}
