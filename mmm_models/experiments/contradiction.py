"""Whether a model that saw no experiment and an experiment say the same of a channel. Never silent when they do not."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mmm_models.experiments.lift import LiftTest
from mmm_models.results import ExperimentCheck, Finding

CONTRADICTS_AT = 2.576  # |z| that chance alone exceeds one time in a hundred
CONTRADICTION, CALIBRATED, SOME_CONTRADICT = "contradiction", "calibrated", "experiments-contradict"
NOT_CALIBRATED = "not-calibrated"


@dataclass(frozen=True)
class ModelPrediction:
    """What the model says of one experiment's channel, weeks, units and change: before and after it is fitted to it.

    `before` and `before_sd` are mean and standard deviation without any experiment; `before_sd` is NaN or 0 where the
    model says none, which makes the comparison stricter. `after` is with all that were `used`.
    """

    before: float
    before_sd: float
    after: float
    used: bool = True


def compare_experiment(lift: LiftTest, prediction: ModelPrediction) -> ExperimentCheck:
    """The experiment beside the model; they agree when their difference is within `CONTRADICTS_AT` standard errors.

    Both are taken as independent and roughly normal: the variance of their difference is the sum of theirs.
    """
    return ExperimentCheck(
        channel=lift.channel,
        source=lift.name,
        lift=lift.lift,
        standard_error=lift.standard_error,
        before=prediction.before,
        before_sd=prediction.before_sd,
        after=prediction.after,
        used=prediction.used,
        agrees=abs(_distance(lift, prediction)) <= CONTRADICTS_AT,
    )


def contradictions(checks: Iterable[ExperimentCheck]) -> tuple[Finding, ...]:
    """One finding for each experiment that contradicts what the model said before it."""
    return tuple(_finding(check) for check in checks if not check.agrees)


def calibration_findings(experiments: int, contradicting: int, *, used: bool) -> tuple[Finding, ...]:
    """What a federated run may say of the silos' experiments, of which it knows the number alone.

    `used` is false where every step they would have counted in was lost.
    """
    if experiments <= 0 or not 0 <= contradicting <= experiments:
        text = f"The model was {'' if used else 'not '}calibrated with experiments of silos that are not in the report."
        return (
            Finding(
                CALIBRATED if used else NOT_CALIBRATED,
                "review",
                (),
                text,
                "Ask the silos for their experiments.json.",
            ),
        )
    are = "1 experiment" if experiments == 1 else f"{experiments} experiments"
    said = f"The model was calibrated with {are} of the silos"
    if not used:
        against = f"{contradicting or 'none'} of them {'contradict' if contradicting > 1 else 'contradicts'}"
        text = (
            f"The silos have {are}, but every sum by which they would have counted was lost: the model knows nothing "
            f"of them; {against} what it says."
        )
        return (Finding(NOT_CALIBRATED, "review", (), text, "Start a new run."),)
    if not contradicting:
        text = f"{said}; none contradicts what it said without them."
        advice = "Each silo's experiments.json has its own experiments beside the model."
        return (Finding(CALIBRATED, "note", (), text, advice),)
    text = f"{said}; {contradicting} of them contradict what it said without them, further apart than chance allows."
    advice = (
        "Ask the silos for their experiments.json, which names them, and check weeks, units and change; if those are "
        "right, other media or demand moved with the channel, and its numbers rest on the experiment."
    )
    return (Finding(SOME_CONTRADICT, "review", (), text, advice),)


def _distance(lift: LiftTest, prediction: ModelPrediction) -> float:
    """In standard errors of the difference, positive when the model says more."""
    own = prediction.before_sd if math.isfinite(prediction.before_sd) else 0.0
    return (prediction.before - lift.lift) / math.hypot(lift.standard_error, own)


def _finding(check: ExperimentCheck) -> Finding:
    more = "more" if check.before > check.lift else "less"
    text = (
        f"{check.source}: the experiment measured {check.lift:,.0f} (standard error {check.standard_error:,.0f}), the "
        f"model without it says {check.before:,.0f}: {more}, and further apart than both uncertainties allow"
    )
    settled = f" The fit now says {check.after:,.0f}." if check.used else " The fit did not use it."
    return Finding(
        code=CONTRADICTION,
        severity="review",
        channels=(check.channel,),
        text=text + "." + settled,
        advice=(
            "Check the experiment's weeks, units and what it changed; if they are right, other media or demand moved "
            "with this channel, and its other numbers rest on the experiment: run one more to be sure."
        ),
    )
