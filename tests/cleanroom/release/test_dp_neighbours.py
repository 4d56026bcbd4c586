"""Neighbouring tables through the whole of dp mode, with the noise taken off: what one person changes is what is paid.

The two functions that add noise are replaced by ones that write down what they were given and add nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanroom.release import dp_release
from cleanroom.release.contribution_table import contribution_table
from cleanroom.release.dp_budget import bound_in_steps, set_budgets
from cleanroom.release.dp_contributions import CellSums, cell_sums
from cleanroom.release.release_terms import KeyTerms, MeasureFunction, MeasureTerms, ReleaseTerms
from cleanroom.rules.analysis_rule import Mode
from tests.cleanroom.release.contribution_rows import (
    MEAN,
    PEOPLE,
    ROWS,
    SPEND,
    Line,
    contributions,
    new_history,
    release,
    terms_of,
)

EVERYBODY = replace(PEOPLE, everybody=True)
WHOLE = MeasureTerms(MeasureFunction.SUM, "rows", bound=5.0, decimals=0)
SHARE = MeasureTerms(MeasureFunction.SUM, "shares", bound=5.0, decimals=6)
REFERENCES = MeasureTerms(MeasureFunction.COUNT_REFERENCES, "rows in 10^0")
KINDS = (EVERYBODY, PEOPLE, ROWS, REFERENCES, WHOLE, SHARE, SPEND, MEAN)
PUBLIC = ("a", "b")


@dataclass(frozen=True)
class _Numbers:
    values: tuple[int, ...]
    sensitivity: int
    epsilon: float


@dataclass(frozen=True)
class _Keys:
    counts: Mapping[str, int]
    max_groups: int
    max_count: int
    epsilon: float
    delta: float


@dataclass
class _Written:
    numbers: list[_Numbers] = field(default_factory=list)
    keys: list[_Keys] = field(default_factory=list)


def _before_noise(lines: Sequence[Line], terms: ReleaseTerms, patch: pytest.MonkeyPatch) -> _Written:
    written = _Written()

    def integers(values: Sequence[int], *, l1_sensitivity: int, epsilon: float) -> list[int]:
        written.numbers.append(_Numbers(tuple(values), l1_sensitivity, epsilon))
        return list(values)

    def keys(
        counts: Mapping[str, int], *, max_groups: int, max_count: int, epsilon: float, delta: float
    ) -> dict[str, int]:
        written.keys.append(_Keys(dict(counts), max_groups, max_count, epsilon, delta))
        return {name: counts[name] for name in sorted(counts)}

    patch.setattr(dp_release, "noisy_integers", integers)
    patch.setattr(dp_release, "noisy_key_counts", keys)
    release(lines, terms)
    return written


def _key() -> st.SearchStrategy[str | None]:
    return st.sampled_from(["a", "b", "c", "d", "e", "f", None])


@st.composite
def _persons(draw: st.DrawFn, measures: Sequence[MeasureTerms]) -> list[Line]:
    """One person's lines, unnumbered: at most one per cell of the grouping set, values small, huge, odd or missing."""
    lines = []
    for chosen in draw(st.sets(st.tuples(_key(), _key()), min_size=1, max_size=7)):
        values, rows = [], []
        for measure in measures:
            if measure.function is MeasureFunction.COUNT_PEOPLE:
                value: float | int | None = draw(st.sampled_from([1, 1, None]))
            elif measure.bound is None:
                value = draw(st.sampled_from([1, 3, 10**6, None]))
            else:
                value = draw(st.sampled_from([0.0, 0.125, 3.0, -7.5, 1e9, -1e9, float("nan"), None]))
            values.append(value)
            mean = measure.function is MeasureFunction.AVG and value is not None
            rows.append(draw(st.sampled_from([1, 4, 10**6])) if mean else None)
        lines.append(Line(0, tuple(values), chosen, rows=tuple(rows)))
    return lines


def _numbered(people: Sequence[Sequence[Line]]) -> list[Line]:
    return [replace(line, person=number) for number, lines in enumerate(people) for line in lines]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_person_changes_no_more_than_the_sensitivity_that_is_paid_for(data: st.DataObject) -> None:
    measures = data.draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4, unique=True))
    public = data.draw(st.booleans())
    listed = [KeyTerms(public_values=PUBLIC if public else ()), KeyTerms(public_values=("a", "f"))]
    max_groups, max_rows = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    terms = replace(
        terms_of(measures, keys=listed, grouping_sets=[(0, 1)]),
        mode=Mode.DP, epsilon=2.0, delta=1e-6, max_groups=max_groups, max_rows=max_rows,
    )  # fmt: skip
    people = data.draw(st.lists(_persons(measures), min_size=1, max_size=5))
    with pytest.MonkeyPatch.context() as patch:
        many = _before_noise(_numbered(people), terms, patch)
        fewer = _before_noise(_numbered(people[:-1]), terms, patch)
    # The same mechanisms at the same price, whatever the data.
    assert [(one.sensitivity, one.epsilon) for one in many.numbers] == [
        (one.sensitivity, one.epsilon) for one in fewer.numbers
    ]
    spent = sum(one.epsilon for one in many.numbers) + sum(one.epsilon for one in many.keys)
    assert spent == pytest.approx(2.0)
    assert sum(one.delta for one in many.keys) == pytest.approx(0.0 if public else 1e-6)
    for one, other in zip(many.keys, fewer.keys, strict=True):
        names = {*one.counts, *other.counts}
        changed = [abs(one.counts.get(name, 0) - other.counts.get(name, 0)) for name in names]
        assert sum(change > 0 for change in changed) <= one.max_groups == max_groups
        assert max(changed, default=0) <= one.max_count == 1
    if public:  # the same cells in the same order on both sides
        for number, before in zip(many.numbers, fewer.numbers, strict=True):
            changed = [abs(a - b) for a, b in zip(number.values, before.values, strict=True)]
            assert sum(changed) <= number.sensitivity
            assert sum(change > 0 for change in changed) <= max_groups
            assert max(changed) <= number.sensitivity // max_groups


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_of_keys_that_must_be_found_sums_change_no_more_either(data: st.DataObject) -> None:
    measures = data.draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=3, unique=True))
    max_groups, max_rows = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    sets = [(0, 1), (0,), ()]
    terms = replace(
        terms_of(measures, keys=[KeyTerms(), KeyTerms()], grouping_sets=sets),
        mode=Mode.DP, epsilon=2.0, delta=1e-6, max_groups=max_groups, max_rows=max_rows,
    )  # fmt: skip
    people = data.draw(st.lists(_persons(measures), min_size=1, max_size=5))

    def sums(some: Sequence[Sequence[Line]], place: int) -> dict[tuple[object, ...], CellSums]:
        lines, history = _in_sets(_numbered(some), sets), new_history()
        with contribution_table(contributions(lines, terms), "SELECT * FROM lines", terms, history) as table:
            return {cell.keys: cell for cell in cell_sums(table, set_budgets(terms)[place], history)}

    for place, budget in enumerate(set_budgets(terms)):
        many, fewer = sums(people, place), sums(people[:-1], place)
        nothing = CellSums((), 0, (0,) * len(measures), (0,) * len(measures))
        pairs = [(many.get(keys, nothing), fewer.get(keys, nothing)) for keys in {*many, *fewer}]
        different = [(a, b) for a, b in pairs if (a.people, a.sums, a.rows) != (b.people, b.sums, b.rows)]
        assert len(different) <= budget.max_groups
        for index, measure in enumerate(measures):
            bound = bound_in_steps(measure, max_rows)
            assert all(abs(a.sums[index] - b.sums[index]) <= bound for a, b in different)
            assert all(abs(a.rows[index] - b.rows[index]) <= max_rows for a, b in different)


def _in_sets(lines: Sequence[Line], sets: Sequence[tuple[int, ...]]) -> list[Line]:
    """The lines of every grouping set: keys outside it rolled up, one line per person and cell."""
    found: dict[tuple[object, ...], Line] = {}
    for number, members in enumerate(sets):
        for line in lines:
            keys = tuple(key if index in members else None for index, key in enumerate(line.keys))
            found.setdefault((number, keys, line.person), replace(line, keys=keys, grouping_set=number))
    return list(found.values())


def test_who_has_no_value_adds_nothing_to_a_noised_sum() -> None:
    lines = [Line(i, values=(1, None)) for i in range(50)]
    terms = replace(terms_of([PEOPLE, SPEND]), mode=Mode.DP, epsilon=1.0, delta=1e-6)
    with pytest.MonkeyPatch.context() as patch:
        assert [one.values for one in _before_noise(lines, terms, patch).numbers] == [(50,), (0,)]
