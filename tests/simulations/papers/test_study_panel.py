"""A world shown by region or as one series, by week or by month: sums stay what they were."""

import numpy as np
import pytest

from mmm_models.features.seasonality import fourier_waves
from mmm_models.panel import pool
from simulations.papers.study_panel import by_month, one_series, study_panels
from tests.simulations.papers.small_world import small_world


def test_one_series_is_the_sum_of_its_regions():
    regions = pool(small_world().panels)

    nation = one_series(regions)

    assert nation.outcome[0] == pytest.approx(regions.outcome.sum(axis=0))
    assert nation.media[0] == pytest.approx(regions.media.sum(axis=0))
    assert nation.spend[0] == pytest.approx(regions.spend.sum(axis=0))
    assert nation.population.tolist() == [regions.population.sum()]


def test_its_controls_are_the_mean_by_population():
    regions = pool(small_world().panels)
    promotion = regions.control_names.index("promotion")

    shown = one_series(regions).controls[0, :, promotion]

    people = regions.controls[..., promotion] * regions.population[:, None]
    assert shown == pytest.approx(people.sum(axis=0) / regions.population.sum())


def test_a_month_is_four_weeks_and_a_rest_is_left_out():
    weeks = pool(small_world("papers-monthly").panels).select_weeks(0, 22)

    months = by_month(weeks)

    assert months.n_weeks == 5
    assert months.outcome[:, 4] == pytest.approx(weeks.outcome[:, 16:20].sum(axis=1))
    assert months.spend[:, 0] == pytest.approx(weeks.spend[:, :4].sum(axis=1))


def test_months_are_told_the_season_at_its_true_dates():
    weeks = pool(small_world("papers-monthly").panels)

    months = by_month(weeks)

    at = months.control_names.index("sin_1")
    truth = fourier_waves(weeks.weeks, 1)[:, 0].reshape(24, 4).mean(axis=1)
    assert months.controls[1, :, at] == pytest.approx(truth)
    assert months.treatment_names == weeks.treatment_names == months.control_names[-1:]


@pytest.mark.parametrize(("name", "monthly"), [("papers-monthly", True), ("papers-weekly", False)])
def test_studies_have_the_published_size_and_the_worlds_truth(name, monthly):
    world = small_world(name)

    regions, nation = study_panels(world, monthly=monthly)

    rows = (24, 4, 6) if monthly else (104, 5, 24)
    truth = sum(silo.contribution.sum(axis=(0, 1)) for silo in world.silos)
    for study in (regions, nation):
        assert (study.panel.n_weeks, study.panel.n_channels, study.holdout) == rows
        assert study.truth == pytest.approx(truth)
        assert study.panel.outcome.sum() == pytest.approx(world.total_outcome)
    assert (regions.panel.n_units, nation.panel.n_units) == (4, 1)
    assert np.all(regions.truth > 0)
