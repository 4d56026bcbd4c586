"""The calendar of a run: the weeks that every silo marked, from sums of marks alone."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mmm_models.panel import Panel
from mmm_models.week_calendar import (
    EPOCH,
    MOST_WEEKS,
    WEEKS_MARKED,
    Calendar,
    calendar_from,
    calendar_marks,
    calendar_of,
    has_all_weeks,
    weeks_of_any,
)
from tests.mmm_models.small_panels import small_panel

MONDAY, SUNDAY = date(2023, 1, 2), date(2023, 1, 1)


def panel_from(start: date, weeks: int) -> Panel:
    days = np.datetime64(start, "D") + 7 * np.arange(weeks).astype("timedelta64[D]")
    return replace(small_panel(weeks=weeks), weeks=days)


def without(panel: Panel, weeks: slice, units: slice = slice(None)) -> Panel:
    observed = panel.observed.copy()
    observed[units, weeks] = False
    return replace(panel, observed=observed, outcome=panel.outcome * observed)


def found(*panels: Panel) -> Calendar | None:
    marks = np.sum([calendar_marks(panel) for panel in panels], axis=0)
    return calendar_from(marks, silos=len(panels))


def agreed(*panels: Panel) -> Calendar:
    calendar = found(*panels)
    assert calendar is not None
    return calendar


def test_a_calendar_holds_the_weeks_that_every_silo_has_and_no_other() -> None:
    """Weeks 0 to 59, 10 to 79 and 5 to 54: in common 10 to 54."""
    spans = ((0, 60), (10, 70), (5, 50))
    panels = [panel_from(MONDAY + timedelta(weeks=first), weeks) for first, weeks in spans]
    calendar = agreed(*panels)

    assert calendar == Calendar(start=MONDAY + timedelta(weeks=10), weeks=45)
    for panel, (first, weeks) in zip(panels, spans, strict=True):
        own = np.arange(first, first + weeks) - 10
        assert calendar.places(panel.weeks).tolist() == np.where((own >= 0) & (own < 45), own, -1).tolist()
        assert has_all_weeks(panel, calendar)


def test_a_silo_that_lacks_a_week_at_either_end_or_between_does_not_have_all() -> None:
    panel, calendar = panel_from(MONDAY, 20), Calendar(start=MONDAY, weeks=20)

    assert has_all_weeks(panel, calendar)
    assert not has_all_weeks(panel, Calendar(start=MONDAY - timedelta(weeks=1), weeks=20))
    assert not has_all_weeks(panel, Calendar(start=MONDAY, weeks=21))
    for week in (0, 7, 19):
        assert not has_all_weeks(without(panel, slice(week, week + 1)), calendar)
        assert has_all_weeks(without(panel, slice(week, week + 1), units=slice(1, None)), calendar)


def test_one_silos_gap_leaves_the_longer_side_and_of_equal_ones_the_later() -> None:
    whole = panel_from(MONDAY, 41)

    assert agreed(whole, without(whole, slice(30, 31))) == Calendar(start=MONDAY, weeks=30)
    assert agreed(whole, without(whole, slice(20, 21))) == Calendar(
        start=MONDAY + timedelta(weeks=21), weeks=20
    )


def test_silos_without_a_week_in_common_have_no_calendar() -> None:
    early, late = panel_from(MONDAY, 30), panel_from(MONDAY + timedelta(weeks=30), 30)

    assert found(early, late) is None
    assert found(early, late, panel_from(MONDAY, 60)) is None


def test_weeks_of_another_weekday_go_to_the_same_monday() -> None:
    """Most start on Monday, one silo on Sunday: its weeks are a day early, also at either end."""
    monday, sunday = panel_from(MONDAY, 26), panel_from(SUNDAY, 26)
    calendar = agreed(monday, monday, sunday)

    assert calendar == Calendar(start=MONDAY, weeks=26)
    assert calendar.places(sunday.weeks).tolist() == calendar.places(monday.weeks).tolist() == [*range(26)]


def test_the_calendar_starts_on_the_weekday_that_most_silos_start_on() -> None:
    monday, sunday = panel_from(MONDAY, 26), panel_from(SUNDAY, 26)

    assert agreed(monday, sunday, sunday) == Calendar(start=SUNDAY, weeks=26)


@pytest.mark.parametrize("days, moved", [(3, 0), (-3, 0), (4, 1), (-4, -1)])
def test_a_week_belongs_to_a_monday_at_most_three_days_away(days: int, moved: int) -> None:
    calendar = Calendar(start=MONDAY, weeks=4)
    week = np.array([np.datetime64(MONDAY + timedelta(days=days), "D")])
    assert calendar.places(week).tolist() == [moved]


@pytest.mark.parametrize("days", range(-3, 4))
def test_where_a_week_belongs_does_not_depend_on_the_calendars_weekday(days: int) -> None:
    """Else two calendars a day apart would differ by the weeks of the silos that start on that day."""
    weeks = np.concatenate([panel_from(MONDAY + timedelta(days=day), 4).weeks for day in range(7)])
    expected = Calendar(start=MONDAY, weeks=4).places(weeks).tolist()

    assert Calendar(start=MONDAY + timedelta(days=days), weeks=4).places(weeks).tolist() == expected


def test_weeks_outside_are_nowhere() -> None:
    calendar = Calendar(start=MONDAY, weeks=2)
    weeks = panel_from(MONDAY - timedelta(weeks=1), 4).weeks
    assert calendar.places(weeks).tolist() == [-1, 0, 1, -1]


def test_only_the_most_recent_weeks_are_kept() -> None:
    panel = panel_from(date(2010, 1, 4), 700)
    calendar = agreed(panel)

    assert calendar.weeks == MOST_WEEKS
    assert calendar.places(panel.weeks)[-MOST_WEEKS - 1 :].tolist() == [-1, *range(MOST_WEEKS)]


def test_an_unobserved_week_is_not_marked() -> None:
    shorter = without(panel_from(MONDAY, 60), slice(30, None))
    assert calendar_marks(shorter).tolist() == calendar_marks(panel_from(MONDAY, 30)).tolist()


def test_nobody_marking_anything_is_no_calendar() -> None:
    assert found(panel_from(date(1950, 1, 2), 60)) is None


def test_the_first_and_the_last_week_that_can_be_marked_make_calendars() -> None:
    last = EPOCH + timedelta(weeks=WEEKS_MARKED - 2)
    assert last.year == 2059
    for day in range(7):
        for start, weeks in ((EPOCH - timedelta(weeks=1), 3), (last, 9)):
            panel = panel_from(start + timedelta(days=day), weeks)
            calendar = agreed(panel)
            assert has_all_weeks(panel, calendar)
            assert set(calendar.first_days) <= set(panel.weeks)


def test_weeks_of_any_silo_are_their_union() -> None:
    early, late = panel_from(MONDAY, 30), panel_from(MONDAY + timedelta(weeks=20), 30)
    assert weeks_of_any(calendar_marks(early) + calendar_marks(late)) == 50


def test_a_calendar_is_read_back() -> None:
    calendar = Calendar(start=SUNDAY, weeks=260)
    assert calendar_of(calendar.to_vector()) == calendar
    assert calendar_of(np.zeros(0)) is None


@pytest.mark.parametrize("weeks", [0, 261])
def test_a_calendar_has_limits(weeks: int) -> None:
    with pytest.raises(ValidationError):
        Calendar(start=MONDAY, weeks=weeks)


spans = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 40), st.integers(0, 6), st.sets(st.integers(0, 39))),
    min_size=1,
    max_size=4,
)


@given(spans)
def test_every_silo_has_all_weeks_of_the_calendar_whatever_its_weekday_and_gaps(
    silos: list[tuple[int, int, int, set[int]]],
) -> None:
    panels = []
    for first, weeks, day, gaps in silos:
        panel = panel_from(MONDAY + timedelta(weeks=first, days=day), weeks)
        for gap in gaps - set(range(weeks, 40)):
            panel = without(panel, slice(gap, gap + 1))
        panels.append(panel)
    calendar = found(*panels)

    if calendar is not None:
        assert all(has_all_weeks(panel, calendar) for panel in panels)
        starts = calendar.start + timedelta(weeks=-1), calendar.start
        longer = [Calendar(start=start, weeks=calendar.weeks + 1) for start in starts]
        assert not any(all(has_all_weeks(panel, one) for panel in panels) for one in longer)
