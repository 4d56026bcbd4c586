"""Attacks by subtraction, query after query, as an analyst would run them; every one must fail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from cleanroom.release.history import History
from cleanroom.release.release_outcome import ReleaseOutcome
from cleanroom.release.release_terms import ROWS_COUNTED, KeyTerms
from tests.cleanroom.release.contribution_rows import (
    MEAN,
    PEOPLE,
    ROWS,
    SPEND,
    Line,
    new_history,
    release,
    terms_of,
)

NORTH = range(300)
EAST = range(1000, 1200)


def _count(people: Iterable[int], history: History | None = None) -> ReleaseOutcome:
    return release([Line(person) for person in people], terms_of(), history)


@pytest.mark.parametrize("missing", [1, 2, 25, 49])
def test_almost_the_same_group_is_withheld(missing: int) -> None:
    first = _count(NORTH)
    second = _count(NORTH[missing:], first.history)
    assert first.cells[0].values == (300,)
    assert second.cells == ()
    assert second.history.to_bytes() == first.history.to_bytes()


def test_a_group_that_differs_by_many_is_released() -> None:
    assert _count(NORTH[60:], _count(NORTH).history).cells[0].values == (240,)


def test_a_person_padded_with_a_large_group_is_withheld() -> None:
    history = _count(EAST).history
    assert _count([*EAST, 7], history).cells == ()


def test_the_same_question_gets_the_same_answer_and_takes_no_room() -> None:
    first = _count(NORTH)
    again = _count(reversed(NORTH), first.history)
    assert again.cells == first.cells
    assert again.history.room_left() == first.history.room_left() == {"people": 2047}


def test_the_sum_of_two_groups_less_a_few_is_withheld() -> None:
    history = _count(EAST, _count(NORTH).history).history
    assert _count([*NORTH, *EAST], history).cells[0].values == (500,)
    assert _count([*NORTH[3:], *EAST], history).cells == ()
    assert _count([*NORTH[3:], *EAST, *range(2000, 2040)], history).cells == ()


def test_a_subtotal_does_not_give_back_a_hidden_cell() -> None:
    sizes = {"20": 120, "30": 80, "40": 60, "90+": 5}
    lines = [
        Line(1000 * n + i, keys=key, grouping_set=grouping_set)
        for n, (band, size) in enumerate(sizes.items())
        for i in range(size)
        for grouping_set, key in ((0, (band,)), (1, (None,)))
    ]
    outcome = release(lines, terms_of(keys=[KeyTerms()], grouping_sets=[(0,), ()]))
    # The subtotal survives; beside the hidden 5 the smallest visible group, 60, is hidden too: 65 stay unknown.
    assert {cell.keys[0]: cell.values[0] for cell in outcome.cells} == {"20": 120, "30": 80, None: 265}
    assert outcome.diagnosis.withheld == ("difference", "min_group_size")


def test_a_filtered_count_beside_the_whole_does_not_reveal_the_rest() -> None:
    lines = [Line(i, values=(1, 1 if i >= 3 else None)) for i in range(100)]
    assert release(lines, terms_of([PEOPLE, PEOPLE])).cells[0].values == (100, None)


def test_a_sum_over_the_same_people_with_one_persons_orders_left_out_is_withheld() -> None:
    def spend(of_first: float, history: History | None) -> ReleaseOutcome:
        lines = [Line(i, values=(float(i % 7), 2)) for i in range(1, 100)]
        return release([Line(0, values=(of_first, 2)), *lines], terms_of([SPEND, ROWS]), history)

    first = spend(90.0, None)
    second = spend(40.0, first.history)  # a filter that drops one order of person 0
    assert first.cells[0].values == (90 + sum(i % 7 for i in range(1, 100)), 200)
    assert second.cells[0].values == (None, 200)


def test_what_was_released_before_an_upload_still_counts() -> None:
    history = History.from_bytes(_count(range(55)).history.to_bytes())
    assert _count(range(1, 55), history).cells == ()


def test_inclusion_and_exclusion_is_seen_through() -> None:
    first, second = range(400), range(300, 800)  # 100 people in both
    history = _count(second, _count(first).history).history
    history = _count(range(300, 400), history).history
    assert _count(range(800), history).cells[0].values == (800,)  # |A| + |B| - |A and B|: nothing new
    assert _count([*range(795)], history).cells == ()


def test_half_of_a_combination_is_seen_through() -> None:
    a, b, c = range(80), range(100, 190), range(200, 300)
    history = new_history()
    for pair in ([*a, *b], [*b, *c], [*a, *c]):
        history = _count(pair, history).history
    assert _count([*a, *b, *c], history).cells[0].values == (270,)  # half of the three pairs' sum
    assert _count([*a, *b, *c, 999], history).cells == ()


def test_one_person_in_many_groups_is_not_read_off_their_sum() -> None:
    groups = [range(1000 * n + 1, 1000 * n + 61) for n in range(12)]
    history = new_history()
    for group in groups:
        history = _count([0, *group], history).history
    assert _count([person for group in groups for person in group], history).cells == ()


def test_different_units_are_not_subtracted() -> None:
    history = _count(NORTH).history
    assert release([Line(i, values=(2,)) for i in NORTH], terms_of([ROWS]), history).cells[0].values == (600,)


def test_a_full_history_lets_only_the_known_through() -> None:
    history = new_history(buckets=64)
    for start in range(64):
        outcome = _count_of_three(range(10 * start, 10 * start + 3), history)
        assert outcome.cells, start
        history = outcome.history
    assert history.room_left() == {"people": 0}
    assert _count_of_three(range(3), history).cells
    refused = _count_of_three(range(5000, 5020), history)
    assert refused.cells == ()
    assert refused.diagnosis.withheld in {("history full",), ("difference",)}


def _count_of_three(people: Iterable[int], history: History) -> ReleaseOutcome:
    return release([Line(person) for person in people], terms_of(k=3), history)


def test_who_adds_nothing_to_a_sum_adds_no_bound() -> None:
    lines = [Line(i, values=(1, 2.5 if i < 60 else None)) for i in range(200)]
    assert release(lines, terms_of([PEOPLE, SPEND])).cells[0].values == (200, 150.0)  # 60 x 2.50


def test_a_sum_to_which_one_of_many_adds_is_withheld() -> None:
    lines = [Line(i, values=(1, 2.5 if i < 1 else None)) for i in range(200)]
    assert release(lines, terms_of([PEOPLE, SPEND])).cells[0].values == (200, None)


def test_a_sum_is_audited_as_finely_as_it_is_released() -> None:
    def parts(of_first: float, history: History | None) -> ReleaseOutcome:
        lines = [Line(i, values=(0.0031,)) for i in range(1, 100)]
        return release([Line(0, values=(of_first,)), *lines], terms_of([SPEND]), history)

    first = parts(0.0047, None)
    assert first.cells[0].values == (
        0.3116,
    )  # 99 x 0.0031 + 0.0047: far below the hundredths that were declared
    assert parts(0.0012, first.history).cells == ()
    # Nothing finer than a millionth leaves, so nothing finer can be subtracted.
    assert parts(0.0047 + 1e-9, first.history).cells == first.cells


def test_a_sum_does_not_tell_in_which_order_it_was_added() -> None:
    values = [0.1, 0.2, 0.3, 1e3, -1e3, 0.7] * 20
    forwards = release([Line(i, values=(v,)) for i, v in enumerate(values)], terms_of([SPEND]))
    backwards = release(
        [Line(i, values=(v,)) for i, v in reversed(list(enumerate(values)))], terms_of([SPEND])
    )
    assert forwards.cells == backwards.cells
    assert forwards.cells[0].values == (26.0,)  # 20 x 1.3, with no trace of what cancelled


def test_second_rows_of_a_few_are_not_read_off_rows_minus_people() -> None:
    first_rows = replace(ROWS, unit=ROWS_COUNTED, beside_people=True)
    lines = [Line(i, values=(1, 2 if i < 3 else 1)) for i in range(200)]
    assert release(lines, terms_of([PEOPLE, first_rows])).cells[0].values == (200, None)
    lines = [Line(i, values=(2 if i < 3 else 1,)) for i in range(200)]
    assert (
        release(lines, terms_of([first_rows])).cells == ()
    )  # whoever knows that there are 200 people reads it off


def test_second_rows_of_a_few_are_not_read_off_rows_and_people_of_other_groups() -> None:
    first_rows = replace(ROWS, unit=ROWS_COUNTED, beside_people=True)
    history = _count(range(100, 200), _count(range(100)).history).history
    # All of the first hundred have two rows, and of the second all but three have one: 300 and a few.
    lines = [Line(i, values=(2 if i < 103 else 1,)) for i in range(200)]
    assert release(lines, terms_of([first_rows]), history).cells == ()


def test_rows_of_people_who_all_have_one_are_released_beside_them() -> None:
    first_rows = replace(ROWS, unit=ROWS_COUNTED, beside_people=True)
    lines = [Line(i, values=(1, 1)) for i in range(200)]
    assert release(lines, terms_of([PEOPLE, first_rows])).cells[0].values == (200, 200)


def test_values_behind_an_average_are_rows_like_others() -> None:
    rows = replace(ROWS, unit=ROWS_COUNTED)
    history = release([Line(i, values=(2,)) for i in range(200)], terms_of([rows])).history
    lines = [Line(i, values=(1.0 + i, 1.0 + i), rows=(None, 1 if i < 3 else 2)) for i in range(200)]
    # sum / average is the number of values, 397, and 400 are known
    assert release(lines, terms_of([SPEND, MEAN]), history).cells[0].values[1] is None


def test_a_refused_number_leaves_nothing_behind() -> None:
    first_rows = replace(ROWS, unit=ROWS_COUNTED, beside_people=True)
    lines = [Line(i, values=(2 if i < 3 else 1,)) for i in range(200)]
    assert release(lines, terms_of([first_rows])).history.room_left() == {}
