"""How a release's epsilon and delta are divided among its noisy numbers, and what noise follows. No data anywhere."""

from __future__ import annotations

from dataclasses import dataclass

from cleanroom.release.release_terms import MeasureFunction, MeasureTerms, ReleaseTerms
from privacy.mechanisms import KeyThreshold, expected_error, key_threshold, laplace_scale


@dataclass(frozen=True)
class SetBudget:
    """The part of one grouping set. `epsilon` is for each of its mechanisms; `delta` for showing keys, if it does.

    max_groups: cells in which one person counts. finds_keys: whether keys must be found under noise.
    """

    grouping_set: int
    epsilon: float
    delta: float
    max_groups: int
    finds_keys: bool


@dataclass(frozen=True)
class MeasureNoise:
    """Noise of one measure, in its own unit; of an average, of the sum it divides, and of the count it divides by."""

    standard_deviation: float
    half_width_95: float
    rows_half_width_95: float = 0.0


@dataclass(frozen=True)
class SetNoise:
    """Noise in one grouping set's cells. `key_threshold`: the noisy count a cell needs to appear; 0: all appear."""

    grouping_set: int
    key_threshold: int
    measures: tuple[MeasureNoise, ...]


def set_budgets(terms: ReleaseTerms) -> tuple[SetBudget, ...]:
    """Even shares: of epsilon for each grouping set and in it for each mechanism, of delta for each that finds keys.

    Guarantee: the shares add up to the terms' epsilon and delta (basic composition), whatever the data.
    """
    sets = terms.grouping_sets
    finding = [any(not terms.keys[key].public_values for key in keys) for keys in sets]
    return tuple(
        SetBudget(
            index,
            epsilon=terms.epsilon / len(sets) / _mechanisms(terms, finding[index]),
            delta=terms.delta / sum(finding) if finding[index] else 0.0,
            max_groups=terms.max_groups if keys else 1,
            finds_keys=finding[index],
        )
        for index, keys in enumerate(sets)
    )


def expected_noise(terms: ReleaseTerms) -> tuple[SetNoise, ...]:
    """What noise a release would have, from its public terms alone. Raises InvalidSetting for unusable terms."""
    return tuple(_set_noise(terms, budget) for budget in set_budgets(terms))


def threshold_of(budget: SetBudget) -> KeyThreshold:
    """Noise and threshold under which a grouping set's keys are found."""
    return key_threshold(
        max_groups=budget.max_groups, max_count=1, epsilon=budget.epsilon, delta=budget.delta
    )


def bound_in_steps(measure: MeasureTerms, max_rows: int) -> int:
    """What one person may add to one cell, in whole steps: 1, a number of rows, or a bounded sum."""
    if measure.function is MeasureFunction.COUNT_PEOPLE:
        return 1
    if measure.function in (MeasureFunction.COUNT_ROWS, MeasureFunction.COUNT_REFERENCES):
        return max_rows
    return max(1, int(float(measure.bound or 0) * 10.0**measure.decimals + 1e-6))


def is_shown_by_keys(measure: MeasureTerms, budget: SetBudget) -> bool:
    """Whether the count that found the keys is this measure, so that it costs nothing more."""
    return budget.finds_keys and measure.everybody and measure.function is MeasureFunction.COUNT_PEOPLE


def _mechanisms(terms: ReleaseTerms, finds_keys: bool) -> int:
    counted = SetBudget(0, 0.0, 0.0, 1, finds_keys)
    own = [measure for measure in terms.measures if not is_shown_by_keys(measure, counted)]
    return finds_keys + len(own) + sum(measure.function is MeasureFunction.AVG for measure in own) or 1


def _set_noise(terms: ReleaseTerms, budget: SetBudget) -> SetNoise:
    keys = threshold_of(budget) if budget.finds_keys else KeyThreshold(0.0, 0)
    measures = tuple(_measure_noise(measure, budget, terms.max_rows, keys) for measure in terms.measures)
    return SetNoise(budget.grouping_set, keys.threshold, measures)


def _measure_noise(
    measure: MeasureTerms, budget: SetBudget, max_rows: int, keys: KeyThreshold
) -> MeasureNoise:
    if is_shown_by_keys(measure, budget):
        error = expected_error(keys.scale)
        return MeasureNoise(error.standard_deviation, error.half_width_95)
    error = expected_error(
        laplace_scale(budget.max_groups * bound_in_steps(measure, max_rows), budget.epsilon)
    )
    step = 10.0 ** -decimals_of(measure)
    rows = 0
    if measure.function is MeasureFunction.AVG:
        rows = expected_error(laplace_scale(budget.max_groups * max_rows, budget.epsilon)).half_width_95
    return MeasureNoise(error.standard_deviation * step, error.half_width_95 * step, float(rows))


def decimals_of(measure: MeasureTerms) -> int:
    """Digits after the point of what is released: none for counts."""
    return measure.decimals if measure.function in (MeasureFunction.SUM, MeasureFunction.AVG) else 0
