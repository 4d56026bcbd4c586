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
    Neighbours,
    epsilon_of,
    epsilon_replace_one,
    gaussian_delta,
    gaussian_epsilon,
    gaussian_mu,
    privacy_cost,
)
from privacy.errors import InvalidSetting

SETTINGS_RUN = (GaussianEvent(30.0), GaussianEvent(40.0, count=300), GaussianEvent(90.0, count=300))


# A distributed run: scales, sampled steps of gradient and clip count together, a report; each with its slack.
DISTRIBUTED_RUN = (
    GaussianEvent(12.0, slack=1e-12),
    GaussianEvent(2.5, 300, 0.1, slack=3e-9),
    GaussianEvent(8.0, 4, slack=1e-12),
)


def pld_epsilon(
    events: tuple[GaussianEvent, ...],
    delta: float,
    neighbours: NeighboringRelation = NeighboringRelation.ADD_OR_REMOVE_ONE,
) -> float:
    return float(dp_accounting_of(events, neighbours).get_epsilon(delta))


def dp_accounting_of(events: tuple[GaussianEvent, ...], neighbours: NeighboringRelation) -> PLDAccountant:
    accountant = PLDAccountant(neighbours)
    for event in events:
        gaussian = dp_event.GaussianDpEvent(event.noise_multiplier)
        sampled = dp_event.PoissonSampledDpEvent(event.sample_rate, gaussian)
        accountant.compose(sampled if event.sample_rate < 1 else gaussian, event.count)
    return accountant


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

    @pytest.mark.filterwarnings("ignore:Optimal order is the largest alpha:UserWarning")
    def test_a_run_of_several_kinds_of_release_agrees_with_two_other_accountants(self) -> None:
        prv = PRVAccountant()
        almost_all = 1 - 1e-9  # Opacus' formula for sampled releases divides by zero at a rate of one
        prv.history = [(e.noise_multiplier, min(e.sample_rate, almost_all), e.count) for e in DISTRIBUTED_RUN]
        cost = privacy_cost(DISTRIBUTED_RUN, 1e-5)

        assert cost.epsilon == pytest.approx(pld_epsilon(DISTRIBUTED_RUN, 1e-5), rel=3e-3)
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


class TestSlack:
    @given(mu=st.floats(1e-3, 10.0), log_delta=st.floats(-20.0, -1.0), log_slack=st.floats(-50.0, -1.0))
    def test_the_stated_epsilon_is_the_smallest_that_holds(
        self, mu: float, log_delta: float, log_slack: float
    ) -> None:
        delta, slack = math.exp(log_delta), math.exp(log_delta + log_slack)

        def needed(epsilon: float) -> float:
            return gaussian_delta(mu, epsilon) + (1 + math.exp(epsilon)) * slack

        epsilon = gaussian_epsilon(mu, delta, slack)

        if math.isinf(epsilon):
            assert min(needed(i / 100) for i in range(5000)) > delta
            return
        assert needed(epsilon) <= delta
        if epsilon > 1e-6:
            assert needed(epsilon * (1 - 1e-6)) > delta

    def test_slack_costs_what_the_two_sums_say(self) -> None:
        """At epsilon 1 and mu 1/2, slack t raises delta by (1 + e) t."""
        delta = gaussian_delta(0.5, 1.0) + (1 + math.e) * 1e-5

        assert epsilon_of([GaussianEvent(2.0, slack=1e-5)], delta) == pytest.approx(1.0, rel=1e-9)

    def test_slack_of_all_releases_adds_up(self) -> None:
        apart = [GaussianEvent(4.0, 2, slack=1e-6), GaussianEvent(4.0, 2, slack=2e-6)]

        assert epsilon_of(apart, 1e-4) == pytest.approx(
            epsilon_of([GaussianEvent(4.0, 4, slack=3e-6)], 1e-4), rel=1e-9
        )

    def test_replacing_a_unit_pays_the_slack_at_its_own_epsilon(self) -> None:
        event = GaussianEvent(10.0, 4, slack=1e-8)
        epsilon = epsilon_replace_one([event], 1e-5)

        delta = gaussian_delta(2 * gaussian_mu([event]), epsilon) + (1 + math.exp(epsilon)) * 1e-8
        assert delta == pytest.approx(1e-5, rel=1e-9)

    @pytest.mark.parametrize(
        "neighbours, relation, most",
        [
            (Neighbours.ADD_OR_REMOVE_ONE, NeighboringRelation.ADD_OR_REMOVE_ONE, 1e-7),
            (Neighbours.REPLACE_ONE, NeighboringRelation.REPLACE_ONE, 1e-10),
        ],
    )
    def test_a_sampled_run_with_slack_meets_its_delta_by_dp_accounting(
        self, neighbours: Neighbours, relation: NeighboringRelation, most: float
    ) -> None:
        loose = (*DISTRIBUTED_RUN, GaussianEvent(50.0, slack=most))
        epsilon = privacy_cost(loose, 1e-5, neighbours=neighbours).epsilon
        slack = most + 3e-9 + 2e-12

        delta = dp_accounting_of(loose, relation).get_delta(epsilon) + (1 + math.exp(epsilon)) * slack
        assert delta == pytest.approx(1e-5, rel=0.05)  # epsilon agrees to 0.3 %, delta is ten times as steep
        assert epsilon > privacy_cost(DISTRIBUTED_RUN, 1e-5, neighbours=neighbours).epsilon

    @pytest.mark.parametrize("rate", [1.0, 0.1])
    @pytest.mark.parametrize("slack", [5.1e-6, 1e-3, 2.0])
    def test_no_epsilon_holds_when_slack_alone_uses_up_delta(self, rate: float, slack: float) -> None:
        """(1 + e^epsilon) slack is at least 2 slack."""
        assert epsilon_of([GaussianEvent(3.0, 5, rate, slack)], 1e-5) == math.inf

    def test_no_epsilon_holds_when_the_noise_needs_a_larger_one_than_slack_allows(self) -> None:
        """mu = 3 needs epsilon 15 at 1e-5 (e^15 = 3e6), and slack 1e-9 then costs 3e-3."""
        assert epsilon_of([GaussianEvent(1 / 3)], 1e-5) > 15
        assert epsilon_of([GaussianEvent(1 / 3, slack=1e-9)], 1e-5) == math.inf


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
        lambda: GaussianEvent(1.0, slack=-1e-12),
        lambda: GaussianEvent(1.0, slack=math.nan),
        lambda: GaussianEvent(1.0, slack=math.inf),
        lambda: epsilon_of([GaussianEvent(1.0)], 0.0),
        lambda: epsilon_of([GaussianEvent(1.0)], 1.0),
        lambda: epsilon_of([GaussianEvent(1.0)], math.nan),
    ],
)
def test_a_value_without_meaning_is_refused_with_a_next_action(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidSetting) as refused:
        make()

    assert refused.value.hint
