"""What Gaussian releases cost, against the closed form, dp_accounting's PLD and Opacus' PRV accountant."""

import math
from collections.abc import Callable

import pytest
from dp_accounting import dp_event
from dp_accounting.pld import PLDAccountant
from dp_accounting.privacy_accountant import NeighboringRelation
from hypothesis import given
from hypothesis import strategies as st
from opacus.accountants import PRVAccountant
from scipy.stats import norm

from privacy.accountant import (
    Accountant,
    GaussianEvent,
    epsilon_of,
    epsilon_replace_one,
    gaussian_delta,
    gaussian_epsilon,
    privacy_cost,
)
from privacy.errors import InvalidSetting

SETTINGS_RUN = (GaussianEvent(30.0), GaussianEvent(40.0, count=300), GaussianEvent(90.0, count=300))


def pld_epsilon(
    events: tuple[GaussianEvent, ...],
    delta: float,
    neighbours: NeighboringRelation = NeighboringRelation.ADD_OR_REMOVE_ONE,
) -> float:
    accountant = PLDAccountant(neighbours)
    for event in events:
        gaussian = dp_event.GaussianDpEvent(event.noise_multiplier)
        sampled = dp_event.PoissonSampledDpEvent(event.sample_rate, gaussian)
        accountant.compose(sampled if event.sample_rate < 1 else gaussian, event.count)
    return float(accountant.get_epsilon(delta))


class TestFullBatch:
    def test_one_release_meets_balle_and_wang_theorem_8(self) -> None:
        mu, epsilon = 0.5, 1.0
        by_hand = norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)

        assert gaussian_delta(mu, epsilon) == pytest.approx(by_hand, rel=1e-9)
        assert epsilon_of([GaussianEvent(1 / mu)], by_hand) == pytest.approx(epsilon, rel=1e-9)

    def test_four_releases_of_twice_the_noise_cost_one(self) -> None:
        assert epsilon_of([GaussianEvent(6.0, count=4)], 1e-5) == pytest.approx(
            epsilon_of([GaussianEvent(3.0)], 1e-5), rel=1e-9
        )

    def test_a_whole_run_agrees_with_dp_accounting(self) -> None:
        cost = privacy_cost(SETTINGS_RUN, 1e-4)

        assert cost.accountant is Accountant.ANALYTIC_GAUSSIAN
        assert cost.epsilon == pytest.approx(pld_epsilon(SETTINGS_RUN, 1e-4), rel=1e-3)

    def test_replacing_a_unit_costs_what_half_the_noise_costs(self) -> None:
        halved = [GaussianEvent(e.noise_multiplier / 2, e.count) for e in SETTINGS_RUN]

        assert epsilon_replace_one(SETTINGS_RUN, 1e-4) == pytest.approx(epsilon_of(halved, 1e-4), rel=1e-9)
        assert epsilon_replace_one(SETTINGS_RUN, 1e-4) == pytest.approx(
            pld_epsilon(SETTINGS_RUN, 1e-4, NeighboringRelation.REPLACE_ONE), rel=1e-3
        )

    @given(mu=st.floats(1e-4, 1e3), log_delta=st.floats(-40.0, -0.1))
    def test_the_stated_epsilon_is_never_too_small(self, mu: float, log_delta: float) -> None:
        delta = math.exp(log_delta)
        epsilon = gaussian_epsilon(mu, delta)

        assert gaussian_delta(mu, epsilon) <= delta
        if epsilon > 1e-6:
            assert gaussian_delta(mu, epsilon * (1 - 1e-6)) > delta

    def test_nothing_released_costs_nothing(self) -> None:
        assert epsilon_of([], 1e-5) == 0.0


class TestSampled:
    # Opacus sizes the grid of its PRV accountant with a rough RDP bound, which remarks on its own roughness.
    @pytest.mark.filterwarnings("ignore:Optimal order is the largest alpha:UserWarning")
    @pytest.mark.parametrize(
        "noise, rate, steps", [(1.0, 0.01, 1000), (2.0, 0.1, 300), (5.0, 0.05, 300)], ids=str
    )
    def test_the_epsilon_agrees_with_two_other_accountants(
        self, noise: float, rate: float, steps: int
    ) -> None:
        event = GaussianEvent(noise, steps, rate)
        prv = PRVAccountant()
        prv.history = [(noise, rate, steps)]
        cost = privacy_cost([event], 1e-5)

        assert cost.accountant is Accountant.PLD
        assert cost.epsilon == pytest.approx(pld_epsilon((event,), 1e-5), rel=2e-3)
        # Opacus rounds its own answer up by as much as 0.01.
        assert cost.epsilon == pytest.approx(prv.get_epsilon(1e-5), abs=0.011)

    def test_a_full_batch_release_beside_sampled_steps_is_counted(self) -> None:
        steps = GaussianEvent(2.0, 300, 0.1)

        together = epsilon_of([steps, GaussianEvent(10.0)], 1e-5)

        assert together == pytest.approx(pld_epsilon((steps, GaussianEvent(10.0)), 1e-5), rel=2e-3)
        assert together > epsilon_of([steps], 1e-5)

    def test_sampling_everyone_is_the_full_batch(self) -> None:
        assert epsilon_of([GaussianEvent(5.0, 10, 1 - 1e-9)], 1e-5) == pytest.approx(
            epsilon_of([GaussianEvent(5.0, 10)], 1e-5), rel=2e-3
        )

    @pytest.mark.slow
    def test_replacing_a_unit_agrees_with_dp_accounting(self) -> None:
        event = GaussianEvent(2.0, 300, 0.1)

        assert epsilon_replace_one([event], 1e-5) == pytest.approx(
            pld_epsilon((event,), 1e-5, NeighboringRelation.REPLACE_ONE), rel=5e-3
        )


@pytest.mark.parametrize(
    "make",
    [
        lambda: GaussianEvent(0.0),
        lambda: GaussianEvent(-1.0),
        lambda: GaussianEvent(math.nan),
        lambda: GaussianEvent(math.inf),
        lambda: GaussianEvent(1.0, count=0),
        lambda: GaussianEvent(1.0, count=True),
        lambda: GaussianEvent(1.0, count=1.5),  # type: ignore[arg-type]
        lambda: GaussianEvent(1.0, sample_rate=0.0),
        lambda: GaussianEvent(1.0, sample_rate=1.1),
        lambda: GaussianEvent(1.0, sample_rate=math.nan),
        lambda: epsilon_of([GaussianEvent(1.0)], 0.0),
        lambda: epsilon_of([GaussianEvent(1.0)], 1.0),
        lambda: epsilon_of([GaussianEvent(1.0)], math.nan),
    ],
)
def test_a_value_without_meaning_is_refused_with_a_next_action(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidSetting) as refused:
        make()

    assert refused.value.hint
