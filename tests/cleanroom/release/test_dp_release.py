"""dp mode: what is bounded, what is charged, what appears; noise made small where a number is to be read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.errors import QueryRefused
from cleanroom.release.contribution_table import contribution_table
from cleanroom.release.dp_budget import expected_noise, set_budgets
from cleanroom.release.dp_contributions import cell_sums
from cleanroom.release.release_terms import KeyTerms, ReleaseTerms
from cleanroom.rules.analysis_rule import Mode
from privacy.mechanisms import key_threshold, price_of_integers
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
ALMOST_NO_NOISE = 10_000.0  # of epsilon: noise of a scale that rounds to nothing


def _dp(
    terms: ReleaseTerms, *, epsilon: float = ALMOST_NO_NOISE, max_groups: int = 2, max_rows: int = 5
) -> ReleaseTerms:
    return replace(terms, mode=Mode.DP, epsilon=epsilon, delta=1e-6, max_groups=max_groups, max_rows=max_rows)


def test_public_keys_all_appear_those_without_people_too() -> None:
    terms = _dp(terms_of(keys=[KeyTerms(public_values=("a", "b"))]))
    lines = [Line(i, keys=("a",)) for i in range(3)] + [Line(9, keys=("unlisted",)), Line(8, keys=(None,))]
    assert [(cell.keys, cell.values) for cell in release(lines, terms).cells] == [
        (("a",), (3,)),
        (("b",), (0,)),
    ]


def test_the_grand_total_appears_even_over_nobody() -> None:
    assert release([], _dp(terms_of())).cells[0].values == (0,)


def test_rare_keys_stay_hidden_and_common_ones_appear() -> None:
    terms = _dp(terms_of([EVERYBODY], keys=[KeyTerms()]), epsilon=1.0)
    least = expected_noise(terms)[0].key_threshold
    lines = [Line(i, keys=("common",)) for i in range(3 * least)] + [Line(0, keys=("solo",))]
    assert [cell.keys for cell in release(lines, terms).cells] == [("common",)]


def test_counts_sums_and_means_are_right_but_for_the_noise() -> None:
    lines = [Line(i, values=(2, 10.25, 10.25), rows=(None, None, 2)) for i in range(40)]
    (cell,) = release(lines, _dp(terms_of([ROWS, SPEND, MEAN]))).cells
    assert cell.values[0] == 80
    assert cell.values[1] == pytest.approx(410, abs=100)
    assert cell.values[2] == pytest.approx(410 / 80, abs=2)


def test_sums_are_whole_multiples_of_their_step() -> None:
    lines = [Line(i, values=(1 / 3,)) for i in range(100)]
    value = release(lines, _dp(terms_of([SPEND]), epsilon=1.0)).cells[0].values[0]
    assert value is not None
    assert round(value, 2) == value


def test_counts_do_not_go_below_zero() -> None:
    terms = _dp(terms_of([ROWS], keys=[KeyTerms(public_values=tuple(map(str, range(50))))]), epsilon=0.1)
    values = [cell.values[0] for cell in release([], terms).cells]
    assert len(values) == 50
    assert min(value for value in values if value is not None) == 0


def test_a_person_counts_in_few_cells_with_few_rows_and_a_bounded_sum() -> None:
    terms = _dp(terms_of([ROWS, SPEND], keys=[KeyTerms()]), max_groups=2, max_rows=5)
    lines = [Line(7, values=(100, 1e9), keys=(f"cell {n}",)) for n in range(10)]
    history = new_history()
    with contribution_table(contributions(lines, terms), "SELECT * FROM lines", terms, history) as table:
        cells = cell_sums(table, set_budgets(terms)[0], history)
    assert [(cell.people, cell.sums) for cell in cells] == [(1, (5, 100_000))] * 2  # 1000.00 in hundredths


def test_one_person_more_changes_nobody_elses_cells() -> None:
    terms = _dp(terms_of([ROWS], keys=[KeyTerms()]), max_groups=2, max_rows=5)
    history = new_history()

    def sums(people: range) -> dict[tuple[object, ...], int]:
        lines = [Line(i, values=(3,), keys=(f"cell {n}",)) for i in people for n in range(8)]
        with contribution_table(contributions(lines, terms), "SELECT * FROM lines", terms, history) as table:
            return {cell.keys: cell.sums[0] for cell in cell_sums(table, set_budgets(terms)[0], history)}

    without, with_one = sums(range(20)), sums(range(21))
    changes = [with_one[key] - without.get(key, 0) for key in with_one]
    assert sorted(changes)[-2:] == [3, 3]
    assert sum(map(abs, changes)) == 6


def test_shadow_rows_add_nothing() -> None:
    lines = [Line(i) for i in range(30)] + [Line(100 + i, shadow=True) for i in range(30)]
    assert release(lines, _dp(terms_of())).cells[0].values == (30,)


def test_no_number_is_withheld_and_no_history_kept() -> None:
    outcome = release([Line(i) for i in range(3)], _dp(terms_of()))
    assert outcome.cells[0].values == (3,)
    assert outcome.history.room_left() == {}
    assert outcome.diagnosis.withheld == ()


def test_shares_add_up_to_the_budget() -> None:
    # Set (0,): keys found, whose count is the measure of everybody; a sum; a mean, which is two: 4. Set (): 1 + 1 + 2.
    terms = _dp(terms_of([EVERYBODY, SPEND, MEAN], keys=[KeyTerms()], grouping_sets=[(0,), ()]), epsilon=2.0)
    of_keys, of_total = set_budgets(terms)
    assert (of_keys.epsilon, of_keys.delta, of_keys.max_groups) == (0.25, 1e-6, 2)
    assert (of_total.epsilon, of_total.delta, of_total.max_groups) == (0.25, 0.0, 1)


def test_a_count_with_a_condition_of_its_own_is_paid_for_beside_the_keys() -> None:
    terms = _dp(terms_of([PEOPLE], keys=[KeyTerms()]), epsilon=1.0)
    assert set_budgets(terms)[0].epsilon == 0.5


def test_the_expected_noise_is_that_of_its_price() -> None:
    terms = _dp(terms_of([EVERYBODY, SPEND], keys=[KeyTerms()]), epsilon=1.0)
    (noise,) = expected_noise(terms)
    assert noise.key_threshold == key_threshold(max_groups=2, max_count=1, epsilon=0.5, delta=1e-6).threshold
    # Laplace of scale b = 2 * 1000.00 / 0.5 = 4000: sd b * sqrt(2), and P(|x| > w) = exp(-w / b) = 0.05.
    assert noise.measures[1].standard_deviation == pytest.approx(4000 * 2**0.5, rel=1e-3)
    assert noise.measures[1].half_width_95 == pytest.approx(4000 * 2.9957, rel=1e-3)
    assert price_of_integers(400_000.0, 200_000) == pytest.approx(0.5)


def test_too_many_public_cells_are_refused_before_data_are_touched() -> None:
    many = KeyTerms(public_values=tuple(map(str, range(1000))))
    with pytest.raises(QueryRefused):
        release([], _dp(terms_of(keys=[many, many])))


@pytest.mark.parametrize("odd", [float("inf"), float("-inf"), float("nan")])
def test_numbers_that_are_none_raise_nothing(odd: float) -> None:
    assert len(release([Line(0, values=(odd,))], _dp(terms_of([SPEND]))).cells) == 1
