"""What units add to each week: all weeks together are the totals that results say."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from mmm_models.contribution_totals import MULTIPLIERS
from mmm_models.reach_frequency import REFERENCE_FREQUENCY
from mmm_models.spec import ModelSpec
from mmm_models.unit_records import RecordLayout, unit_records
from mmm_models.week_calendar import Calendar
from mmm_models.weekly_totals import WeeklyTotals, weekly_totals, weekly_totals_from
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel

CALENDAR = Calendar(start=date(2022, 12, 19), weeks=80)  # two weeks earlier than the panel
ONE = MULTIPLIERS.index(1.0)


def panel_with_gaps():
    panel = small_panel(units=4)
    observed = panel.observed.copy()
    observed[2, 20:30] = False
    return replace(panel, observed=observed, outcome=panel.outcome * observed)


@pytest.mark.parametrize("spec", [ModelSpec(max_lag_weeks=4), ModelSpec(max_lag_weeks=4, synergy=True)])
def test_weeks_add_up_to_what_results_say(spec: ModelSpec) -> None:
    panel = panel_with_gaps()
    scales, data = prepared(panel, spec)
    layout = RecordLayout(2, private=False, calendar=CALENDAR)
    rows = unit_records(scattered_response(spec, 2), panel, data, scales=scales, layout=layout)
    groups = layout.split(rows)
    weekly = weekly_totals_from(groups["weekly"].reshape(4, 80, -1))

    curves = groups["curves"].reshape(4, 2, len(MULTIPLIERS))
    np.testing.assert_allclose(weekly.contribution.sum(axis=1), curves[..., ONE], rtol=1e-5)
    np.testing.assert_allclose(weekly.outcome.sum(axis=1), groups["outcome"][:, 0], rtol=1e-12)
    np.testing.assert_allclose(weekly.spend.sum(axis=1), groups["spend"], rtol=1e-12)
    np.testing.assert_allclose(weekly.outcome[:, 2:62] * scales.outcome, panel.outcome)
    assert not weekly.columns()[:, :2].any()
    assert not weekly.columns()[:, 62:].any()
    assert not weekly.columns()[2, 22:32].any()


def test_level_and_intensity_are_of_observed_weeks() -> None:
    spec, panel = ModelSpec(max_lag_weeks=4), panel_with_gaps()
    scales, data = prepared(panel, spec)
    found = weekly_totals(scattered_response(spec, 2), panel, data, scales)

    level = data.level.double().numpy()[:, None] * panel.observed / scales.outcome
    np.testing.assert_allclose(found.level, level)
    media = panel.media / scales.media / data.level.double().numpy()[:, None, None]  # per unit of outcome
    np.testing.assert_allclose(found.intensity, media * level[..., None], rtol=1e-5)


def test_media_with_a_frequency_count_by_their_worth() -> None:
    """At the reference frequency exposures are worth themselves; above it each is worth less, as they get denser."""
    spec = ModelSpec(max_lag_weeks=4, reach_frequency=True)
    found = []
    for frequency in (REFERENCE_FREQUENCY, 4 * REFERENCE_FREQUENCY):
        panel = small_panel()
        panel = replace(panel, frequency=np.full(panel.media.shape, frequency))
        scales, data = prepared(panel, spec)
        found.append(weekly_totals(scattered_response(spec, 2), panel, data, scales))
    plain_scales, plain_data = prepared(small_panel(), ModelSpec(max_lag_weeks=4))
    plain = weekly_totals(
        scattered_response(ModelSpec(max_lag_weeks=4), 2), small_panel(), plain_data, plain_scales
    )
    np.testing.assert_allclose(found[0].intensity, plain.intensity, rtol=1e-5)
    assert (found[1].intensity < found[0].intensity).all()


def test_columns_are_read_back() -> None:
    rng = np.random.default_rng(0)
    totals = WeeklyTotals(rng.random(5), rng.random(5), *(rng.random((5, 3)) for _ in range(3)))
    again = weekly_totals_from(totals.columns())
    for name, value in vars(totals).items():
        np.testing.assert_array_equal(getattr(again, name), value)


def test_a_private_record_says_nothing_of_single_weeks() -> None:
    private = RecordLayout(2, private=True, calendar=CALENDAR)
    assert private.length == RecordLayout(2, private=True).length
