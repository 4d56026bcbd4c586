"""The calendar of a run: the union of what silos mark, from sums of marks alone."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from pydantic import ValidationError

from mmm_models.panel import Panel
from mmm_models.week_calendar import (
    EPOCH,
    MOST_WEEKS,
    Calendar,
    calendar_from,
    calendar_marks,
    calendar_of,
)
from tests.mmm_models.small_panels import small_panel

MONDAY, SUNDAY = date(2023, 1, 2), date(2023, 1, 1)


def panel_from(start: date, weeks: int) -> Panel:
    days = np.datetime64(start, "D") + 7 * np.arange(weeks).astype("timedelta64[D]")
    return replace(small_panel(weeks=weeks), weeks=days)


def agreed(*panels: Panel) -> Calendar:
    calendar = calendar_from(np.sum([calendar_marks(panel) for panel in panels], axis=0))
    assert calendar is not None
    return calendar


def test_a_calendar_holds_every_week_of_every_silo() -> None:
    early, late = panel_from(MONDAY, 30), panel_from(MONDAY + timedelta(weeks=50), 40)
    calendar = agreed(early, late)

    assert calendar.start.weekday() == 0
    for panel in (early, late):
        places = calendar.places(panel.weeks)
        assert (np.diff(places) == 1).all()
        np.testing.assert_array_equal(calendar.first_days[places], panel.weeks)
    assert calendar.weeks <= 90 + 2 * 13


def test_marks_say_quarters_not_weeks() -> None:
    quarter = EPOCH + timedelta(weeks=13 * 212)  # starts on 2022-11-21
    panels = [panel_from(quarter + timedelta(weeks=shift), 20) for shift in (2, 5)]
    assert calendar_marks(panels[0]).tolist() == calendar_marks(panels[1]).tolist()


def test_weeks_of_another_weekday_go_to_the_nearest_week() -> None:
    """Most start on Monday, one silo on Sunday: its weeks are a day early, also at either end."""
    monday, sunday = (
        panel_from(EPOCH + timedelta(weeks=2600), 26),
        panel_from(EPOCH + timedelta(weeks=2600, days=-1), 26),
    )
    calendar = agreed(monday, monday, sunday)

    assert calendar.start.weekday() == 0
    np.testing.assert_array_equal(calendar.places(sunday.weeks), calendar.places(monday.weeks))
    assert (calendar.places(sunday.weeks) >= 0).all()


@pytest.mark.parametrize("days, moved", [(3, 0), (-3, 0), (4, 1)])
def test_a_week_moves_by_at_most_three_days(days: int, moved: int) -> None:
    calendar = Calendar(start=MONDAY, weeks=4)
    week = np.array([np.datetime64(MONDAY + timedelta(days=days), "D")])
    assert calendar.places(week).tolist() == [moved]


def test_weeks_outside_are_nowhere() -> None:
    calendar = Calendar(start=MONDAY, weeks=2)
    weeks = panel_from(MONDAY - timedelta(weeks=1), 4).weeks
    assert calendar.places(weeks).tolist() == [-1, 0, 1, -1]


def test_only_the_most_recent_weeks_are_kept() -> None:
    panel = panel_from(date(2010, 1, 4), 700)
    calendar = agreed(panel)

    assert calendar.weeks == MOST_WEEKS
    assert calendar.places(panel.weeks[-1:]).item() >= MOST_WEEKS - 14


def test_an_unobserved_week_is_not_marked() -> None:
    panel = panel_from(MONDAY, 60)
    observed = panel.observed.copy()
    observed[:, 30:] = False
    shorter = replace(panel, observed=observed, outcome=panel.outcome * observed)
    assert calendar_marks(shorter).tolist() == calendar_marks(panel_from(MONDAY, 30)).tolist()


def test_nobody_marking_anything_is_no_calendar() -> None:
    marks = calendar_marks(panel_from(date(1950, 1, 2), 60))
    assert calendar_from(marks) is None


def test_a_calendar_is_read_back() -> None:
    calendar = Calendar(start=SUNDAY, weeks=260)
    assert calendar_of(calendar.to_vector()) == calendar
    assert calendar_of(np.zeros(0)) is None


@pytest.mark.parametrize("weeks", [0, 261])
def test_a_calendar_has_limits(weeks: int) -> None:
    with pytest.raises(ValidationError):
        Calendar(start=MONDAY, weeks=weeks)


def test_seasons_of_too_few_silos_are_left_out() -> None:
    """Their weekly sums would be those silos' own; one stray date moves nobody's calendar."""
    three = [panel_from(MONDAY, 104) for _ in range(3)]
    longer, stray = panel_from(MONDAY - timedelta(weeks=104), 208), panel_from(date(2089, 1, 3), 1)
    marks = np.sum([calendar_marks(panel) for panel in (*three, longer, stray)], axis=0)
    calendar = calendar_from(marks, fewest=3)

    assert calendar is not None
    assert (calendar.places(three[0].weeks) >= 0).all()
    assert calendar.weeks <= 104 + 2 * 13
    assert calendar_from(marks, fewest=5) is None


def test_after_a_gap_that_fewer_silos_fill_the_calendar_begins_anew() -> None:
    early, late = panel_from(MONDAY, 40), panel_from(MONDAY + timedelta(weeks=80), 40)
    whole = panel_from(MONDAY, 120)
    marks = np.sum([calendar_marks(panel) for panel in (early, late, whole)], axis=0)
    calendar = calendar_from(marks, fewest=2)

    assert calendar is not None
    assert (calendar.places(late.weeks) >= 0).all()
    assert (calendar.places(early.weeks) < 0).all()
