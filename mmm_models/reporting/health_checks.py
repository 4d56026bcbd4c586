"""What should make a reader look twice before acting on a model, as pass, review or fail with advice."""

import math
from collections.abc import Iterator

from mmm_models.experiments.contradiction import CONTRADICTION
from mmm_models.reporting.figure_fit import median_bucket, r2_counts
from mmm_models.reporting.figure_training import late_change, missing_silos, training_curve
from mmm_models.reporting.health import Health, HealthCheck
from mmm_models.reporting.number_format import decimal, percent
from mmm_models.reporting.report_input import PrivacyBox, ReportInput, RoundPoint
from mmm_models.reporting.report_words import join_some, join_words, largest, outcome_word
from mmm_models.reporting.spending_checks import spending_checks
from mmm_models.results import ChannelResult, ExperimentCheck, Finding, HoldoutFit

__all__ = ["Health", "HealthCheck", "health_checks"]

HIGHEST_PLAUSIBLE_ROI = 20.0
HIGHEST_PLAUSIBLE_MEDIA_SHARE = 0.6
DOMINANT_SHARE_OF_MEDIA = 0.5
SETTLED = 0.05
WEAK_EPSILON = 10.0


def health_checks(report: ReportInput) -> tuple[HealthCheck, ...]:
    """Every check that the report's contents allow."""
    results = report.results
    return (
        _media_share(results.media_share, outcome_word(results)),
        _plausible_roi([channel for channel in results.channels if channel.spend > 0]),
        *_dominance(report),
        *_findings(results.findings),
        *_experiments(results.experiments),
        *(spending_checks(report.explained, results.findings) if report.explained else ()),
        _prediction(results.holdout),
        *_training(report.rounds),
        *_privacy(report.privacy),
    )


def _media_share(share: float, word: str) -> HealthCheck:
    name = "Media share"
    if not math.isfinite(share):
        return HealthCheck(name, Health.FAIL, "Not a number.", "Check the data for weeks without outcome.")
    finding = f"Media explain {percent(share)} of {word}."
    if share <= 0:
        return HealthCheck(
            name, Health.FAIL, finding, "The model found no media effect: check spend and history."
        )
    if share > HIGHEST_PLAUSIBLE_MEDIA_SHARE:
        advice = "More than 60 % is rare: look for missing controls (price, season, distribution)."
        return HealthCheck(name, Health.REVIEW, finding, advice)
    return HealthCheck(name, Health.PASS, finding)


def _plausible_roi(paid: list[ChannelResult]) -> HealthCheck:
    name = "ROI"
    if not paid:
        return HealthCheck(name, Health.REVIEW, "No channel has spend.", "Give spend to see returns.")
    odd = [row for row in paid if not 0 < row.roi <= HIGHEST_PLAUSIBLE_ROI]
    if not odd:
        low, high = min(row.roi for row in paid), max(row.roi for row in paid)
        return HealthCheck(name, Health.PASS, f"Between {decimal(low)} and {decimal(high)}: plausible.")
    named = join_words([f"{row.channel} ({decimal(row.roi)})" for row in odd[:4]])
    more = f" and {len(odd) - 4} more" if len(odd) > 4 else ""
    advice = "Zero or above 20 is rarely real: check the unit of spend, and test the channel by experiment."
    worst = Health.FAIL if len(odd) == len(paid) else Health.REVIEW
    return HealthCheck(name, worst, f"Implausible for {named}{more}.", advice)


def _dominance(report: ReportInput) -> Iterator[HealthCheck]:
    most, share = largest(report.results), report.results.media_share
    if most is None or len(report.results.channels) < 3 or not share > 0:
        return
    finding = f"{most.channel} holds {percent(most.share / share, 0)} of what media contributed."
    if most.share / share <= DOMINANT_SHARE_OF_MEDIA:
        yield HealthCheck("Balance", Health.PASS, finding)
        return
    advice = "One channel above half may stand in for something else: is its spend following demand?"
    yield HealthCheck("Balance", Health.REVIEW, finding, advice)


def _findings(findings: tuple[Finding, ...]) -> Iterator[HealthCheck]:
    """As grave as the gravest; contradictions have a check of their own."""
    found = [finding for finding in findings if finding.code != CONTRADICTION]
    if not found:
        return
    name, serious = "Identification", [finding for finding in found if finding.severity != "note"]
    if not serious:
        yield HealthCheck(name, Health.PASS, "The data can tell what was asked; notes say how to read it.")
        return
    worst = Health.FAIL if any(finding.severity == "fail" for finding in serious) else Health.REVIEW
    channels = tuple(dict.fromkeys(channel for finding in serious for channel in finding.channels))
    about = f" about {join_some(channels)}" if channels else ""
    said = "1 finding says" if len(serious) == 1 else f"{len(serious)} findings say"
    advice = "Read “What the data cannot tell” before these numbers are used."
    yield HealthCheck(name, worst, f"{said} what the data cannot tell{about}.", advice)


def _experiments(checks: tuple[ExperimentCheck, ...]) -> Iterator[HealthCheck]:
    """A contradiction is to be looked into; one that the model was not even fitted to makes its number wrong."""
    if not checks:
        return
    name, apart = "Experiments", [check for check in checks if not check.agrees]
    if not apart:
        yield HealthCheck(name, Health.PASS, "Experiments and the model without them agree.")
        return
    channels = join_some(tuple(dict.fromkeys(check.channel for check in apart)))
    if unused := [check for check in apart if not check.used]:
        channels = join_some(tuple(dict.fromkeys(check.channel for check in unused)))
        advice = "Calibrate the model with the experiment, or find out what is wrong with it."
        yield HealthCheck(
            name, Health.FAIL, f"Contradict the model's {channels}, which ignores them.", advice
        )
        return
    finding = f"Contradict what the model says of {channels} without them; it was calibrated with them."
    advice = "Check weeks, units and change of the experiment; if they are right, trust it and repeat it."
    yield HealthCheck(name, Health.REVIEW, finding, advice)


def _prediction(holdout: HoldoutFit) -> HealthCheck:
    name, middle = "Prediction", median_bucket(r2_counts(holdout))
    if middle is None:
        finding = f"Hold-out nRMSE {percent(holdout.nrmse)}; R² by unit was not released."
        return HealthCheck(name, Health.REVIEW, finding, "Compare with a run that releases it.")
    if middle == 0:
        advice = "Look for breaks in the held-out weeks, missing controls, or too few weeks."
        return HealthCheck(name, Health.FAIL, "The median unit's hold-out R² is below 0.", advice)
    if middle == 1:
        advice = "Units may be noisy by nature: compare with a seasonal forecast before blaming the model."
        return HealthCheck(name, Health.REVIEW, "The median unit's hold-out R² is below 0.2.", advice)
    return HealthCheck(name, Health.PASS, "The median unit is predicted better than by its own average.")


def _training(rounds: tuple[RoundPoint, ...]) -> Iterator[HealthCheck]:
    curve = training_curve(rounds)
    change = late_change(curve)
    if math.isfinite(change):
        finding = (
            f"The last quarter of the rounds brought {percent(change, 0)} of the change in {curve.name}."
        )
        advice = (
            "" if change <= SETTLED else "It had not settled: train for more rounds, or with a smaller step."
        )
        health = Health.PASS if change <= SETTLED else Health.REVIEW
        yield HealthCheck("Convergence", health, finding, advice)
    missed = missing_silos(rounds)
    if missed:
        finding = f"A silo was missing in {len(missed)} of {len(rounds)} rounds."
        yield HealthCheck("Silos", Health.REVIEW, finding, "Silos that miss rounds weigh less in the result.")
    elif rounds:
        yield HealthCheck("Silos", Health.PASS, "Every silo answered in every round.")


def _privacy(box: PrivacyBox | None) -> Iterator[HealthCheck]:
    if box is None or box.epsilon is None:
        return
    finding = f"Epsilon {decimal(box.epsilon)} per unit."
    if box.epsilon <= WEAK_EPSILON:
        yield HealthCheck("Privacy", Health.PASS, finding)
        return
    yield HealthCheck(
        "Privacy", Health.REVIEW, finding, "Above 10 the guarantee is weak: lower the target epsilon."
    )
