"""What is looked at twice before the next budget, with limits where they are said to be."""

from dataclasses import replace

import pytest

from mmm_models.explaining.channel_facts import ChannelFacts
from mmm_models.explaining.estimate import Estimate
from mmm_models.explaining.explanation import Explanation, explain
from mmm_models.reporting.health import Health
from mmm_models.reporting.health_checks import health_checks
from mmm_models.reporting.spending_checks import spending_checks
from mmm_models.results import Finding, Interval
from tests.mmm_models.explaining.small_runs import PERIOD, small_run
from tests.mmm_models.explaining.test_words import TV
from tests.mmm_models.report_samples import FULL

PRIOR = Finding("prior-only", "review", ("radio",), "The data say little.", "An experiment.")


@pytest.fixture(scope="module")
def base() -> Explanation:
    return explain(*small_run(), weeks=PERIOD)


def margin(low: float, high: float) -> Estimate:
    return Estimate((low * high) ** 0.5, Interval(low, high))


def channel(name: str, spend: float, low: float = 1.1, high: float = 2.0) -> ChannelFacts:
    return replace(TV, channel=name, spend=spend, marginal_roi=margin(low, high))


def verdict(told: Explanation, name: str, *findings: Finding) -> Health:
    (found,) = [check for check in spending_checks(told, findings) if check.name == name]
    assert bool(found.advice) == (found.health is not Health.PASS)
    return found.health


@pytest.mark.parametrize(
    ("radio", "health"),
    [
        (channel("radio", 51.0), Health.PASS),
        (channel("radio", 49.0, 0.9), Health.PASS),  # open for less than half of the money
        (channel("radio", 51.0, 0.9), Health.REVIEW),
        (channel("radio", 10.0, 0.5, 0.9), Health.REVIEW),  # little money, but surely lost
        (channel("radio", 51.0, 0.5, 0.9), Health.FAIL),
    ],
)
def test_the_last_money_came_back_is_open_or_did_not(
    base: Explanation, radio: ChannelFacts, health: Health
) -> None:
    told = replace(base, channels=(channel("tv", 100.0 - radio.spend), radio))

    assert verdict(told, "Last money spent") is health


def test_returns_are_not_judged_without_money_or_intervals(base: Explanation) -> None:
    unsure = replace(base, channels=(replace(TV, marginal_roi=Estimate(0.5)),))
    visits = replace(base, channels=(TV,), value_unit="visits")

    for told in (unsure, visits):
        assert "Last money spent" not in [check.name for check in spending_checks(told, ())]


@pytest.mark.parametrize(("share", "health"), [(0.9, Health.PASS), (0.91, Health.REVIEW)])
def test_saturation_is_named_where_twice_the_media_bring_next_to_nothing(
    base: Explanation, share: float, health: Health
) -> None:
    told = replace(base, channels=(TV, replace(TV, channel="radio", of_double=Estimate(share))))

    assert verdict(told, "Saturation") is health


@pytest.mark.parametrize(
    ("spend", "health"), [(25.0, Health.PASS), (26.0, Health.REVIEW), (76.0, Health.FAIL)]
)
def test_money_in_channels_that_the_data_hardly_know(base: Explanation, spend: float, health: Health) -> None:
    told = replace(base, channels=(channel("tv", 100.0 - spend), channel("radio", spend)))

    assert verdict(told, "What the data know", PRIOR) is health
    assert verdict(told, "What the data know") is Health.PASS


@pytest.mark.parametrize(("last", "health"), [(0.05, Health.PASS), (0.06, Health.REVIEW)])
def test_effects_that_the_model_cuts_off(base: Explanation, last: float, health: Health) -> None:
    told = replace(base, channels=(replace(TV, timing=replace(TV.timing, last_week=last)),))

    assert verdict(told, "Carry-over") is health


def test_nothing_is_checked_without_spend(base: Explanation) -> None:
    assert spending_checks(replace(base, channels=(replace(TV, spend=0.0),)), ()) == ()


def test_a_report_checks_spending_where_it_explains(base: Explanation) -> None:
    names = {check.name for check in health_checks(replace(FULL, explained=base))}

    assert names - {check.name for check in health_checks(FULL)} == {
        "Last money spent", "Saturation", "What the data know", "Carry-over",
    }  # fmt: skip
