"""An experiment is found in a panel, or refused with what would make it work."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.lift_errors import (
    LiftChannelUnknown,
    LiftMisplaced,
    LiftOutsideWeeks,
    LiftUnitUnknown,
    LiftUnobserved,
    LiftWithoutMedia,
)
from mmm_models.experiments.placed_lift import place
from tests.mmm_models.experiments.geo_worlds import first_day
from tests.mmm_models.small_panels import small_panel

PANEL = small_panel(units=3, weeks=20, channels=2)
LIFT = LiftTest("c1", first_day(PANEL, 4), first_day(PANEL, 7), ("s2", "s0"), 10.0, 2.0)


def test_channel_units_and_weeks_are_found():
    (placed,) = place([LIFT], PANEL)

    assert placed.lift is LIFT
    assert placed.channel == 1
    assert placed.units.tolist() == [True, False, True]
    assert np.flatnonzero(placed.weeks).tolist() == [4, 5, 6, 7]


def test_no_units_means_all():
    (placed,) = place([replace(LIFT, units=None)], PANEL)

    assert placed.units.all()


@pytest.mark.parametrize("days", [-3, 3])
def test_weeks_that_start_up_to_three_days_off_are_the_nearest(days):
    moved = replace(
        LIFT,
        first_week=LIFT.first_week + timedelta(days),
        last_week=LIFT.last_week + timedelta(days),
    )

    (placed,) = place([moved], PANEL)

    assert np.flatnonzero(placed.weeks).tolist() == [4, 5, 6, 7]


@pytest.mark.parametrize(
    ("changes", "error", "told", "hint"),
    [
        ({"channel": "C2"}, LiftChannelUnknown, "no channel 'C2'", "did you mean 'c"),
        ({"channel": "television"}, LiftChannelUnknown, "no channel 'television'", "channels are c0, c1"),
        (
            {"units": ("s0", "S9")},
            LiftUnitUnknown,
            "1 of its units are not in the panel: 'S9'",
            "did you mean",
        ),
        (
            {"first_week": first_day(PANEL, 0) - timedelta(7)},
            LiftOutsideWeeks,
            "whose weeks start on 2023-01-02 to 2023-05-15",
            "add those weeks",
        ),
        (
            {"last_week": first_day(PANEL, 19) + timedelta(7)},
            LiftOutsideWeeks,
            "not in the panel",
            "add those weeks",
        ),
    ],
)
def test_what_the_panel_lacks_is_named_with_what_would_work(changes, error, told, hint):
    with pytest.raises(error) as refused:
        place([replace(LIFT, **changes)], PANEL)

    assert issubclass(error, LiftMisplaced)
    assert told in str(refused.value)
    assert hint in refused.value.hint


def test_weeks_without_media_are_refused():
    media = PANEL.media.copy()
    media[np.ix_([0, 2], range(4, 8), [1])] = 0

    with pytest.raises(LiftWithoutMedia, match="'c1' has no media in those weeks and units"):
        place([LIFT], replace(PANEL, media=media))
    place([replace(LIFT, units=None)], replace(PANEL, media=media))  # the third unit has some


def test_weeks_without_any_outcome_are_refused():
    observed, outcome = PANEL.observed.copy(), PANEL.outcome.copy()
    observed[:, 4:8], outcome[:, 4:8] = False, 0
    panel = replace(PANEL, observed=observed, outcome=outcome)

    with pytest.raises(LiftUnobserved, match="no outcome was observed"):
        place([LIFT], panel)
    place([replace(LIFT, last_week=first_day(PANEL, 8))], panel)
