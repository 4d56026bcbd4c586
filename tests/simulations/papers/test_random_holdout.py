"""Rows held out at random flatter a model that interpolates."""

import pytest

from simulations.papers.model_comparison import below, compare_families
from simulations.papers.random_holdout import boosting_below_linear
from simulations.papers.study_panel import study_panels
from tests.simulations.papers.small_world import small_world


@pytest.mark.slow
def test_boosting_looks_better_among_shuffled_months_than_it_predicts_later_ones():
    regions, _ = study_panels(small_world("papers-monthly"), monthly=True)
    fits = compare_families(regions, seed=1)

    (later,) = below(fits, regions.name, "boosting", "linear")

    assert boosting_below_linear(regions, seed=1) > later


def test_the_seed_alone_chooses_the_rows():
    _, nation = study_panels(small_world(), monthly=False)

    assert boosting_below_linear(nation, seed=1) == boosting_below_linear(nation, seed=1)
    assert boosting_below_linear(nation, seed=1) != boosting_below_linear(nation, seed=2)
