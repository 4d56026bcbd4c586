"""Nothing of the held-out weeks is learnt from, to the last bit."""

from dataclasses import replace

import numpy as np
import pytest

from mmm_models.neural_mmm import FittedNeuralMmm
from mmm_models.panel import Panel
from mmm_models.peers.peer_results import FittedPeer
from mmm_models.peers.registry import FAMILIES, NEURAL
from mmm_models.training import get_vector
from tests.mmm_models.peers.quick_families import quick_family
from tests.mmm_models.small_panels import small_panel

HOLDOUT_WEEKS = 8
PEERS = [name for name in FAMILIES if name != NEURAL]


def with_other_outcomes(panel: Panel) -> Panel:
    """Every held-out outcome is another."""
    outcome = panel.outcome.copy()
    outcome[:, -HOLDOUT_WEEKS:] = np.random.default_rng(5).uniform(1.0, 900.0, (panel.n_units, HOLDOUT_WEEKS))
    return replace(panel, outcome=outcome)


def with_another_future(panel: Panel) -> Panel:
    """Held-out outcomes, media, spend and controls are all others."""
    rng = np.random.default_rng(6)
    changed = with_other_outcomes(panel)
    arrays = {}
    for name in ("media", "spend", "controls"):
        array = getattr(panel, name).copy()
        array[:, -HOLDOUT_WEEKS:] = rng.gamma(2.0, 300.0, array[:, -HOLDOUT_WEEKS:].shape)
        arrays[name] = array
    return replace(changed, **arrays)


def fit(name: str, panel: Panel) -> FittedPeer:
    fitted = quick_family(name).fit(panel, holdout_weeks=HOLDOUT_WEEKS)
    assert isinstance(fitted, FittedPeer)
    return fitted


def assert_learnt_the_same(one: FittedPeer, other: FittedPeer) -> None:
    assert one.choices == other.choices
    assert one.parameters.keys() == other.parameters.keys()
    for name, values in one.parameters.items():
        assert np.array_equal(values, other.parameters[name]), name
    assert np.array_equal(one.contribution[:, :-HOLDOUT_WEEKS], other.contribution[:, :-HOLDOUT_WEEKS])


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("change", [with_other_outcomes, with_another_future])
def test_what_a_peer_learns_does_not_depend_on_held_out_weeks(name, change):
    panel = small_panel()
    before, after = fit(name, panel), fit(name, change(panel))

    assert_learnt_the_same(before, after)
    assert after.results.holdout.nrmse != before.results.holdout.nrmse


@pytest.mark.parametrize("name", PEERS)
def test_what_a_peer_learns_does_depend_on_the_weeks_before(name):
    """Else the test above could not fail."""
    panel = small_panel()
    outcome = panel.outcome.copy()
    outcome[:, : -HOLDOUT_WEEKS - 1 : 3] *= 1.4

    with pytest.raises(AssertionError):
        assert_learnt_the_same(fit(name, panel), fit(name, replace(panel, outcome=outcome)))


def test_what_the_neural_mmm_learns_does_not_depend_on_held_out_outcomes():
    panel = small_panel()
    family = quick_family(NEURAL)
    before = family.fit(panel, holdout_weeks=HOLDOUT_WEEKS)
    after = family.fit(with_other_outcomes(panel), holdout_weeks=HOLDOUT_WEEKS)

    assert isinstance(before, FittedNeuralMmm)
    assert isinstance(after, FittedNeuralMmm)
    assert np.array_equal(get_vector(before.trained.response), get_vector(after.trained.response))
    assert np.array_equal(before.scales.to_vector(), after.scales.to_vector())
