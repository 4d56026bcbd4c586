"""Families by name."""

import pytest

from mmm_models.family import ModelFamily
from mmm_models.peers.registry import FAMILIES, ModelUnknown, family
from tests.mmm_models.peers.quick_families import quick_family
from tests.mmm_models.small_panels import small_panel


@pytest.mark.parametrize("name", FAMILIES)
def test_every_name_gives_a_family_whose_results_bear_it(name):
    assert isinstance(family(name), ModelFamily)
    assert type(family(name)) is type(quick_family(name))
    assert quick_family(name).fit(small_panel(), holdout_weeks=8).results.model == name


def test_an_unknown_name_names_the_nearest_and_lists_the_known():
    with pytest.raises(ModelUnknown, match="no model 'rigde'; nothing was fitted") as caught:
        family("rigde")

    assert caught.value.hint.startswith("did you mean ridge? known are neural, ridge, ")
    assert all(name in caught.value.hint for name in FAMILIES)
