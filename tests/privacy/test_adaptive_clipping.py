"""The clip norm finds the asked quantile, and its count costs what Theorem 1 says."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.accountant import GaussianEvent, epsilon_of
from privacy.adaptive_clipping import QuantileClipping, joint_noise, split_noise
from privacy.errors import InvalidSetting

RULE = QuantileClipping(target_quantile=0.5, learning_rate=0.2, expected_units=200, lowest=1e-6, highest=1e3)


@given(total=st.floats(0.1, 100.0), ratio=st.floats(0.51, 100.0))
def test_gradient_and_count_together_cost_the_planned_noise(total: float, ratio: float) -> None:
    sigma = total * ratio
    gradient = split_noise(total, sigma)
    # Two separate full-batch releases: the gradient, and a count with sensitivity 1/2.
    separate = [GaussianEvent(gradient), GaussianEvent(2 * sigma)]

    assert joint_noise(gradient, sigma) == pytest.approx(total)
    assert epsilon_of(separate, 1e-5) == pytest.approx(epsilon_of([GaussianEvent(total)], 1e-5), rel=1e-6)


def test_a_count_that_costs_more_than_the_whole_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="clip count"):
        split_noise(2.0, 1.0)


@pytest.mark.parametrize("start", [0.001, 100.0])
def test_the_clip_norm_finds_the_median_through_the_noise(start: float) -> None:
    rng = np.random.default_rng(0)
    norms = rng.lognormal(mean=math.log(0.05), sigma=0.7, size=200)
    clip = start
    for _ in range(150):
        centred = float((norms <= clip).sum()) - 100 + rng.normal(0, 10)
        clip = RULE.next_clip_norm(clip, centred)

    assert clip == pytest.approx(float(np.median(norms)), rel=0.15)


def test_one_step_moves_by_the_geometric_rule() -> None:
    # 150 of 200 units unclipped: centred count 50, fraction 3/4, a quarter above the target.
    assert RULE.next_clip_norm(2.0, 50.0) == pytest.approx(2.0 * math.exp(-0.2 * 0.25))


def test_absurd_counts_and_bounds_do_not_throw_the_clip_norm_away() -> None:
    assert RULE.next_clip_norm(1.0, -1e9) == pytest.approx(math.exp(0.1))
    assert RULE.next_clip_norm(1e3, -100.0) == 1e3
    assert RULE.next_clip_norm(1e-6, 100.0) == 1e-6


@pytest.mark.parametrize(
    "change", [{"target_quantile": 1.0}, {"learning_rate": 0.0}, {"expected_units": 0}, {"lowest": 1e4}]
)
def test_a_rule_without_meaning_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(InvalidSetting):
        QuantileClipping(**{**vars(RULE), **change})
