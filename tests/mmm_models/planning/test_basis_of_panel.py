"""A basis from own rows: parts add up to everything, silos and units are told apart."""

from dataclasses import replace

import numpy as np
import pytest

from mmm_models.attribution import Naming
from mmm_models.contribution_totals import MULTIPLIERS
from mmm_models.panel import pool
from mmm_models.planning.basis_from_sums import basis_from_sum
from mmm_models.planning.basis_of_panel import basis_of_panel
from mmm_models.unit_data import prepare
from mmm_models.unit_records import RecordLayout, unit_records
from mmm_models.week_calendar import Calendar
from tests.mmm_models.planning.small_bases import SPEC, small_model
from tests.mmm_models.small_panels import small_panel

ONE = MULTIPLIERS.index(1.0)
SUMMED = ("outcome", "level", "spend", "contribution", "curves")


def two_silos():
    """Weeks of the second start a year later and on another weekday."""
    north, south = small_panel(), small_panel(units=2, seed=1)
    return north, replace(south, silo="south", weeks=south.weeks + np.timedelta64(7 * 52 - 1, "D"))


def test_parts_are_named_and_add_up_to_everything() -> None:
    panel = pool(two_silos())
    model = small_model(panel)
    (everything,) = basis_of_panel(panel, model).parts
    names = {
        parts: [part.name for part in basis_of_panel(panel, model, parts).parts] for parts in ("silo", "unit")
    }

    assert everything.name == "all"
    assert names == {
        "silo": ["north", "south"],
        "unit": ["north/s0", "north/s1", "north/s2", "south/s0", "south/s1"],
    }
    for parts in ("silo", "unit"):
        found = basis_of_panel(panel, model, parts).parts
        for name in SUMMED:
            np.testing.assert_allclose(sum(getattr(part, name) for part in found), getattr(everything, name))


def test_media_are_weighed_by_level() -> None:
    panel = small_panel()
    model = small_model(panel)
    (everything,) = basis_of_panel(panel, model).parts
    units = basis_of_panel(panel, model, "unit").parts

    weighted = np.sum([part.intensity * part.level[:, None] for part in units], axis=0)
    level = np.sum([part.level for part in units], axis=0)
    np.testing.assert_allclose(everything.intensity, weighted / level[:, None])


def test_contributions_of_all_weeks_are_the_curve_at_one() -> None:
    panel = small_panel(revenue_per_outcome=np.full((3, 60), 0.4))
    for part in basis_of_panel(panel, small_model(panel), "unit").parts:
        np.testing.assert_allclose(part.contribution.sum(axis=0), part.curves[:, ONE], rtol=1e-5)
        assert part.revenue_per_outcome == pytest.approx(0.4)


def test_a_panel_of_one_silo_is_one_part_of_its_name() -> None:
    panel = small_panel()
    assert [part.name for part in basis_of_panel(panel, small_model(panel), "silo").parts] == ["north"]


def test_weeks_before_and_after_anything_was_seen_are_left_out() -> None:
    panel = small_panel()
    observed = panel.observed.copy()
    observed[:, :5], observed[:, 57:], observed[:, 30] = False, False, False
    panel = replace(panel, observed=observed, outcome=panel.outcome * observed)
    basis = basis_of_panel(panel, small_model(panel))

    np.testing.assert_array_equal(basis.weeks, panel.weeks[5:57])
    (part,) = basis.parts
    assert part.level[25] == 0
    assert not part.intensity[25].any()
    assert (np.delete(part.level, 25) > 0).all()


def test_sums_of_silos_with_other_calendars_are_those_of_the_pooled_panel() -> None:
    silos = two_silos()
    panel = pool(silos)
    model, scales = small_model(panel), small_model(panel).scales
    calendar = Calendar(start=panel.weeks[0].item(), weeks=panel.n_weeks)
    layout = RecordLayout(2, private=False, calendar=calendar)
    total = np.zeros(layout.length)
    for silo in silos:
        data = prepare(silo, scales, SPEC, holdout_weeks=8)
        total += unit_records(model.response(), silo, data, scales=scales, layout=layout).sum(axis=0)
    naming = Naming(panel.channels, panel.outcome_unit, panel.currency)
    found = basis_from_sum(total, layout=layout, naming=naming, scales=scales)

    expected = basis_of_panel(panel, model)
    np.testing.assert_array_equal(found.weeks, expected.weeks)
    for name in ("outcome", "spend"):  # levels are of other training weeks in a pooled panel
        np.testing.assert_allclose(getattr(found.parts[0], name), getattr(expected.parts[0], name))
