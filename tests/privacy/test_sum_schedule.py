"""Which sums are asked for, in which order: hand-written schedules, and what must hold of every one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.errors import InvalidSetting
from privacy.sum_schedule import CURVATURE_BEFORE_ROUND, Purpose, sum_schedule

S, C, R, D, T = Purpose.SCALES, Purpose.CURVATURE, Purpose.ROUND, Purpose.DRAFT, Purpose.REPORT
ROUNDS, CURVATURES = st.integers(1, 60), st.integers(0, len(CURVATURE_BEFORE_ROUND))


def test_rounds_alone_lie_between_scales_and_report() -> None:
    assert sum_schedule(3, 0, private=False) == (S, R, R, R, T)


def test_a_private_run_drafts_its_report_first() -> None:
    assert sum_schedule(2, 0, private=True) == (S, R, R, D, T)


def test_curvature_is_summed_before_the_first_the_fourth_and_the_ninth_round() -> None:
    expected = (S, C, R, R, R, C, R, R, R, R, R, C, R, R, D, T)

    assert sum_schedule(10, 3, private=True) == expected


def test_a_short_run_sums_curvature_before_its_last_round_at_the_latest() -> None:
    """Every curvature that was charged has its place, also where two fall together."""
    assert sum_schedule(2, 3, private=False) == (S, C, R, C, C, R, T)
    assert sum_schedule(1, 3, private=False) == (S, C, C, C, R, T)


@given(ROUNDS, CURVATURES, st.booleans())
def test_every_schedule_holds_what_was_charged_and_no_sum_more(
    rounds: int, curvatures: int, private: bool
) -> None:
    schedule = sum_schedule(rounds, curvatures, private=private)

    counts = {purpose: schedule.count(purpose) for purpose in Purpose}
    assert counts == {S: 1, R: rounds, C: curvatures, D: int(private), T: 1}
    assert schedule[0] is S
    assert schedule[-1] is T
    assert schedule[-2] is (D if private else R)


@given(ROUNDS, st.integers(1, len(CURVATURE_BEFORE_ROUND)))
def test_no_round_comes_before_the_first_curvature(rounds: int, curvatures: int) -> None:
    schedule = sum_schedule(rounds, curvatures, private=True)

    assert schedule.index(C) < schedule.index(R)


@pytest.mark.parametrize("rounds, curvatures", [(0, 0), (-1, 0), (True, 0), (3, -1), (3, 4)])
def test_a_schedule_without_meaning_is_refused_with_a_next_action(rounds: int, curvatures: int) -> None:
    with pytest.raises(InvalidSetting) as refused:
        sum_schedule(rounds, curvatures, private=True)

    assert refused.value.hint
