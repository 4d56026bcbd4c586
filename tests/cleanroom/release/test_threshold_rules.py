"""What one number must fulfil by itself, shown on hand-made contributions with k = 50."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cleanroom.release.release_terms import Cell, KeyTerms, MeasureFunction, MeasureTerms
from tests.cleanroom.release.contribution_rows import MEAN, PEOPLE, ROWS, SPEND, Line, release, terms_of

JOINED = MeasureTerms(MeasureFunction.COUNT_PEOPLE, "people", presence=(0,))


def test_fifty_people_are_released_and_forty_nine_are_not() -> None:
    lines = [Line(person, keys=("big",)) for person in range(50)]
    lines += [Line(person, keys=("small",)) for person in range(49)]
    assert release(lines, terms_of(keys=[KeyTerms()])).cells == (Cell(0, ("big",), (50,)),)


def test_small_empty_and_absent_groups_look_alike() -> None:
    small = release([Line(person) for person in range(49)], terms_of())
    empty = release([Line(person, values=(None,)) for person in range(200)], terms_of())
    absent = release([], terms_of())
    assert small.cells == empty.cells == absent.cells == ()


def test_many_rows_of_one_person_do_not_make_a_group() -> None:
    lines = [Line(0, values=(1, 500)), *(Line(person, values=(1, 1)) for person in range(1, 49))]
    assert release(lines, terms_of([PEOPLE, ROWS])).cells == ()


def test_each_measure_is_judged_by_its_own_contributors() -> None:
    lines = [Line(person, values=(1, 1 if person < 20 else None)) for person in range(100)]
    assert release(lines, terms_of([PEOPLE, PEOPLE])).cells == (Cell(0, (), (100, None)),)


def test_exact_counts_sums_and_means_when_nothing_is_clipped() -> None:
    # Person i has i % 4 + 1 orders that add up to 2 * i: 100 people, 25 * (1 + 2 + 3 + 4) = 250 orders, 9900 in all.
    lines = [
        Line(i, values=(1, i % 4 + 1, 2 * i, 2 * i), rows=(None, None, None, i % 4 + 1)) for i in range(100)
    ]
    (cell,) = release(lines, terms_of([PEOPLE, ROWS, SPEND, MEAN])).cells
    assert cell.values[:2] == (100, 250)
    assert cell.values[2:] == pytest.approx((9900, 9900 / 250))


def test_a_persons_sum_is_clipped_to_the_bound() -> None:
    lines = [Line(0, values=(1_000_000.0,)), *(Line(person, values=(500.0,)) for person in range(1, 100))]
    assert release(lines, terms_of([SPEND])).cells[0].values == pytest.approx((1000 + 99 * 500,))


def test_a_sum_that_one_person_dominates_is_withheld() -> None:
    lines = [Line(0, values=(1, 1000.0)), *(Line(person, values=(1, 10.0)) for person in range(1, 100))]
    assert release(lines, terms_of([PEOPLE, SPEND])).cells[0].values == (100, None)  # 1000 of 1990


def test_a_mean_of_one_persons_many_values_is_withheld() -> None:
    lines = [Line(0, values=(1, 0.01), rows=(None, 1000))]
    lines += [Line(person, values=(1, 5.0), rows=(None, 1)) for person in range(1, 100)]
    assert release(lines, terms_of([PEOPLE, MEAN])).cells[0].values == (100, None)


def test_people_who_add_nothing_do_not_make_a_group() -> None:
    # Sixty people, of whom one adds something: the sum would be that one person's.
    lines = [Line(person, values=(1, 100.0 if person == 7 else 0.0)) for person in range(60)]
    assert release(lines, terms_of([PEOPLE, SPEND])).cells[0].values == (60, None)


def test_a_sum_of_zeros_looks_like_one_of_too_few() -> None:
    lines = [Line(person, values=(1, 0.0)) for person in range(60)]
    assert release(lines, terms_of([PEOPLE, SPEND])).cells[0].values == (60, None)


def test_rows_of_a_group_that_one_person_dominates_are_withheld() -> None:
    lines = [Line(0, values=(1, 500)), *(Line(person, values=(1, 1)) for person in range(1, 100))]
    assert release(lines, terms_of([PEOPLE, ROWS])).cells[0].values == (100, None)  # 500 of 599


def test_a_sum_is_zero_where_the_cell_itself_says_that_everybody_is_absent() -> None:
    # Spend of the exposed and of the never exposed; absence from table 1 is what the key says.
    spend = replace(SPEND, presence=(1,))
    lines = [Line(i, values=(1, 2.0), keys=("exposed",), present=(True, True)) for i in range(80)]
    lines += [Line(i, values=(1, 0.0), keys=("not",), present=(True, False)) for i in range(80, 200)]
    cells = release(lines, terms_of([PEOPLE, spend], [KeyTerms(presence=(1,))])).cells
    assert [(cell.keys, cell.values) for cell in cells] == [
        (("exposed",), (80, 160.0)),
        (("not",), (120, 0.0)),
    ]


@pytest.mark.parametrize("odd", [float("inf"), float("-inf"), float("nan")])
def test_numbers_that_are_none_are_clipped_and_raise_nothing(odd: float) -> None:
    lines = [Line(0, values=(odd,)), *(Line(person, values=(500.0,)) for person in range(1, 100))]
    (cell,) = release(lines, terms_of([SPEND])).cells
    assert abs(float(cell.values[0] or 0) - 99 * 500) == pytest.approx(1000)


def test_enough_people_must_come_from_each_table_behind_a_number() -> None:
    def cells(present: int) -> tuple[Cell, ...]:
        return release([Line(i, present=(i < present,)) for i in range(61)], terms_of([JOINED])).cells

    assert cells(1) == ()  # 60 invented people and one real one
    assert cells(49) == ()
    assert cells(50) == (Cell(0, (), (61,)),)


def test_absence_takes_as_many_people_on_the_other_side() -> None:
    def cells(others: int) -> tuple[Cell, ...]:
        absent = [Line(i, present=(False,)) for i in range(60)]
        exposed = [Line(100 + i, values=(None,), shadow=True, present=(True,)) for i in range(others)]
        return release([*absent, *exposed], terms_of([JOINED])).cells

    assert cells(49) == ()
    assert cells(50) == (Cell(0, (), (60,)),)


def test_people_kept_in_the_shadow_contribute_nothing() -> None:
    lines = [Line(i, present=(True,)) for i in range(60)]
    lines += [Line(100 + i, shadow=True, present=(True,)) for i in range(70)]
    assert release(lines, terms_of([JOINED])).cells == (Cell(0, (), (60,)),)


def test_the_other_side_of_a_key_that_is_null_by_absence_is_in_its_sibling_cells() -> None:
    # k0 is the segment, k1 the campaign of an outer-joined table 0: NULL where the person is absent there.
    def cells(exposed_in_a: int, exposed_in_b: int) -> set[tuple[object, ...]]:
        lines = [Line(i, keys=("a", None), present=(False,)) for i in range(60)]
        lines += [Line(100 + i, keys=("a", "summer"), present=(True,)) for i in range(exposed_in_a)]
        lines += [Line(300 + i, keys=("b", "summer"), present=(True,)) for i in range(exposed_in_b)]
        keys = [KeyTerms(), KeyTerms(presence=(0,))]
        return {cell.keys for cell in release(lines, terms_of(keys=keys)).cells}

    assert cells(60, 60) == {("a", None), ("a", "summer"), ("b", "summer")}
    assert cells(20, 60) == {("b", "summer")}  # only 20 in segment a could have been exposed


def test_cells_come_by_grouping_set_then_by_key_with_null_last() -> None:
    keys: list[tuple[object, ...]] = [("b",), (None,), ("a",)]
    lines = [Line(100 * n + i, keys=key, grouping_set=0) for n, key in enumerate(keys) for i in range(60)]
    lines += [Line(100 * n + i, keys=(None,), grouping_set=1) for n in range(3) for i in range(60)]
    cells = release(lines, terms_of(keys=[KeyTerms()], grouping_sets=[(0,), ()])).cells
    assert [(cell.grouping_set, cell.keys) for cell in cells] == [
        (0, ("a",)),
        (0, ("b",)),
        (0, (None,)),
        (1, (None,)),
    ]


def test_the_diagnosis_names_rules_and_no_sizes() -> None:
    lines = [Line(0, values=(1, 1000.0)), *(Line(person, values=(1, 10.0)) for person in range(1, 100))]
    assert release(lines, terms_of([PEOPLE, SPEND])).diagnosis.withheld == ("largest_share",)
