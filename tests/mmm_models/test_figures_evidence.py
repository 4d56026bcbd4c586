"""Findings, experiments and other families of models: what they say beside the numbers."""

import math
from dataclasses import replace
from typing import Literal

import pytest

from mmm_models.reporting import figures
from mmm_models.reporting.finding_lines import findings_insight
from mmm_models.reporting.noise_costs import families, noise_costs, ways_of_training
from mmm_models.reporting.report_words import model_summary
from mmm_models.results import ExperimentCheck, Finding, Results
from tests.mmm_models.report_samples import (
    ARMS,
    EXPERIMENTS,
    FAMILIES,
    FINDINGS,
    FULL,
    NOISE,
    RESULTS,
    SURE,
    arm,
)
from tests.mmm_models.test_figures import hinted, number, plain


def finding(severity: Literal["note", "review", "fail"], *channels: str) -> Finding:
    return replace(FINDINGS[0], severity=severity, channels=channels)


def found(*findings: Finding) -> Results:
    return replace(RESULTS, findings=findings)


@pytest.mark.parametrize(
    ("results", "sentence"),
    [
        (found(), "Nothing was found that the data cannot tell."),
        (
            found(finding("note", "tv"), finding("note")),
            "Nothing stands against these numbers; 2 notes on how to read them.",
        ),
        (
            found(finding("review", "tv", "social"), finding("review", "social"), finding("note", "search")),
            "Read tv and social with care: 2 findings to look into.",
        ),
        (
            found(finding("fail", "tv"), finding("review", "search")),
            "Read tv and search with care: 2 findings to look into, 1 of them before any number is used.",
        ),
        (
            found(finding("review", "tv"), finding("review")),  # one without channels is about all of them
            "Read every channel with care: 2 findings to look into.",
        ),
    ],
)
def test_findings_are_summed_up_by_whom_they_concern(results: Results, sentence: str) -> None:
    assert findings_insight(results) == sentence


def check(*, agrees: bool = True, used: bool = True, channel: str = "tv") -> ExperimentCheck:
    return replace(EXPERIMENTS[0], agrees=agrees, used=used, channel=channel)


@pytest.mark.parametrize(
    ("checks", "sentence"),
    [
        (
            (check(),),
            "The experiment agrees with what the model says without it. "
            "The numbers on this page are calibrated with it.",
        ),
        (
            (check(used=False), check()),
            "Both experiments agree with what the model says without them. "
            "The numbers on this page are calibrated with 1 of them.",
        ),
        (
            (check(agrees=False, used=False),),
            "For tv, the experiment contradicts what the model says without it. "
            "The numbers on this page are not calibrated with it.",
        ),
        (
            (check(agrees=False, channel="search"), check(agrees=False), check()),
            "For search and tv, 2 of 3 experiments contradict what the model says without them. "
            "The numbers on this page are calibrated with them.",
        ),
    ],
)
def test_experiments_agree_or_contradict_in_words(checks: tuple[ExperimentCheck, ...], sentence: str) -> None:
    results = replace(RESULTS, experiments=checks)

    assert figures.experiments_figure(replace(FULL, results=results)).insight == sentence


def test_what_was_measured_and_what_the_model_says_share_a_scale() -> None:
    """search: measured 12 000 +- 1 500, the model 11 000 before and 11 800 after."""
    figure = figures.experiments_figure(SURE)
    measured = hinted(figure, "rect", "search: measured")
    before = hinted(figure, "circle", "search: the model without it")
    after = hinted(figure, "circle", "search: the model with it")

    per_euro = (number(after, "cx") - number(before, "cx")) / 800
    assert number(measured, "x") + 4 - number(before, "cx") == pytest.approx(1_000 * per_euro, abs=0.5)


def test_every_experiment_is_a_row_and_its_channel_is_named_once() -> None:
    rows = figures.experiments_figure(SURE).table.text_rows()

    assert [list(map(plain, row)) for row in rows] == [
        ["search", "geo test, spring", "12.0 k", "1.50 k", "11.0 k", "3.00 k", "11.8 k", "agree"],
        ["display", "switched off in April", "2.00 k", "900", "9.00 k", "1.50 k", "3.00 k", "contradict"],
    ]


def test_an_experiment_without_a_source_is_called_by_its_first_day() -> None:
    unnamed = replace(check(), source="tv from 2024-03-04")
    figure = figures.experiments_figure(replace(FULL, results=replace(RESULTS, experiments=(unnamed,))))

    assert figure.table.text_rows()[0][:2] == ["tv", "from 2024-03-04"]


def test_an_experiment_that_was_not_used_has_no_number_after() -> None:
    results = replace(RESULTS, experiments=(check(used=False),))
    figure = figures.experiments_figure(replace(FULL, results=results))

    assert figure.table.text_rows()[0][6] == "not used"
    assert "the model with it" not in figure.svg


def test_a_model_without_uncertainty_is_drawn_beside_an_experiment() -> None:
    bare = replace(check(), before_sd=math.nan)
    figure = figures.experiments_figure(replace(FULL, results=replace(RESULTS, experiments=(bare,))))

    assert figure.table.text_rows()[0][5] == "n/a"
    assert "nan" not in figure.svg


def test_families_stand_beside_the_reports_own() -> None:
    figure = figures.families_figure(FAMILIES)

    assert [row[0] for row in figure.table.rows] == ["neural", "ridge", "boosting"]
    assert plain(figure.insight) == (
        "neural is closest to the truth, 0.63 points of share off; ridge predicts held-out weeks best "
        "(nRMSE 6.8 %) and is 1.50 points off."
    )
    names = [column.name for column in figure.table.columns]
    assert plain(figure.table.text_rows()[0][names.index("Intervals hold truth")]) == "80 %"
    assert figure.table.text_rows()[1][names.index("Intervals hold truth")] == "n/a"
    assert [column.name for column in figures.family_errors_table(FAMILIES).columns[1:]] == [
        "neural",
        "ridge",
        "boosting",
    ]


def test_one_family_can_be_best_at_both() -> None:
    report = replace(FULL, arms=(ARMS[0], replace(arm("ridge", 1.5, 0.08), model="ridge")))

    assert plain(figures.families_figure(report).insight) == (
        "neural is closest to the truth, 0.63 points of share off, and predicts held-out weeks best (nRMSE 7.0 %)."
    )


def test_other_families_are_no_ways_of_training_and_no_reference_for_noise() -> None:
    ridge = replace(arm("ridge", 9.0, 0.9), model="ridge")
    with_ridge = (*NOISE.arms, ridge)

    assert families(NOISE.arms) == ()
    assert [row.name for row in families(with_ridge)] == ["Centralised", "ridge"]
    assert [row.name for row in ways_of_training(with_ridge)] == [
        row.name for row in ways_of_training(NOISE.arms)
    ]
    assert noise_costs(with_ridge) == noise_costs(NOISE.arms)


def test_coverage_is_a_column_only_where_it_is_known() -> None:
    assert "Intervals hold truth" not in [column.name for column in figures.arms_table(FULL).columns]
    assert "Intervals hold truth" in [column.name for column in figures.arms_table(FAMILIES).columns]


def test_a_model_is_called_by_its_name_and_what_it_is() -> None:
    assert model_summary(replace(RESULTS, model="ridge")).startswith("ridge (ridge regression")
    assert model_summary(replace(RESULTS, model="of my own")) == "of my own"
