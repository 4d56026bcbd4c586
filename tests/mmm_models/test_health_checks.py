"""What a report warns about."""

from dataclasses import replace
from typing import Literal

import pytest

from mmm_models.reporting.health_checks import Health, health_checks
from mmm_models.reporting.report_input import ReportInput
from mmm_models.results import HoldoutFit
from tests.mmm_models.report_samples import (
    EXPERIMENTS,
    FINDINGS,
    FULL,
    HOLDOUT,
    NOTHING,
    PRIVACY,
    RESULTS,
    ROUNDS,
    SURE,
    with_channels,
)


def verdicts(report: ReportInput) -> dict[str, Health]:
    return {check.name: check.health for check in health_checks(report)}


def with_holdout(holdout: HoldoutFit) -> ReportInput:
    return replace(FULL, results=replace(RESULTS, holdout=holdout))


def test_a_sound_run_passes_everything() -> None:
    assert verdicts(FULL) == dict.fromkeys(
        ["Media share", "ROI", "Balance", "Prediction", "Convergence", "Silos", "Privacy"], Health.PASS
    )


@pytest.mark.parametrize(
    ("check", "report", "health"),
    [
        ("Media share", with_channels(FULL, {"tv": 300_000.0, "radio": 299_000.0}), Health.PASS),
        ("Media share", with_channels(FULL, {"tv": 300_000.0, "radio": 301_000.0}), Health.REVIEW),
        ("Media share", with_channels(FULL, {"tv": 0.0}), Health.FAIL),
        ("Media share", NOTHING, Health.FAIL),
        ("ROI", with_channels(FULL, {"tv": 500_000.0, "radio": 25_000.0}), Health.PASS),  # 500 / 25 = 20
        ("ROI", with_channels(FULL, {"tv": 501_000.0, "radio": 25_000.0}), Health.REVIEW),
        ("ROI", with_channels(FULL, {"tv": 0.0, "radio": 25_000.0}), Health.REVIEW),
        ("ROI", with_channels(FULL, {"tv": 0.0, "radio": 0.0}), Health.FAIL),
        ("ROI", with_channels(FULL, {"email": 5_000.0}, spend=0.0), Health.REVIEW),
        ("Balance", with_channels(FULL, {"a": 50.0, "b": 25.0, "c": 25.0}), Health.PASS),
        ("Balance", with_channels(FULL, {"a": 51.0, "b": 25.0, "c": 24.0}), Health.REVIEW),
        ("Prediction", with_holdout(replace(HOLDOUT, r2_counts=(60.0, 0, 0, 0, 0, 40.0))), Health.FAIL),
        ("Prediction", with_holdout(replace(HOLDOUT, r2_counts=(40.0, 20.0, 0, 0, 0, 40.0))), Health.REVIEW),
        ("Prediction", with_holdout(replace(HOLDOUT, r2_counts=(), per_unit=())), Health.REVIEW),
        ("Convergence", replace(FULL, rounds=ROUNDS[:4]), Health.REVIEW),
        ("Silos", replace(FULL, rounds=(replace(ROUNDS[0], silos=4), *ROUNDS[1:])), Health.REVIEW),
        ("Privacy", replace(FULL, privacy=replace(PRIVACY, epsilon=10.1)), Health.REVIEW),
    ],
)
def test_limits_are_where_they_are_said_to_be(check: str, report: ReportInput, health: Health) -> None:
    assert verdicts(report)[check] is health


def findings(*severities: Literal["note", "review", "fail"]) -> ReportInput:
    found = tuple(replace(FINDINGS[0], severity=severity) for severity in severities)
    return replace(FULL, results=replace(RESULTS, findings=found))


def experiments(*, agrees: bool, used: bool) -> ReportInput:
    check = replace(EXPERIMENTS[0], agrees=agrees, used=used)
    contradiction = replace(FINDINGS[0], code="contradiction", severity="review")
    found = () if agrees else (contradiction,)
    return replace(FULL, results=replace(RESULTS, experiments=(check,), findings=found))


@pytest.mark.parametrize(
    ("report", "health"),
    [
        (findings("note"), Health.PASS),
        (findings("note", "review"), Health.REVIEW),
        (findings("review", "fail", "note"), Health.FAIL),
    ],
)
def test_findings_weigh_as_much_as_the_gravest(report: ReportInput, health: Health) -> None:
    assert verdicts(report)["Identification"] is health


def test_findings_name_the_channels_they_are_about() -> None:
    (check,) = [check for check in health_checks(findings("review")) if check.name == "Identification"]

    assert check.finding == "1 finding says what the data cannot tell about display and social."


@pytest.mark.parametrize(
    ("report", "health"),
    [
        (experiments(agrees=True, used=True), Health.PASS),
        (experiments(agrees=True, used=False), Health.PASS),
        (experiments(agrees=False, used=True), Health.REVIEW),
        (experiments(agrees=False, used=False), Health.FAIL),
    ],
)
def test_a_contradicting_experiment_is_to_be_reviewed_and_fails_where_it_was_ignored(
    report: ReportInput, health: Health
) -> None:
    assert verdicts(report)["Experiments"] is health
    assert "Identification" not in verdicts(report)  # its finding is not counted a second time


def test_whatever_is_not_a_pass_comes_with_advice() -> None:
    sure = replace(SURE, rounds=ROUNDS[:4])
    bad = with_channels(sure, {"a": 900_000.0, "b": 0.0, "c": 1.0})

    checks = [check for check in health_checks(bad) if check.health is not Health.PASS]

    assert {"Identification", "Experiments", "ROI", "Convergence"} <= {check.name for check in checks}
    assert all(check.advice for check in checks)


def test_implausible_channels_are_named() -> None:
    (roi,) = [
        check
        for check in health_checks(with_channels(FULL, {"tv": 600_000.0, "radio": 9_000.0}))
        if check.name == "ROI"
    ]

    assert roi.finding == "Implausible for tv (24.00)."


def test_what_a_run_does_not_have_is_not_checked() -> None:
    assert verdicts(replace(FULL, rounds=(), privacy=None)).keys() == {
        "Media share",
        "ROI",
        "Balance",
        "Prediction",
    }
