"""The privacy terms of a run keep what they promise, and both sides work out the same noise."""

import math
from dataclasses import replace
from typing import Any

import pytest
from dp_accounting import (
    ComposedDpEvent,
    DpEvent,
    GaussianDpEvent,
    PoissonSampledDpEvent,
    SelfComposedDpEvent,
)
from dp_accounting.pld import PLDAccountant
from scipy.stats import norm

from privacy.accountant import Accountant
from privacy.adaptive_clipping import joint_noise
from privacy.discrete_gaussian import TOTAL_VARIATION, VARIANCE
from privacy.errors import InvalidSetting
from privacy.run_terms import (
    CURVATURE_SHARE,
    LARGEST_SCALES_SHARE,
    SCALES_NOISE,
    SHARES_AFTER_SCALES,
    SMALLEST_SCALES_SHARE,
    PrivacyMode,
    PrivacyTerms,
    Release,
    SecureAggregation,
)
from privacy.wire import Invitation

EPSILON, DELTA, STEPS, CURVATURES, VALUES = 8.0, 1e-4, 30, 3, 500
LOCAL = PrivacyTerms(PrivacyMode.LOCAL, EPSILON, DELTA, STEPS, values=VALUES)
SHARED = PrivacyTerms(
    PrivacyMode.DISTRIBUTED, EPSILON, DELTA, STEPS, CURVATURES, survivors=7, colluding=2, values=VALUES
)
SAMPLED = replace(SHARED, sample_rate=0.3)
TERMS = {"local": LOCAL, "distributed": SHARED}


def count_of(terms: PrivacyTerms, release: Release) -> int:
    """How often a run makes a release: every step, every curvature, else once."""
    return {Release.ROUND: terms.steps, Release.CURVATURE: terms.curvatures}.get(release, 1)


def releases_of(terms: PrivacyTerms) -> list[Release]:
    return [release for release in Release if count_of(terms, release)]


def independent_epsilon(terms: PrivacyTerms) -> float:
    """By dp_accounting's privacy loss distributions, from the noise of each release alone."""
    accountant = PLDAccountant()
    events: list[DpEvent] = []
    for release in releases_of(terms):
        event: DpEvent = GaussianDpEvent(terms.noise_multiplier(release))
        if release in (Release.ROUND, Release.CURVATURE) and terms.sample_rate < 1.0:
            event = PoissonSampledDpEvent(terms.sample_rate, event)
        events.append(SelfComposedDpEvent(event, count_of(terms, release)))
    accountant.compose(ComposedDpEvent(events))
    return float(accountant.get_epsilon(DELTA))


class TestThePlan:
    @pytest.mark.parametrize("mode", TERMS)
    def test_meets_its_target_exactly(self, mode: str) -> None:
        """mu^2 is the sum of count / z^2; delta at epsilon then is a difference of two normal tails.

        Slack comes on top, (1 + e^epsilon) times, and is far below what a plan rounds away.
        """
        terms = TERMS[mode]
        mu = math.sqrt(sum(count_of(terms, r) / terms.noise_multiplier(r) ** 2 for r in releases_of(terms)))
        upper, lower = norm.cdf(mu / 2 - EPSILON / mu), norm.cdf(-mu / 2 - EPSILON / mu)

        assert upper - math.exp(EPSILON) * lower == pytest.approx(DELTA, rel=1e-6)
        assert terms.plan.cost.epsilon <= EPSILON
        assert terms.plan.cost.accountant is Accountant.ANALYTIC_GAUSSIAN

    @pytest.mark.parametrize("mode", TERMS)
    def test_is_confirmed_by_an_independent_accountant(self, mode: str) -> None:
        assert independent_epsilon(TERMS[mode]) == pytest.approx(EPSILON, rel=5e-3)

    def test_with_sampling_stays_within_the_target_and_wastes_little(self) -> None:
        """Its own accountant says so, and so does another that knows nothing of the plan."""
        assert SAMPLED.plan.cost.accountant is Accountant.PLD
        assert 0.99 * EPSILON < SAMPLED.plan.cost.epsilon <= EPSILON
        assert independent_epsilon(SAMPLED) <= EPSILON * (1 + 5e-3)

    def test_with_sampling_gives_a_step_less_noise_than_the_whole_batch_would_need(self) -> None:
        """Rate times the noise would be the same accuracy of the mean; amplification does better than that."""
        sampled, whole = (terms.noise_multiplier(Release.ROUND) for terms in (SAMPLED, SHARED))

        assert sampled < whole
        assert SAMPLED.noise_multiplier(Release.REPORT) == pytest.approx(
            SHARED.noise_multiplier(Release.REPORT), rel=0.2
        )

    def test_samples_only_gradients_and_curvature(self) -> None:
        """Totals of a sample would be useless, and the number of units is asked for once."""
        rates = {release.name: release.event.sample_rate for release in SAMPLED.plan.releases}

        assert rates == {"scales": 1.0, "round": 0.3, "curvature": 0.3, "draft": 1.0, "report": 1.0}

    @pytest.mark.parametrize("mode", TERMS)
    def test_a_share_of_the_budget_is_a_share_of_mu_squared(self, mode: str) -> None:
        terms = TERMS[mode]
        squared = {r: count_of(terms, r) / terms.noise_multiplier(r) ** 2 for r in releases_of(terms)}
        shares = {release: value / sum(squared.values()) for release, value in squared.items()}

        assert shares == pytest.approx(terms.budget_shares, rel=1e-6)

    def test_shares_what_scales_leave_between_the_rounds_and_the_totals(self) -> None:
        """Curvature is taken from the rounds; nothing is left over, nothing given out twice."""
        rest = 1 - SMALLEST_SCALES_SHARE  # at epsilon 8 scales need no more than their least
        rounds, report = SHARES_AFTER_SCALES[Release.ROUND], SHARES_AFTER_SCALES[Release.REPORT]

        assert math.fsum(SHARES_AFTER_SCALES.values()) == pytest.approx(1.0, abs=1e-12)
        assert LOCAL.budget_shares[Release.ROUND] == pytest.approx(rest * rounds)
        assert SHARED.budget_shares[Release.ROUND] == pytest.approx(rest * (rounds - CURVATURE_SHARE))
        assert SHARED.budget_shares[Release.CURVATURE] == pytest.approx(rest * CURVATURE_SHARE)
        assert SHARED.budget_shares[Release.REPORT] == LOCAL.budget_shares[Release.REPORT] == rest * report
        for terms in TERMS.values():
            assert math.fsum(terms.budget_shares.values()) == pytest.approx(1.0, abs=1e-12)

    @pytest.mark.parametrize("mode", TERMS)
    def test_a_small_budget_gives_scales_the_noise_at_which_they_are_of_use(self, mode: str) -> None:
        """Between their least and their largest share: there the noise multiplier is the one wanted."""
        terms = replace(TERMS[mode], epsilon=1.0)
        found = terms.noise_multiplier(Release.SCALES)

        assert SMALLEST_SCALES_SHARE < terms.budget_shares[Release.SCALES] < LARGEST_SCALES_SHARE
        assert found == pytest.approx(SCALES_NOISE[terms.mode], rel=1e-6)

    @pytest.mark.parametrize("mode", TERMS)
    def test_a_tiny_budget_is_not_spent_on_scales_alone(self, mode: str) -> None:
        terms = replace(TERMS[mode], epsilon=0.01)

        assert terms.budget_shares[Release.SCALES] == LARGEST_SCALES_SHARE

    def test_charges_slack_for_every_value_of_every_release(self) -> None:
        """Five honest shares a value, 500 values; per value five draws and the rounding of their sum."""
        a_release = VALUES * (5 * TOTAL_VARIATION + 0.006 / (5 * VARIANCE) ** 2)
        slack = {release.name: release.event.slack for release in SHARED.plan.releases}

        expected = {release.value: count_of(SHARED, release) * a_release for release in Release}
        assert slack == pytest.approx(expected, rel=1e-9, abs=0)

    def test_more_values_than_delta_bears_are_refused(self) -> None:
        """A release of 2^80 values is 2^80 * 5 * 2^-100 away from Gaussian, which is above delta at epsilon 8."""
        with pytest.raises(InvalidSetting, match="whatever the noise"):
            _ = replace(SHARED, values=2**90).plan


class TestShares:
    def test_in_local_mode_each_silo_carries_all_of_the_noise(self) -> None:
        assert (LOCAL.shares.survivors, LOCAL.shares.colluding, LOCAL.shares.honest) == (1, 0, 1)

    def test_in_distributed_mode_honest_survivors_carry_it(self) -> None:
        assert (SHARED.shares.survivors, SHARED.shares.colluding, SHARED.shares.honest) == (7, 2, 5)

    @pytest.mark.parametrize("survivors, colluding", [(0, 0), (3, 3), (3, 4), (3, -1)])
    def test_nobody_honest_is_no_distributed_run(self, survivors: int, colluding: int) -> None:
        with pytest.raises(InvalidSetting):
            replace(SHARED, survivors=survivors, colluding=colluding)

    def test_who_carries_the_noise_changes_no_noise_multiplier(self) -> None:
        """They say how much noise there is in a sum, never who adds how much of it."""
        other = replace(SHARED, survivors=9, colluding=1)
        noise = [terms.noise_multiplier(Release.ROUND) for terms in (SHARED, other)]

        assert noise[0] == pytest.approx(noise[1], rel=1e-9)


def test_only_shares_of_noise_are_answered_once() -> None:
    """All of a silo's noise protects its answer whoever else is in the sum; one share does not."""
    assert SHARED.answered_once
    assert not LOCAL.answered_once
    assert not PrivacyTerms(PrivacyMode.NONE).answered_once


@pytest.mark.parametrize("mode", TERMS)
def test_what_a_silo_charges_is_what_the_run_releases(mode: str) -> None:
    terms = TERMS[mode]
    charged = sorted((event.noise_multiplier, event.count) for event in terms.events)
    released = sorted((terms.noise_multiplier(r), count_of(terms, r)) for r in releases_of(terms))

    assert charged == released


@pytest.mark.parametrize("terms", [LOCAL, SHARED], ids=["local", "distributed"])
def test_a_silo_derives_the_coordinators_noise_from_the_invitation(terms: PrivacyTerms) -> None:
    invited = Invitation.of("run", terms, secure_aggregation=SecureAggregation.MASKS, model="{}").privacy

    assert invited == terms
    assert invited.events == terms.events


class TestARoundsTwoValues:
    """Gradient and clip count of one sample: released together, they cost what the plan says of one release."""

    def test_cost_together_what_a_round_costs(self) -> None:
        for terms in (LOCAL, SHARED, SAMPLED):
            together = joint_noise(terms.gradient_noise_multiplier, terms.clip_count_sigma)
            assert together == pytest.approx(terms.noise_multiplier(Release.ROUND), rel=1e-12)

    def test_share_it_94_to_6(self) -> None:
        whole = LOCAL.noise_multiplier(Release.ROUND) ** -2

        assert LOCAL.gradient_noise_multiplier**-2 / whole == pytest.approx(0.94)
        assert LOCAL.clip_count_noise_multiplier**-2 / whole == pytest.approx(0.06)

    def test_the_count_is_noised_in_multiples_of_half_a_unit(self) -> None:
        assert LOCAL.clip_count_sigma == 0.5 * LOCAL.clip_count_noise_multiplier


NONSENSE: tuple[dict[str, Any], ...] = (
    {"epsilon": 0.0}, {"epsilon": -1.0}, {"epsilon": math.nan}, {"delta": 0.0}, {"delta": 1.0}, {"steps": 0},
    {"values": 0}, {"values": -1},
)  # fmt: skip


@pytest.mark.parametrize("wrong", NONSENSE, ids=str)
@pytest.mark.parametrize("mode", TERMS)
def test_a_private_run_needs_whole_terms(mode: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting):
        replace(TERMS[mode], **wrong)


@pytest.mark.parametrize("rate", [0.0, -0.5, 1.5, math.nan])
def test_a_chance_that_is_none_makes_no_plan(rate: float) -> None:
    with pytest.raises(InvalidSetting):
        _ = replace(LOCAL, sample_rate=rate).events


def test_an_epsilon_without_noise_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="mode is none") as refused:
        PrivacyTerms(PrivacyMode.NONE, epsilon=8.0)

    assert "--privacy local" in refused.value.hint


def test_a_run_without_privacy_charges_nothing() -> None:
    assert PrivacyTerms(PrivacyMode.NONE).events == ()


def test_without_curvature_none_is_charged() -> None:
    assert [release.name for release in LOCAL.plan.releases] == ["scales", "round", "draft", "report"]
