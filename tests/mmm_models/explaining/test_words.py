"""Sentences say the numbers, and no more than intervals allow."""

from dataclasses import replace

import pytest

from mmm_models.explaining.channel_facts import ChannelFacts
from mmm_models.explaining.effect_timing import Timing
from mmm_models.explaining.estimate import UNKNOWN, Estimate
from mmm_models.explaining.explanation import Explanation, explain
from mmm_models.explaining.words import insight, sentences
from mmm_models.results import Interval
from tests.mmm_models.explaining.small_runs import PERIOD, small_run

TV = ChannelFacts(
    part="all",
    channel="tv",
    kind="paid",
    spend=1_000_000.0,
    revenue=Estimate(2_400_000.0, Interval(2_000_000.0, 2_900_000.0)),
    share=Estimate(0.08),
    roi=Estimate(2.4, Interval(2.0, 2.9)),
    marginal_roi=Estimate(1.1, Interval(0.8, 1.5)),
    ten_more=Estimate(104_000.0, Interval(60_000.0, 150_000.0)),
    ten_less=Estimate(115_000.0, Interval(84_000.0, 155_000.0)),
    of_double=Estimate(0.78, Interval(0.7, 0.9)),
    of_ceiling=Estimate(0.61, Interval(0.52, 0.75)),
    timing=Timing(Estimate(1.84, Interval(1.2, 2.9)), 2, 0.001, 13),
    seen=1.21,
)


def plain(text: str) -> str:
    return text.replace("\xa0", " ").replace("\N{EN DASH}", "-")


@pytest.fixture(scope="module")
def told() -> Explanation:
    return explain(*small_run(), weeks=PERIOD)


def of(fact: ChannelFacts, told: Explanation) -> list[str]:
    return [plain(sentence) for sentence in sentences(fact, told)]


def test_a_channel_is_told_in_four_sentences(told: Explanation) -> None:
    assert of(TV, told) == [
        "Half of what a week of tv does comes within 1.8 weeks (1.2-2.9); its strongest week is the one after.",
        "At today's spend it brings 78 % (70-90 %) of what twice the media would, and 61 % (52-75 %) of what it ever "
        "could if its curve went on as fitted; media were never higher than 1.21 times today's, so beyond that both "
        "are extrapolated.",
        "Each EUR brings 2.40 (2.00-2.90) on average, the last one 1.10 (0.80-1.50): whether it came back is open.",
        "10 % more media (100 k EUR) would bring 104 k EUR (60.0-150 k) more; "
        "10 % less would lose 115 k EUR (84.0-155 k).",
    ]


@pytest.mark.parametrize(
    ("last", "verdict"),
    [
        (Estimate(0.7, Interval(0.5, 0.9)), "0.70 (0.50-0.90): less than it costs."),
        (Estimate(0.7, Interval(0.5, 1.1)), "0.70 (0.50-1.10): whether it came back is open."),
        (Estimate(1.3, Interval(1.1, 1.9)), "1.30 (1.10-1.90)."),
        (Estimate(0.7), "0.70: less than it costs."),
        (Estimate(1.3), "1.30."),
    ],
)
def test_whether_the_last_money_came_back_is_said_as_far_as_it_is_known(
    told: Explanation, last: Estimate, verdict: str
) -> None:
    assert of(replace(TV, marginal_roi=last), told)[2].endswith(f"the last one {verdict}")


def test_an_outcome_that_is_not_money_has_no_verdict_and_its_own_unit(told: Explanation) -> None:
    visits = replace(told, outcome_unit="visits", value_unit="visits")

    assert (
        of(TV, visits)[2]
        == "Each EUR brings 2.40 (2.00-2.90) visits on average, the last one 1.10 (0.80-1.50)."
    )
    assert "104 k visits (60.0-150 k)" in of(TV, visits)[3]


@pytest.mark.parametrize(
    ("week", "words"), [(1, "the one it runs in"), (2, "the one after"), (4, "3 weeks later")]
)
def test_the_strongest_week_is_named(told: Explanation, week: int, words: str) -> None:
    late = replace(TV, timing=replace(TV.timing, peak_week=week))

    assert of(late, told)[0].endswith(f"its strongest week is {words}.")


def test_media_without_spend_have_no_money_in_their_sentences(told: Explanation) -> None:
    organic = replace(TV, kind="organic", spend=0.0, roi=UNKNOWN, marginal_roi=UNKNOWN)

    text = of(organic, told)
    assert len(text) == 3
    assert text[1].startswith("At today's media it brings")
    assert text[2].startswith("10 % more media would bring 104 k EUR")


def test_how_high_media_were_is_said_where_it_matters_and_is_known(told: Explanation) -> None:
    assert "never higher than today's, so" in of(replace(TV, seen=1.0), told)[1]
    assert of(replace(TV, seen=2.5), told)[1].endswith("went on as fitted.")
    assert "how high media ever were this run does not say" in of(TV, replace(told, last_from=""))[1]


def test_no_effect_is_said_plainly(told: Explanation) -> None:
    silent = replace(TV, revenue=Estimate(0.0))

    assert of(silent, told) == [f"The model sees nothing that tv did in the last {PERIOD} weeks."]
    assert insight(replace(told, channels=(silent,))) == (
        f"The model sees nothing that media did in the last {PERIOD} weeks."
    )


def test_the_insight_names_the_best_and_the_worst_place_for_money(told: Explanation) -> None:
    radio = replace(TV, channel="radio", marginal_roi=Estimate(2.0), of_double=Estimate(0.6))

    assert plain(insight(replace(told, channels=(TV, radio)))) == (
        "The last EUR brings most in radio (2.00) and least in tv (1.10); "
        "tv is the most saturated: twice its media would bring 28 % more."  # 1 / 0.78
    )
