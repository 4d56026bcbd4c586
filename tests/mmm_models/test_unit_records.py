"""One row per unit: sums of rows are all that results need."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmm_models.contribution_totals import MULTIPLIERS, STEP
from mmm_models.results import R2_EDGES
from mmm_models.spec import ModelSpec
from mmm_models.unit_data import prepare
from mmm_models.unit_records import RecordLayout, unit_records
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel

SPECS = [ModelSpec(max_lag_weeks=4), ModelSpec(max_lag_weeks=4, synergy=True)]
PRICE = 0.5


def panel_with_gaps():
    panel = small_panel(units=4, revenue_per_outcome=np.full((4, 60), PRICE))
    observed = panel.observed.copy()
    observed[2, 20:30] = False
    return replace(panel, observed=observed, outcome=panel.outcome * observed)


def records(spec=SPECS[0], *, private=False):
    panel = panel_with_gaps()
    scales, data = prepared(panel, spec)
    layout = RecordLayout(2, private)
    response = scattered_response(spec, 2)
    return (
        panel,
        scales,
        data,
        response,
        layout,
        unit_records(response, panel, data, scales=scales, layout=layout),
    )


@pytest.mark.parametrize("private", [False, True])
def test_rows_of_two_halves_are_the_rows_of_the_whole(private):
    panel, scales, _, response, layout, whole = records(private=private)
    halves = []
    for units in ([0, 1], [2, 3]):
        part = panel.select_units(units)
        data = prepare(part, scales, SPECS[0], holdout_weeks=8)
        halves.append(unit_records(response, part, data, scales=scales, layout=layout))
    np.testing.assert_allclose(np.concatenate(halves), whole, rtol=1e-4, atol=1e-6)
    assert whole.shape == (4, layout.length)
    assert np.isfinite(whole).all()


@pytest.mark.parametrize("private", [False, True])
def test_a_layout_joins_what_it_splits(private):
    layout = RecordLayout(3, private)
    rows = np.random.default_rng(0).normal(size=(5, layout.length))
    np.testing.assert_array_equal(layout.join(layout.split(rows)), rows)
    assert {name: part.shape[1] for name, part in layout.split(rows).items()} == layout.sizes


def test_totals_are_the_panels_own():
    panel, scales, _, _, layout, rows = records()
    total = layout.split(rows.sum(axis=0))
    seen = panel.observed
    assert total["units"] == 4
    assert total["outcome"] * scales.outcome == pytest.approx(panel.outcome[seen].sum())
    assert total["revenue"] * scales.money == pytest.approx(PRICE * panel.outcome[seen].sum())
    np.testing.assert_allclose(total["spend"] * scales.money, panel.spend[seen].sum(axis=0))
    assert total["test_weeks"] == 4 * 8
    assert total["tested_units"] == 4


def test_contributions_are_effects_in_observed_weeks_times_level():
    panel, scales, data, response, layout, rows = records()
    with torch.no_grad():
        effects = response.effects(response.parameters_by_name, data.media).double().numpy()
    expected = np.einsum("utc,ut,u->uc", effects, panel.observed, data.level.double().numpy())
    groups = layout.split(rows)
    curves = groups["curves"].reshape(4, 2, len(MULTIPLIERS)) * scales.outcome
    np.testing.assert_allclose(curves[..., MULTIPLIERS.index(1.0)], expected, rtol=1e-6)
    assert not curves[..., 0].any()
    assert (np.diff(curves, axis=-1) > 0).all()
    np.testing.assert_allclose(groups["contribution_revenue"] * scales.money, PRICE * expected, rtol=1e-6)
    private = records(private=True)
    contribution = private[4].split(private[5])["contribution"] * scales.outcome
    np.testing.assert_allclose(contribution, expected, rtol=1e-6)


@pytest.mark.parametrize("spec", SPECS)
def test_a_step_is_what_all_sales_gain_when_one_channel_runs_one_per_cent_more(spec):
    panel, scales, data, response, layout, rows = records(spec)
    response = response.double()
    media = data.media.double()
    now = response(media)
    found = layout.split(rows)["step_revenue"] * scales.money
    for channel in range(2):
        more = media.clone()
        more[..., channel] *= 1.0 + STEP
        gain = (response(more) - now).detach().numpy() / STEP
        expected = PRICE * np.einsum("ut,ut,u->u", gain, panel.observed, data.level.double().numpy())
        np.testing.assert_allclose(found[:, channel], expected, rtol=2e-3)


def test_a_curve_scales_one_channel_and_leaves_its_partner_as_it_was():
    panel, scales, data, response, layout, rows = records(SPECS[1])
    doubled = data.media.clone()
    doubled[..., 0] *= 2.0
    with torch.no_grad():
        own = response.effects(response.parameters_by_name, doubled)[..., 0].double().numpy()
    curves = layout.split(rows)["curves"].reshape(4, 2, len(MULTIPLIERS)) * scales.outcome
    expected = np.einsum("ut,ut,u->u", own, panel.observed, data.level.double().numpy())
    np.testing.assert_allclose(curves[:, 0, MULTIPLIERS.index(2.0)], expected, rtol=1e-5)


def test_units_are_counted_by_their_fit():
    panel, scales, data, response, layout, rows = records()
    counts = layout.split(rows)["r2_counts"]
    assert counts.shape == (4, len(R2_EDGES) + 1)
    assert counts.sum(axis=1).tolist() == [1.0] * 4
    untested = replace(data, test=torch.zeros_like(data.test))
    rows = unit_records(response, panel, untested, scales=scales, layout=layout)
    assert not layout.split(rows)["r2_counts"].any()
    assert not layout.split(rows)["tested_units"].any()


def test_a_private_row_holds_nothing_that_only_the_silo_should_see():
    exact, private = RecordLayout(5, private=False), RecordLayout(5, private=True)
    assert set(exact.sizes) - set(private.sizes) == {
        "squared_outcome_error",
        "tested_units",
        "r2_counts",
        "contribution_revenue",
        "step_revenue",
        "curves",
    }
    assert private.length == 6 + 2 * 5
