"""Weeks: gaps, cadence, units with calendars of their own, and days summed to weeks."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmm_models.intake.panel_gaps import find_gaps
from mmm_models.intake.silo_tables import GapFill
from mmm_models.panel_io import check_silo, load_panel
from tests.mmm_models.panel_files import good_frame, good_spec, note, problem, write_silo


def load(folder, frame, **data):
    spec = good_spec()
    spec["data"] |= data
    return load_panel(write_silo(folder, frame, spec))


def check(folder, frame, **data):
    spec = good_spec()
    spec["data"] |= data
    return check_silo(write_silo(folder, frame, spec))


def test_one_missing_week_is_filled_with_zero_media(tmp_path):
    frame = good_frame().drop(index=6)  # s0, t = 6: sales 106, tv 2, views 20, radio 2, price 1
    frame.loc[7, "sales"] = 111.0
    loaded = load(tmp_path, frame)
    panel = loaded.panel
    assert panel.observed.all()
    assert panel.outcome[0, 6] == (105 + 111) / 2
    assert panel.controls[0, 6, 0] == (3 + 2) / 2  # price at t = 5 and 7 is 1 + 2 and 1 + 1
    assert panel.media[0, 6].tolist() == panel.spend[0, 6].tolist() == [0, 0]
    gap = note(loaded.report, "gap_filled")
    assert (gap.rows, gap.column, gap.examples[0].value) == (1, "date", "s0: 2024-02-12 to 2024-02-18")


def test_one_missing_week_is_interpolated_on_request(tmp_path):
    panel = load(tmp_path, good_frame().drop(index=6), fill_gaps="interpolate").panel
    assert panel.media[0, 6].tolist() == [(10 + 30) / 2, (1 + 3) / 2]
    assert panel.spend[0, 6].tolist() == [(1 + 3) / 2, (1 + 3) / 2]


def test_one_missing_week_is_excluded_on_request(tmp_path):
    loaded = load(tmp_path, good_frame().drop(index=6), fill_gaps="exclude")
    assert np.argwhere(~loaded.panel.observed).tolist() == [[0, 6]]
    assert loaded.panel.outcome[0, 6] == 0
    assert note(loaded.report, "gap_excluded").rows == 1


def test_two_missing_weeks_are_excluded_and_said_so(tmp_path):
    loaded = load(tmp_path, good_frame().drop(index=[36, 37]))
    panel = loaded.panel
    assert np.argwhere(~panel.observed).tolist() == [[1, 6], [1, 7]]
    assert panel.media[1, 6:8].tolist() == [[0, 0], [0, 0]]
    assert panel.controls[1, 5:9, 0].tolist() == [3, 3, 3, 3]  # prices at t = 5 and 8 are both 3
    gap = note(loaded.report, "gap_excluded")
    assert (gap.rows, gap.examples[0].value) == (2, "s1: 2024-02-12 to 2024-02-25")


def test_units_are_aligned_on_the_union_of_their_weeks(tmp_path):
    frame = good_frame()
    frame = frame[~frame.index.isin([30, 31, 59])]  # s1 starts two weeks later and ends one earlier
    loaded = load(tmp_path, frame)
    assert np.argwhere(~loaded.panel.observed).tolist() == [[1, 0], [1, 1], [1, 29]]
    assert note(loaded.report, "shorter_series").examples[0].value == "s1: 2024-01-15 to 2024-07-15"


def test_rows_may_come_in_any_order(tmp_path):
    shuffled = good_frame(units=3).sample(frac=1.0, random_state=1)
    a = load(tmp_path, good_frame(units=3)).panel
    b = load(tmp_path, shuffled).panel
    order = [b.units.index(unit) for unit in a.units]
    np.testing.assert_array_equal(a.media, b.select_units(order).media)
    np.testing.assert_array_equal(a.outcome, b.select_units(order).outcome)


@given(st.lists(st.lists(st.booleans(), min_size=12, max_size=12), min_size=1, max_size=4))
def test_every_step_is_exactly_one_of_present_filled_excluded_outside(rows):
    present = np.array(rows)
    gaps = find_gaps(present, np.zeros_like(present), 7, GapFill.ZERO_MEDIA)
    kinds = present.astype(int) + gaps.filled + gaps.excluded + gaps.outside
    assert (kinds == 1).all()
    for unit, text in enumerate("".join("x" if cell else "." for cell in row) for row in rows):
        inner = text.strip(".")
        assert gaps.filled[unit].sum() == sum(len(run) == 1 for run in inner.replace("x", " ").split())
        assert gaps.outside[unit].sum() == len(text) - len(inner)


@pytest.mark.parametrize(
    ("freq", "cadence", "code", "hint"),
    [
        ("1D", "weekly", "daily_data", "data.cadence = 'daily'"),
        ("7D", "daily", "weekly_data", "data.cadence = 'weekly'"),
        ("MS", "weekly", "monthly_data", "weekly or daily rows"),
        ("14D", "weekly", "mixed_cadence", "every unit needs a row per week"),
        ("10D", "weekly", "mixed_cadence", "multiple of seven days"),
    ],
)
def test_another_cadence_is_named(tmp_path, freq, cadence, code, hint):
    assert hint in problem(check(tmp_path, good_frame(freq=freq), cadence=cadence), code).hint


def test_one_unit_of_another_cadence_is_named(tmp_path):
    weekly, fortnightly = (
        good_frame(units=4),
        good_frame(freq="14D").query("store == 's1'").assign(store="odd"),
    )
    found = problem(check(tmp_path, pd.concat([weekly, fortnightly])), "mixed_cadence")
    assert [example.value for example in found.examples] == ["odd"]
    daily = good_frame(units=4, weeks=30 * 7, freq="1D")
    slow = good_frame().query("store == 's1'").assign(store="slow")
    found = problem(check(tmp_path, pd.concat([daily, slow]), cadence="daily"), "mixed_cadence")
    assert [example.value for example in found.examples] == ["slow"]


def test_a_shifted_week_is_named_by_its_row(tmp_path):
    frame = good_frame()
    frame.loc[10, "date"] = "2024-03-12"  # t = 10 is Monday 11 March
    found = problem(check(tmp_path, frame), "mixed_cadence")
    assert [(example.row, example.value) for example in found.examples] == [
        (12, "8 days after the row before"),
        (13, "6 days after the row before"),
    ]


def test_units_whose_weeks_start_on_different_days_are_a_problem(tmp_path):
    sunday = good_frame(first="2024-01-07").assign(store=lambda f: "t" + f["store"])
    found = problem(check(tmp_path, pd.concat([good_frame(), sunday])), "mixed_weekdays")
    assert sorted(example.value for example in found.examples) == ["Monday: 60 rows", "Sunday: 60 rows"]


def test_a_mistyped_year_does_not_make_a_century_of_weeks(tmp_path):
    frame = good_frame()
    frame.loc[10, "date"] = "2074-03-11"
    found = problem(check(tmp_path, frame), "implausible_date")
    assert [example.row for example in found.examples] == [2, 12]


def daily(units=1, weeks=30, first="2024-01-01"):
    return good_frame(units=units, weeks=7 * weeks, first=first, freq="1D")


def test_days_are_summed_to_weeks_on_request(tmp_path):
    panel = load(tmp_path, daily(), cadence="daily").panel
    assert panel.n_weeks == 30
    assert panel.outcome[0, 0] == sum(100 + t for t in range(7))
    assert panel.spend[0, 0, 0] == sum(t % 4 for t in range(7))
    assert panel.media[0, 0, 0] == sum(10 * (t % 4) for t in range(7))
    assert panel.controls[0, 0, 0] == pytest.approx(np.mean([1 + t % 3 for t in range(7)]))


def test_incomplete_first_and_last_weeks_are_left_out_with_a_note(tmp_path):
    frame = daily(first="2024-01-03")  # Wednesday: five days to Sunday, 29 weeks, two days of the last week
    loaded = load(tmp_path, frame, cadence="daily")
    assert str(loaded.panel.weeks[0]) == "2024-01-08"
    assert loaded.panel.n_weeks == 29
    assert loaded.panel.outcome[0, 0] == sum(100 + t for t in range(5, 12))
    assert "2 first or last weeks" in note(loaded.report, "incomplete_week").message


def test_weeks_start_on_the_stated_day(tmp_path):
    panel = load(tmp_path, daily(first="2024-01-07"), cadence="daily", week_starts="sunday").panel
    assert (str(panel.weeks[0]), panel.n_weeks) == ("2024-01-07", 30)


def test_missing_days_are_filled_before_the_week_is_summed(tmp_path):
    frame = daily().drop(index=9)  # one day: sales 109 lies on the straight line, tv spend 1 is lost
    loaded = load(tmp_path, frame, cadence="daily")
    assert loaded.panel.outcome[0, 1] == sum(100 + t for t in range(7, 14))
    assert loaded.panel.spend[0, 1, 0] == sum(t % 4 for t in range(7, 14) if t != 9)
    assert note(loaded.report, "gap_filled").rows == 1


def test_two_weeks_of_missing_days_are_excluded_but_known_media_stay(tmp_path):
    frame = daily().drop(index=range(10, 24))  # Thursday of week 1 to Wednesday of week 3
    panel = load(tmp_path, frame, cadence="daily").panel
    assert np.flatnonzero(~panel.observed[0]).tolist() == [1, 2, 3]
    assert panel.outcome[0, 1:4].tolist() == [0, 0, 0]
    assert panel.spend[0, 1:4, 0].tolist() == [
        sum(t % 4 for t in range(7, 10)),
        0,
        sum(t % 4 for t in range(24, 28)),
    ]


def test_a_shop_shut_on_sundays_sells_nothing_then(tmp_path):
    frame = daily(units=2)
    sunday = pd.to_datetime(frame["date"]).dt.day_of_week == 6
    loaded = load(tmp_path, frame[~(sunday & (frame["store"] == "s0"))], cadence="daily")
    assert loaded.panel.observed.all()
    assert loaded.panel.outcome[0, 0] == sum(100 + t for t in range(6))
    assert loaded.panel.outcome[1, 0] == sum(200 + t for t in range(7))
    closed = note(loaded.report, "closed_weekday")
    assert "Sunday" in closed.message
    assert closed.examples[0].value == "s0"


def test_the_last_population_counts_for_daily_data_too(tmp_path):
    frame = daily()
    frame.loc[200:, "people"] = 1100.0
    assert load(tmp_path, frame, cadence="daily").panel.population.tolist() == [1100.0]


def test_reach_times_frequency_is_taken_per_row(tmp_path):
    frame = daily().assign(reach=lambda f: f["tv_views"], freq=lambda f: 1.0 + f.index % 2)
    spec = good_spec()
    spec["data"] |= {"cadence": "daily"}
    spec["channels"]["tv"] = {"spend": "tv_spend", "reach": "reach", "frequency": "freq"}
    panel = load_panel(write_silo(tmp_path, frame, spec)).panel
    exposures = sum(10 * (t % 4) * (1 + t % 2) for t in range(7))
    reached = sum(10 * (t % 4) for t in range(7))
    assert panel.media[0, 0, 0] == exposures
    assert panel.frequency[0, 0, 0] == exposures / reached  # contacts per person reached, over the week
    assert not panel.frequency[..., 1].any()
    assert panel.has_frequency.tolist() == [True, False]
