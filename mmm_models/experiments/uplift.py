"""What a randomised treatment changed, on average, by segment, and how well what was known before tells for whom.

Effects are doubly robust means by econml: outcome models on the covariates narrow the errors, and because treatment
was randomised the result is unbiased even where they are wrong [Robins and Rotnitzky 1995; Lin 2013].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmm_models.experiments.balance import Balance, check_balance
from mmm_models.experiments.trial import LEAST_PEOPLE, Trial

MOST_RANKED = 200_000  # people: the ranking's errors need tables of people times percentiles
_FOLDS = 5
_SEED = 1

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """Mean change of the outcome per person, in its own units, and the standard error; NaN where too few people are."""

    people: int
    effect: float
    standard_error: float


@dataclass(frozen=True)
class SegmentUplift:
    """The effect on one segment's people."""

    segment: str
    effect: Effect


@dataclass(frozen=True)
class Uplift:
    """Everything a trial says.

    `unadjusted` is the plain difference of means, `average` the same with covariates. `qini` is the area between the
    gain of treating those first for whom the largest effect is foretold and that of treating at random, per person in
    outcome units, on people that the foretelling did not see; its effect is NaN without covariates.
    """

    treated: int
    control: int
    unadjusted: Effect
    average: Effect
    segments: tuple[SegmentUplift, ...]
    qini: Effect
    balance: Balance


def measure_uplift(trial: Trial) -> Uplift:
    """The trial's effects; the same trial always gives the same."""
    treated, control = trial.people
    return Uplift(
        treated,
        control,
        _difference(trial),
        _average(trial),
        tuple(_of_segment(trial, name) for name in trial.segments),
        _qini(trial),
        check_balance(trial),
    )


def _difference(trial: Trial) -> Effect:
    """Of means, with their own variances [Neyman 1923]."""
    groups = [trial.outcome[trial.treated], trial.outcome[~trial.treated]]
    variance = sum(float(group.var(ddof=1)) / len(group) for group in groups)
    return Effect(len(trial.outcome), float(groups[0].mean() - groups[1].mean()), math.sqrt(variance))


def _average(trial: Trial) -> Effect:
    if not trial.covariate_names:
        return _difference(trial)
    learner = _learner()
    learner.fit(trial.outcome, trial.treated.astype(np.int64), W=_standard(trial.covariates))
    found = learner.intercept__inference(T=1)
    return Effect(len(trial.outcome), float(found.point_estimate), float(found.stderr))


def _of_segment(trial: Trial, name: str) -> SegmentUplift:
    """Its people alone: an effect that no other segment's outcomes move."""
    inside = trial.segment == name
    treated = int((inside & trial.treated).sum())
    if min(treated, int(inside.sum()) - treated) < LEAST_PEOPLE:
        return SegmentUplift(name, Effect(int(inside.sum()), math.nan, math.nan))
    covariates = trial.covariates[inside]
    varies = np.ptp(covariates, axis=0) > 0
    names = tuple(column for column, kept in zip(trial.covariate_names, varies, strict=True) if kept)
    own = Trial(
        trial.treated[inside], trial.outcome[inside], covariates[:, varies], names, trial.segment[inside]
    )
    return SegmentUplift(name, _average(own))


def _qini(trial: Trial) -> Effect:
    """Half of the people, at random, teach for whom the effect is large; the other half judge it.

    [Radcliffe 2007; Imai and Li 2023, "Experimental Evaluation of Individualized Treatment Rules"]
    """
    if not trial.covariate_names:
        return Effect(0, math.nan, math.nan)
    from econml.validate import DRTester

    chosen = np.random.default_rng(_SEED).permutation(len(trial.outcome))[:MOST_RANKED]
    learn, judge = chosen[: len(chosen) // 2], chosen[len(chosen) // 2 :]
    known, treated = _standard(trial.covariates), trial.treated.astype(np.int64)
    learner = _ranking_learner().fit(trial.outcome[learn], treated[learn], X=known[learn])
    tester = DRTester(model_regression=_regression(), model_propensity=_propensity(), cate=learner, cv=_FOLDS)
    tester.fit_nuisance(
        known[judge], treated[judge], trial.outcome[judge], known[learn], treated[learn], trial.outcome[learn]
    )
    # One draw: its bands around the curve are not shown, and take memory of people times draws.
    found = tester.evaluate_uplift(known[judge], known[learn], metric="qini", n_bootstrap=1)
    return Effect(len(judge), float(found.params[0]), float(found.errs[0]))


def _learner() -> Any:
    from econml.dr import LinearDRLearner

    return LinearDRLearner(
        model_regression=_regression(), model_propensity=_propensity(), cv=_FOLDS, random_state=_SEED
    )


def _ranking_learner() -> Any:
    """Penalised: here only the order of people counts, and columns may say the same twice."""
    from econml.dr import DRLearner

    return DRLearner(
        model_regression=_regression(),
        model_propensity=_propensity(),
        model_final=_regression(),
        cv=_FOLDS,
        random_state=_SEED,
    )


def _regression() -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=1.0)


def _propensity() -> Any:
    """Treatment was randomised: everybody's chance of it is the share that got it."""
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy="prior")


def _standard(columns: Array) -> Array:
    """Mean 0 and standard deviation 1, so that one penalty suits all."""
    return np.asarray((columns - columns.mean(axis=0)) / columns.std(axis=0))
