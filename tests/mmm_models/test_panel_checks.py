"""Every problem a silo's data can have is reported, in one pass, with column, rows and values."""

import json

import numpy as np
import pytest

from mmm_models.errors import PanelInvalid, SpecInvalid
from mmm_models.intake.panel_report import render_text
from mmm_models.panel_io import check_silo, load_panel
from tests.mmm_models.panel_files import good_frame, good_spec, note, problem, write_silo


def check(folder, frame, spec=None):
    return check_silo(write_silo(folder, frame, spec))


def with_value(column, row, value):
    """The good frame with one cell changed; file row numbers are frame index + 2."""
    frame = good_frame()
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    return frame


def test_a_good_silo_has_nothing_to_report(tmp_path):
    report = check(tmp_path, good_frame())
    assert (report.ok, report.problems, report.notes) == (True, (), ())
    summary = report.summary
    assert (summary.units, summary.weeks, summary.observed_share) == (2, 30, 1.0)
    assert (summary.first_week, summary.last_week) == ("2024-01-01", "2024-07-22")


def test_all_problems_are_reported_in_one_pass(tmp_path):
    frame = good_frame()
    frame["date"] = frame["date"].astype(object)
    frame["price"] = frame["price"].astype(object)
    frame.loc[0, "date"] = "soon"
    frame.loc[3, "date"] = "2024-01-15"  # the date of the row before
    frame.loc[4, "tv_spend"] = -1
    frame.loc[5, "sales"] = np.inf
    frame.loc[6, "price"] = "cheap"
    frame.loc[7, "people"] = 0
    frame["radio_spend"] = 7.0
    spec = good_spec()
    spec["channels"]["radio"]["currency"] = "USD"
    spec["columns"]["currency"] = "EUR"
    spec["controls"]["columns"] = ["price", "weather"]
    report = check(tmp_path, frame, spec)
    assert sorted(finding.code for finding in report.problems) == [
        "constant_channel",
        "duplicate_date",
        "missing_column",
        "mixed_currencies",
        "negative_spend",
        "not_finite",
        "population_not_positive",
        "text_value",
        "unparsable_date",
    ]


@pytest.mark.parametrize(
    ("column", "row", "value", "code"),
    [
        ("tv_spend", 5, -3.5, "negative_spend"),
        ("tv_views", 5, -3.5, "negative_exposure"),
        ("sales", 5, -3.5, "negative_outcome"),
        ("people", 5, -3.5, "population_not_positive"),
        ("sales", 5, "inf", "not_finite"),
        ("sales", 5, "1e300", "too_large"),
        ("sales", 5, "", "missing_value"),
        ("price", 5, "NaN", "missing_value"),
        ("sales", 5, "n. a.", "text_value"),
        ("sales", 5, "12 €", "text_value"),
        ("sales", 5, "1.234,5", "thousands_separator"),
        ("sales", 5, "12,5", "decimal_comma"),
        ("date", 5, "soon", "unparsable_date"),
        ("date", 5, "2024-02-30", "unparsable_date"),
        ("date", 5, "", "missing_date"),
        ("store", 5, "", "missing_unit"),
    ],
)
def test_one_bad_cell_is_named_by_column_and_row(tmp_path, column, row, value, code):
    found = problem(check(tmp_path, with_value(column, row, value)), code)
    assert (found.column, found.rows) == (column, 1)
    assert found.examples[0].row == row + 2
    assert found.hint


def test_a_missing_column_names_the_nearest_one(tmp_path):
    found = problem(check(tmp_path, good_frame().rename(columns={"tv_spend": "TV_Spent"})), "missing_column")
    assert (found.column, found.hint) == ("tv_spend", "did you mean 'TV_Spent'?")


def test_a_duplicate_date_counts_per_unit(tmp_path):
    frame = good_frame()
    frame.loc[40, "date"] = (
        "2024-03-04"  # the date of the second unit's row before; the first unit has it too
    )
    found = problem(check(tmp_path, frame), "duplicate_date")
    assert (found.rows, found.examples[0].row) == (1, 42)
    assert found.examples[0].value == "s1 2024-03-04"  # its tenth week


def test_a_forgotten_unit_column_is_guessed_from_duplicates(tmp_path):
    spec = good_spec()
    del spec["columns"]["unit"], spec["columns"]["population"]
    found = problem(check(tmp_path, good_frame(), spec), "duplicate_date")
    assert found.rows == 30
    assert "columns.unit" in found.hint


def test_a_channel_of_zeros_is_absent_and_may_stay(tmp_path):
    report = check(tmp_path, good_frame().assign(radio_spend=0.0))
    assert report.ok
    assert note(report, "absent_channel").column == "radio_spend"


def test_a_constant_channel_is_a_problem_unless_allowed(tmp_path):
    frame = good_frame().assign(radio_spend=lambda f: np.where(f["store"] == "s0", 5.0, 9.0))
    assert problem(check(tmp_path, frame), "constant_channel").column == "radio_spend"
    spec = good_spec()
    spec["channels"]["radio"]["allow_constant"] = True
    report = check(tmp_path, frame, spec)
    assert report.ok
    assert note(report, "constant_channel").column == "radio_spend"


def test_a_silo_without_any_media_is_refused(tmp_path):
    frame = good_frame().assign(radio_spend=0.0, tv_spend=0.0, tv_views=0.0)
    assert problem(check(tmp_path, frame), "no_media").message


def test_little_spend_without_exposure_is_a_note_and_much_a_problem(tmp_path):
    frame = good_frame()
    spent = np.flatnonzero(frame["tv_spend"] > 0)  # 22 + 22 weeks of 2 x 30
    assert len(spent) == 44
    frame.loc[spent[:2], "tv_views"] = 0.0  # 2 / 44 is below 5 %
    assert note(check(tmp_path, frame), "spend_without_exposure").rows == 2
    frame.loc[spent[:3], "tv_views"] = 0.0  # 3 / 44 is above
    assert problem(check(tmp_path, frame), "spend_without_exposure").rows == 3


def test_exposure_without_spend_is_a_note(tmp_path):
    frame = good_frame()
    frame.loc[0, "tv_views"] = 10.0
    assert note(check(tmp_path, frame), "exposure_without_spend").examples[0].row == 2


def test_a_paid_channel_without_spend_says_that_its_roi_is_unknown(tmp_path):
    spec = good_spec()
    del spec["channels"]["tv"]["spend"]
    assert "channel tv" in note(check(tmp_path, good_frame(), spec), "roi_unknown").message


def test_mixed_currencies_in_the_file_or_in_its_rows(tmp_path):
    spec = good_spec()
    spec["columns"] |= {"outcome_unit": "EUR"}
    spec["channels"]["tv"]["currency"] = "USD"
    values = [
        example.value for example in problem(check(tmp_path, good_frame(), spec), "mixed_currencies").examples
    ]
    assert values == ["channel tv: USD", "the outcome: EUR"]
    spec = good_spec()
    spec["columns"] |= {"currency": "EUR", "currency_column": "money"}
    frame = good_frame().assign(money="EUR")
    frame.loc[[3, 4], "money"] = "USD"
    assert problem(check(tmp_path, frame, spec), "mixed_currencies").rows == 2


def test_a_unit_that_never_sells_is_named(tmp_path):
    frame = good_frame()
    frame.loc[frame["store"] == "s1", "sales"] = 0.0
    assert problem(check(tmp_path, frame), "zero_outcome").examples[0].value == "s1"


def test_population_may_drift_by_a_fifth_and_the_last_counts(tmp_path):
    frame = good_frame()
    frame.loc[29, "people"] = 1200.0  # 20 % above 1000
    path = write_silo(tmp_path, frame)
    loaded = load_panel(path)
    assert note(loaded.report, "population_varies").examples[0].value == "s0: 1000 to 1200"
    assert loaded.panel.population.tolist() == [1200.0, 2000.0]
    frame.loc[29, "people"] = 1201.0
    assert problem(check(tmp_path, frame), "population_varies").message


def test_revenue_must_be_above_zero(tmp_path):
    spec = good_spec()
    spec["columns"] |= {"revenue_per_outcome": "price"}
    spec["controls"] = {"columns": []}
    frame = good_frame()
    frame.loc[2, "price"] = 0.0
    assert problem(check(tmp_path, frame, spec), "revenue_not_positive").rows == 1


def test_a_short_history_is_refused_or_left_out(tmp_path):
    frame = good_frame()
    frame = frame[(frame["store"] == "s0") | (frame.index < 30 + 25)]  # s1 has 25 weeks
    found = problem(check(tmp_path, frame), "short_history")
    assert (found.rows, found.examples[0].value) == (25, "s1: 25 weeks")
    spec = good_spec()
    spec["data"] |= {"short_units": "exclude"}
    loaded = load_panel(write_silo(tmp_path, frame, spec))
    assert loaded.panel.units == ("s0",)
    assert note(loaded.report, "short_history").rows == 25
    spec["data"] |= {"short_units": "refuse", "min_weeks": 25}
    assert load_panel(write_silo(tmp_path, frame, spec)).panel.units == ("s0", "s1")


def test_when_every_unit_is_short_none_is_left_out(tmp_path):
    spec = good_spec()
    spec["data"] |= {"short_units": "exclude"}
    assert problem(check(tmp_path, good_frame(weeks=10), spec), "short_history").rows == 20


def test_only_the_named_units_are_taken(tmp_path):
    spec = good_spec()
    spec["data"] |= {"only_units": ["s2", "s0"]}
    loaded = load_panel(write_silo(tmp_path, good_frame(units=3), spec))
    assert loaded.panel.units == ("s0", "s2")
    assert note(loaded.report, "units_left_out").rows == 30
    spec["data"] |= {"only_units": ["S2"]}
    assert problem(check(tmp_path, good_frame(units=3), spec), "unknown_unit").hint == "did you mean 's2'?"


def test_empty_media_cells_are_zero_on_request(tmp_path):
    frame = good_frame()
    frame.loc[5, ["tv_spend", "tv_views"]] = np.nan
    spec = good_spec()
    spec["data"] |= {"empty_media": "zero"}
    loaded = load_panel(write_silo(tmp_path, frame, spec))
    assert [finding.code for finding in loaded.report.notes] == ["empty_media", "empty_media"]
    assert loaded.panel.media[0, 5, 0] == 0.0
    frame.loc[5, "price"] = np.nan
    assert problem(check(tmp_path, frame, spec), "missing_value").column == "price"


def test_constant_controls_are_noted(tmp_path):
    assert note(check(tmp_path, good_frame().assign(price=2.0)), "constant_control").column == "price"


def test_unit_names_are_read_as_text_and_stripped(tmp_path):
    frame = good_frame()
    frame["store"] = np.where(frame["store"] == "s0", "007", "NA")
    frame.loc[3, "store"] = "007 "
    loaded = load_panel(write_silo(tmp_path, frame))
    assert loaded.panel.units == ("007", "NA")
    assert note(loaded.report, "unit_spaces").message


def test_the_error_that_may_leave_the_silo_holds_no_values(tmp_path):
    path = write_silo(tmp_path, with_value("sales", 5, "secret-4711"))
    with pytest.raises(PanelInvalid) as caught:
        load_panel(path)
    assert "text_value in sales" in str(caught.value)
    assert "4711" not in str(caught.value) + caught.value.hint
    assert "4711" in render_text(caught.value.report)
    assert str(path) in caught.value.hint


def test_a_wrong_silo_file_is_a_report_or_an_error(tmp_path):
    path = tmp_path / "nowhere.toml"
    assert "does not exist" in problem(check_silo(path), "silo_file").message
    with pytest.raises(SpecInvalid):
        load_panel(path)


def test_the_report_prints_and_serialises(tmp_path):
    report = check(tmp_path, with_value("tv_spend", 5, -3.5))
    lines = render_text(report).splitlines()
    assert lines[0] == f"{report.file}: 1 problem, 0 notes"
    assert "  negative_spend [tv_spend] (1 row): spend below 0" in lines
    assert "    e.g. row 7: -3.5" in lines
    decoded = json.loads(report.to_json())
    assert decoded["ok"] is False
    assert decoded["problems"][0]["examples"] == [{"row": 7, "value": "-3.5"}]


def test_a_good_report_describes_the_panel(tmp_path):
    text = render_text(check(tmp_path, good_frame()))
    assert "silo north: 2 units x 30 weeks (2024-01-01 to 2024-07-22), 100.0% observed" in text
    assert "channels: tv, radio" in text


def reach_frame(**columns):
    """tv by reach and contacts; nobody is reached in every fourth week."""
    frame = good_frame()
    contacts = 1.0 + frame["tv_spend"]
    return frame.assign(contacts=contacts.where(frame["tv_spend"] > 0), **columns)


def reach_spec():
    spec = good_spec()
    spec["channels"]["tv"] = {"spend": "tv_spend", "reach": "tv_views", "frequency": "contacts"}
    return spec


def test_frequency_may_be_empty_where_nobody_was_reached(tmp_path):
    report = check(tmp_path, reach_frame(), reach_spec())

    assert (report.problems, report.notes) == ((), ())


def test_frequency_may_not_be_empty_where_somebody_was(tmp_path):
    frame = reach_frame()
    frame.loc[1, "contacts"] = np.nan

    found = problem(check(tmp_path, frame, reach_spec()), "missing_value")

    assert (found.column, found.rows, found.examples[0].row) == ("contacts", 1, 3)
    assert "data.empty_media = 'zero'" in found.hint


def test_a_frequency_below_one_is_noted(tmp_path):
    frame = reach_frame()
    frame.loc[1, "contacts"] = 0.2

    assert note(check(tmp_path, frame, reach_spec()), "frequency_below_one").examples[0].value == "0.2"
