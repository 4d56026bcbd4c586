"""What noise costs: runs grouped and averaged, drawn by epsilon, told in a sentence."""

import math
from dataclasses import replace
from xml.etree.ElementTree import Element

import pytest

from mmm_models.reporting import figures
from mmm_models.reporting.figure_noise import noise_insight
from mmm_models.reporting.noise_costs import (
    compares_noise,
    mean_of_runs,
    noise_costs,
    ways_of_training,
)
from mmm_models.reporting.report import render
from tests.mmm_models.report_samples import ARMS, FULL, NOISE, NOISE_ARMS, noised
from tests.mmm_models.test_figures import SVG, drawn, number, plain
from tests.mmm_models.test_report import Page


def test_runs_with_the_same_noise_are_one_row_with_mean_and_extremes() -> None:
    row = noise_costs(NOISE_ARMS).at(8.0)["local"]

    assert (row.runs, row.finished) == (2, 2)
    assert row.share_error_points.mean == pytest.approx((0.90 + 1.10) / 2)
    assert (row.share_error_points.lowest, row.share_error_points.highest) == (0.90, 1.10)


def test_costs_are_measured_against_the_last_arm_without_noise() -> None:
    costs = noise_costs((*ARMS[:3], replace(ARMS[3], share_error_points=0.50, nrmse=0.05), *NOISE_ARMS[4:]))
    row = costs.at(8.0)["local"]

    assert costs.extra_points(row) == pytest.approx(1.00 - 0.50)
    assert costs.extra_nrmse(row.nrmse.mean) == pytest.approx(0.071 / 0.05 - 1)


def test_a_run_without_a_model_counts_as_started_only() -> None:
    row = noise_costs((*ARMS[:4], *noised("local", 2.0, math.nan, 1.2))).at(2.0)["local"]

    assert (row.runs, row.finished) == (2, 1)
    assert row.share_error_points.mean == 1.2
    assert row.failure.startswith("the noise hides")


def test_one_run_at_one_epsilon_is_no_comparison_of_noise() -> None:
    once = [*noised("local", 8.0, 0.9), *noised("distributed", 8.0, 0.7)]

    assert not compares_noise((*ARMS[:4], *once))
    assert compares_noise((*ARMS[:4], *once, *noised("local", 1.0, 0.9)))
    assert compares_noise((*ARMS[:4], *noised("local", 8.0, 0.9, 0.8)))


def test_ways_of_training_are_told_once_at_the_epsilon_that_was_named_first() -> None:
    rows = ways_of_training(NOISE_ARMS)

    assert [row.name for row in rows[4:]] == [
        "+ local noise, ε 8 (mean of 2)",
        "+ distributed noise, ε 8 (mean of 2)",
    ]
    assert rows[4].share_error_points == pytest.approx(1.00)
    assert rows[5].channel_errors["tv"] == pytest.approx(0.1 * (0.66 + 0.70) / 2)


def test_single_runs_are_left_as_they_are() -> None:
    assert mean_of_runs(ARMS) == ARMS


def test_the_costs_are_told_in_words() -> None:
    """Without noise 0.66; at 1: (0.86 + 0.96) / 2; at 8: (0.66 + 0.70) / 2 and (0.90 + 1.10) / 2."""
    assert noise_insight(noise_costs(NOISE_ARMS)) == (
        "At ε 1 distributed noise costs 0.25 points of share error, local noise leaves no model; "
        "at ε 8 distributed noise costs 0.02 points, local noise costs 0.34 points. "
        "Distributed noise beats local noise at every epsilon."
    )


@pytest.mark.parametrize(
    ("distributed", "local", "told"),
    [
        (0.66, 0.60, "costs nothing, local noise costs nothing"),
        (math.nan, 0.70, "leaves no model, local noise costs 0.04 points of share error"),
        (math.nan, math.nan, "leaves no model, local noise leaves no model"),
    ],
)
def test_what_local_noise_wins_is_told_as_well(distributed: float, local: float, told: str) -> None:
    arms = (*ARMS[:4], *noised("local", 3.0, local), *noised("distributed", 3.0, distributed))

    assert noise_insight(noise_costs(arms)) == (
        f"At ε 3 distributed noise {told}. Distributed noise does not beat local noise."
    )


def test_points_stand_at_the_logarithm_of_epsilon_and_at_their_share_error() -> None:
    """The square root of 8 is half-way from 1 to 8; 0.91 is 2.5 times as far above 0.66 as 0.76 is."""
    arms = (*NOISE_ARMS, *noised("distributed", math.sqrt(8.0), 0.76))
    figure = figures.noise_figure(replace(FULL, arms=arms))
    left, middle, right = (mark_at(figure, name) for name in ("1", "2.82843", "8"))
    lines = [item for item in drawn(figure, "line") if item.get("stroke-dasharray") == "4 3"]
    level = number(lines[1], "y1")  # after the legend's

    half_way = (number(left, "cx") + number(right, "cx")) / 2
    assert number(middle, "cx") == pytest.approx(half_way, abs=0.1)
    above = level - number(left, "cy"), level - number(middle, "cy")
    assert above[0] / above[1] == pytest.approx(2.5, rel=0.03)


def test_what_left_no_model_is_a_cross_that_says_why() -> None:
    crosses = [item for item in drawn(figures.noise_figure(NOISE), "path") if hint_of(item)]

    assert [hint_of(item) for item in crosses] == 2 * [
        "local noise, epsilon 1: the noise hides every count below about 600 units"
    ]
    assert "cross" not in figures.noise_figure(FULL).how_to_read
    assert "A cross" in figures.noise_figure(NOISE).how_to_read


def test_the_table_has_a_row_for_every_noise_by_epsilon() -> None:
    rows = [list(map(plain, row)) for row in figures.noise_figure(NOISE).table.text_rows()]

    assert [row[:2] for row in rows] == [
        ["1", "local"],
        ["1", "distributed"],
        ["8", "local"],
        ["8", "distributed"],
    ]
    assert rows[0][2:] == ["no model", "", "", "", "", "", "", "0 of 2"]
    assert rows[3][2:] == ["0.68", "0.66", "0.70", "+0.02", "6.8 %", "7.1 %", "+1.0 %", "2"]


def test_the_report_has_a_section_only_where_noise_is_compared() -> None:
    assert "What noise costs" in Page(render(NOISE)).text
    assert "Distributed noise beats local noise at every epsilon." in Page(render(NOISE)).text
    assert "What noise costs" not in Page(render(FULL)).text


def test_runs_are_not_columns_of_the_error_table() -> None:
    names = [column.name for column in figures.channel_errors_table(NOISE).columns]

    assert names == ["Error", *(row.name for row in ways_of_training(NOISE_ARMS))]


def test_with_more_than_six_ways_of_training_errors_have_one_column_per_channel() -> None:
    many = replace(NOISE, arms=(*NOISE_ARMS, *noised("central", 8.0, 0.7)))
    table = figures.channel_errors_table(many)

    assert [column.name for column in table.columns] == [
        "Error",
        "tv",
        "search",
        "social",
        "display",
        "outdoor",
    ]
    assert [row[0] for row in table.rows] == [row.name for row in ways_of_training(many.arms)]
    assert list(map(plain, table.text_rows()[0])) == ["Centralised", "+6 %", "-6 %", "+6 %", "-6 %", "+6 %"]


def mark_at(figure: figures.Figure, epsilon: str) -> Element:
    """The mark of distributed noise in the picture of share errors."""
    start = f"distributed noise, epsilon {epsilon}:"
    return next(item for item in drawn(figure, "circle") if hint_of(item).startswith(start))


def hint_of(item: Element) -> str:
    return item.findtext(f"{SVG}title") or ""
