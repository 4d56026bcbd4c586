"""Geographic experiments: the lift is the known one, its standard error is honest, and bad designs are refused."""

from dataclasses import replace

import numpy as np
import pytest

from mmm_models.experiments.geo_design import GeoDesign, GeoMethod, geo_series
from mmm_models.experiments.geo_experiment import measure_geo
from mmm_models.experiments.lift_errors import (
    GeoDesignMisplaced,
    LiftChannelUnknown,
    LiftOutsideWeeks,
    MediaUnchanged,
    PreFitPoor,
    PreTrendsDiffer,
    TooFewUnits,
)
from mmm_models.experiments.placed_lift import place
from tests.mmm_models.experiments.geo_worlds import DURING, PRE, first_day, geo_panel

METHODS = list(GeoMethod)


def design(panel, *, treats=4, method=GeoMethod.DID, **changes):
    fields = {
        "channel": "c0",
        "treated": panel.units[:treats],
        "controls": None,
        "pre_start": first_day(panel, 0),
        "first_week": first_day(panel, PRE),
        "last_week": first_day(panel, PRE + DURING - 1),
        "method": method,
        **changes,
    }
    return GeoDesign(**fields)


def levels(panel, units):
    """What these units sell in the weeks of the experiment at the level before it."""
    return float(panel.outcome[units, :PRE].mean(axis=1).sum() * DURING)


@pytest.mark.parametrize("method", METHODS)
def test_a_channel_switched_on_gives_what_the_treated_units_gained(method):
    media = geo_panel(factor=1.0, effect=0.1).media.copy()
    media[:4, :PRE] = 0
    panel = geo_panel(factor=1.0, effect=0.1, media=media)

    lift = measure_geo(design(panel, method=method), panel)

    assert (lift.change, lift.units) == (-1.0, panel.units[:4])
    assert abs(lift.lift - 0.1 * levels(panel, slice(0, 4))) < 3 * lift.standard_error
    assert lift.lift > 5 * lift.standard_error
    assert place([lift], panel)


@pytest.mark.parametrize("method", METHODS)
def test_a_channel_switched_off_gives_what_the_others_kept(method):
    """The treated units' media cannot be taken away any more; the same part of every unit's outcome is at stake."""
    panel = geo_panel(factor=0.0, effect=-0.1)

    lift = measure_geo(design(panel, method=method), panel)

    assert (lift.change, lift.units) == (-1.0, panel.units[4:])
    assert abs(lift.lift - 0.1 * levels(panel, slice(4, None))) < 3 * lift.standard_error
    assert place([lift], panel)


def test_raised_media_are_compared_with_what_they_would_have_been():
    """Half as much again: taking a third away is what did not happen elsewhere."""
    panel = geo_panel(factor=1.5, effect=0.05)

    lift = measure_geo(design(panel), panel)

    assert lift.change == pytest.approx(1 / 1.5 - 1)
    assert abs(lift.lift - 0.05 * levels(panel, slice(0, 4))) < 3 * lift.standard_error


def test_lowered_media_are_compared_with_all_of_them():
    """Half of them: doubling is what did not happen, and what it would add was missed."""
    panel = geo_panel(factor=0.5, effect=-0.05)

    lift = measure_geo(design(panel), panel)

    assert lift.change == pytest.approx(1.0)
    assert lift.lift > 0
    assert abs(lift.lift - 0.05 * levels(panel, slice(0, 4))) < 3 * lift.standard_error


def test_without_noise_the_lift_is_exact():
    panel = geo_panel(factor=2.0, effect=0.1, noise=1e-9)

    lift = measure_geo(design(panel), panel)

    assert lift.lift == pytest.approx(0.1 * levels(panel, slice(0, 4)), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_standard_errors_are_as_large_as_the_errors(method):
    """Of 40 experiments without effect: the spread of lift over its standard error is near 1."""
    scores = []
    for seed in range(40):
        panel = geo_panel(factor=2.0, effect=0.0, seed=seed)
        try:
            lift = measure_geo(design(panel, method=method), panel)
        except PreTrendsDiffer:  # one in a hundred, by chance
            continue
        scores.append(lift.lift / lift.standard_error)

    assert len(scores) > 35
    assert 0.7 < np.sqrt(np.mean(np.square(scores))) < 1.4


def test_a_difference_in_trends_before_is_refused():
    panel = geo_panel(factor=2.0, effect=0.1)
    outcome = panel.outcome.copy()
    outcome[:4] *= 1 + 0.01 * np.arange(PRE + DURING)

    with pytest.raises(PreTrendsDiffer) as refused:
        measure_geo(design(panel), replace(panel, outcome=outcome))

    assert "before the experiment treated units grew by" in str(refused.value)
    assert "synthetic-control" in refused.value.hint


def test_a_poor_fit_before_is_refused():
    panel = geo_panel(factor=2.0, effect=0.1)
    outcome = panel.outcome.copy()
    outcome[:4] *= 1 + 0.5 * np.cos(np.arange(PRE + DURING))

    with pytest.raises(PreFitPoor, match="misses the treated ones by"):
        measure_geo(design(panel, method=GeoMethod.SYNTHETIC_CONTROL), replace(panel, outcome=outcome))


@pytest.mark.parametrize(
    ("method", "units", "treated"),
    [(GeoMethod.DID, 14, 1), (GeoMethod.DID, 6, 4), (GeoMethod.SYNTHETIC_CONTROL, 10, 4)],
)
def test_too_few_units_are_counted(method, units, treated):
    panel = geo_panel(factor=2.0, effect=0.1, units=units, treated=treated)

    with pytest.raises(TooFewUnits, match=rf"{treated} treated .*control units"):
        measure_geo(design(panel, treats=treated, method=method), panel)


def test_one_treated_unit_is_enough_for_synthetic_control():
    panel = geo_panel(factor=2.0, effect=0.2, treated=1)

    lift = measure_geo(design(panel, treats=1, method=GeoMethod.SYNTHETIC_CONTROL), panel)

    assert abs(lift.lift - 0.2 * levels(panel, slice(0, 1))) < 3 * lift.standard_error


def test_unchanged_media_are_noticed():
    panel = geo_panel(factor=1.02, effect=0.1)

    with pytest.raises(MediaUnchanged, match=r"were 102 % of what they would have been"):
        measure_geo(design(panel), panel)


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"channel": "c9"}, LiftChannelUnknown, "channel 'c9' is not in the panel"),
        ({"treated": ("s99",)}, GeoDesignMisplaced, "unit 's99' is not in the panel"),
        ({"controls": ("s1", "s5")}, GeoDesignMisplaced, "both treated and control"),
        ({"treated": ()}, TooFewUnits, "0 treated and 14 control units"),
    ],
)
def test_a_design_that_does_not_fit_the_panel_is_refused(changes, error, told):
    panel = geo_panel(factor=2.0, effect=0.1)

    with pytest.raises(error, match=told) as refused:
        measure_geo(design(panel, **changes), panel)

    assert refused.value.hint


def test_a_short_time_before_is_refused():
    panel = geo_panel(factor=2.0, effect=0.1)

    with pytest.raises(GeoDesignMisplaced, match="there are 5 weeks before the experiment; 8 are the least"):
        geo_series(design(panel, pre_start=first_day(panel, PRE - 5)), panel)


def test_weeks_outside_the_panel_are_refused():
    panel = geo_panel(factor=2.0, effect=0.1)

    with pytest.raises(LiftOutsideWeeks, match="the week of 2030-01-07 is not in the panel"):
        geo_series(design(panel, last_week=first_day(panel, 0).replace(year=2030, day=7)), panel)


def test_a_unit_with_gaps_is_named():
    panel = geo_panel(factor=2.0, effect=0.1)
    observed, outcome = panel.observed.copy(), panel.outcome.copy()
    observed[6, 3], outcome[6, 3] = False, 0
    gappy = replace(panel, observed=observed, outcome=outcome)

    with pytest.raises(GeoDesignMisplaced, match="unit 's6' lacks the outcome of some weeks"):
        geo_series(design(panel), gappy)
    geo_series(design(panel, controls=panel.units[7:]), gappy)
