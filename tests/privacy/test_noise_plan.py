"""A run's noise: within the target, hardly below it, split as asked."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.accountant import GaussianEvent, epsilon_of
from privacy.errors import InvalidSetting
from privacy.noise_plan import PlannedRelease, affordable_epsilon, calibrate_noise_multiplier, plan_noise

RUN = (
    PlannedRelease("statistics", 1, 0.1),
    PlannedRelease("gradient", 300, 0.85),
    PlannedRelease("report", 1, 0.05),
)
SAMPLED_RUN = (
    PlannedRelease("statistics", 1, 0.1),
    PlannedRelease("gradient", 300, 0.9, sample_rate=0.1),
)


@given(epsilon=st.floats(0.01, 50.0), log_delta=st.floats(-20.0, -1.0))
def test_a_full_batch_plan_meets_its_target_exactly(epsilon: float, log_delta: float) -> None:
    delta = math.exp(log_delta)
    plan = plan_noise(epsilon, delta, RUN)

    assert plan.cost.epsilon == epsilon_of(plan.events, delta)
    assert epsilon * (1 - 1e-5) < plan.cost.epsilon <= epsilon


@pytest.mark.parametrize("epsilon", [0.5, 3.0, 8.0])
def test_a_sampled_plan_stays_within_its_target_by_half_a_percent(epsilon: float) -> None:
    plan = plan_noise(epsilon, 1e-5, SAMPLED_RUN)

    assert epsilon * 0.995 < plan.cost.epsilon <= epsilon


def test_each_release_gets_its_share_of_the_squared_mu() -> None:
    plan = plan_noise(3.0, 1e-4, RUN)
    squared = {r.name: r.event.count / r.event.noise_multiplier**2 for r in plan.releases}

    for release in RUN:
        assert squared[release.name] / sum(squared.values()) == pytest.approx(release.share)


def test_gaussian_noise_matches_a_published_calibration() -> None:
    """Balle, Wang 2018: the analytic noise beats sqrt(2 ln(1.25 / delta)) / epsilon, here by a fifth."""
    classical = math.sqrt(2 * math.log(1.25 / 1e-5)) / 1.0

    assert 0.75 * classical < calibrate_noise_multiplier(1.0, 1e-5, count=1) < 0.8 * classical


def test_four_times_the_steps_need_twice_the_noise() -> None:
    once = calibrate_noise_multiplier(2.0, 1e-5, count=100)

    assert calibrate_noise_multiplier(2.0, 1e-5, count=400) == pytest.approx(2 * once)


def test_sampling_a_tenth_of_the_units_needs_far_less_noise() -> None:
    full = calibrate_noise_multiplier(2.0, 1e-5, count=300)

    assert calibrate_noise_multiplier(2.0, 1e-5, count=300, sample_rate=0.1) < 0.15 * full


@pytest.mark.parametrize(
    "spent", [(GaussianEvent(2.0),), (GaussianEvent(2.0, 50, 0.1),)], ids=["full", "sampled"]
)
def test_what_is_left_can_be_spent_and_hardly_more(spent: tuple[GaussianEvent, ...]) -> None:
    left = affordable_epsilon(spent, 4.0, 1e-5)
    fits = GaussianEvent(calibrate_noise_multiplier(left, 1e-5, count=1))
    too_much = GaussianEvent(calibrate_noise_multiplier(left * 1.01, 1e-5, count=1))

    assert epsilon_of((*spent, fits), 1e-5) <= 4.0
    assert epsilon_of((*spent, too_much), 1e-5) > 4.0
    assert left > 4.0 - epsilon_of(spent, 1e-5), "composition costs less than addition"


class TestSlack:
    STEPS = PlannedRelease("gradient", 300, 0.9, slack=1e-10)
    REPORT = PlannedRelease("report", 1, 0.1)

    @given(epsilon=st.floats(0.01, 8.0), log_slack=st.floats(-40.0, -16.5))
    def test_a_plan_meets_its_target_exactly(self, epsilon: float, log_slack: float) -> None:
        steps = PlannedRelease("gradient", 300, 0.9, slack=math.exp(log_slack) / 300)
        plan = plan_noise(epsilon, 1e-3, (steps, self.REPORT))

        assert plan.cost.epsilon == epsilon_of(plan.events, 1e-3)
        assert epsilon * (1 - 1e-6) < plan.cost.epsilon <= epsilon

    def test_a_sampled_plan_stays_within_its_target(self) -> None:
        steps = PlannedRelease("gradient", 300, 0.9, sample_rate=0.1, slack=1e-9)
        plan = plan_noise(3.0, 1e-5, (steps, self.REPORT))

        assert 3.0 * 0.995 < plan.cost.epsilon <= 3.0

    def test_the_event_carries_the_slack_of_all_its_releases(self) -> None:
        plan = plan_noise(3.0, 1e-5, (self.STEPS, self.REPORT))

        assert [event.slack for event in plan.events] == [pytest.approx(3e-8, rel=1e-9, abs=0), 0.0]

    def test_slack_is_paid_with_noise(self) -> None:
        exact = PlannedRelease("gradient", 300, 0.9)

        with_slack = plan_noise(3.0, 1e-5, (self.STEPS, self.REPORT)).noise_multiplier("gradient")
        assert with_slack > plan_noise(3.0, 1e-5, (exact, self.REPORT)).noise_multiplier("gradient")

    def test_slack_above_half_of_delta_is_refused_with_a_next_action(self) -> None:
        far = PlannedRelease("gradient", 300, 1.0, slack=5e-6 / 300 * 1.01)

        with pytest.raises(InvalidSetting, match="too far for delta 1e-05") as refused:
            plan_noise(3.0, 1e-5, (far,))
        assert "larger delta" in refused.value.hint

    @pytest.mark.parametrize(
        "spent",
        [(GaussianEvent(2.0, slack=1e-9),), (GaussianEvent(2.0, 50, 0.1, slack=1e-9),)],
        ids=["full", "sampled"],
    )
    def test_what_is_left_can_be_spent_on_a_run_with_slack(self, spent: tuple[GaussianEvent, ...]) -> None:
        left = affordable_epsilon(spent, 4.0, 1e-5, slack=1e-8)
        run = plan_noise(left, 1e-5, (PlannedRelease("run", 10, 1.0, slack=1e-9),))

        assert epsilon_of((*spent, *run.events), 1e-5) <= 4.0
        assert epsilon_of((*spent, *run.events), 1e-5) > 3.98

    def test_nothing_is_left_for_a_run_with_too_much_slack(self) -> None:
        assert affordable_epsilon((GaussianEvent(2.0),), 4.0, 1e-5, slack=1e-5) == 0.0


def test_nothing_is_left_at_the_limit() -> None:
    assert affordable_epsilon((GaussianEvent(0.5),), 1.0, 1e-5) == 0.0


@pytest.mark.parametrize(
    "epsilon, delta",
    [(0.0, 0.1), (-1.0, 0.1), (math.nan, 0.1), (math.inf, 0.1), (1.0, 0.0), (1.0, 1.0), (1.0, math.nan)],
)
def test_a_target_without_meaning_is_refused(epsilon: float, delta: float) -> None:
    with pytest.raises(InvalidSetting):
        plan_noise(epsilon, delta, RUN)


@pytest.mark.parametrize(
    "releases",
    [
        (),
        (PlannedRelease("a", 1, 0.5), PlannedRelease("a", 1, 0.5)),
        (PlannedRelease("a", 1, 0.5), PlannedRelease("b", 1, 0.4)),
    ],
    ids=["none", "a name twice", "shares below one"],
)
def test_an_incomplete_plan_is_refused(releases: tuple[PlannedRelease, ...]) -> None:
    with pytest.raises(InvalidSetting):
        plan_noise(1.0, 1e-5, releases)


def test_a_release_nobody_planned_has_no_noise() -> None:
    with pytest.raises(InvalidSetting, match="metrics"):
        plan_noise(1.0, 1e-5, RUN).noise_multiplier("metrics")
