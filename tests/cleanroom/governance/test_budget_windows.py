"""Whole numbers that add up, and windows in UTC."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.errors import ProposalInvalid
from cleanroom.governance.budget_windows import (
    micro_budget,
    micro_epsilon,
    pico_delta,
    plain,
    window_end,
    window_start,
)
from cleanroom.rules.analysis_rule import Refresh


def day(month: int, number: int, year: int = 2026) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("refresh", "start", "end"),
    [
        (Refresh.DAILY, day(12, 31), day(1, 1, 2027)),
        (Refresh.WEEKLY, day(12, 28), day(1, 4, 2027)),  # the 31st is a Thursday
        (Refresh.MONTHLY, day(12, 1), day(1, 1, 2027)),
        (Refresh.NEVER, None, None),
    ],
)
def test_a_window_begins_and_ends_at_midnight_in_utc(
    refresh: Refresh, start: datetime | None, end: datetime | None
) -> None:
    # 00:30 of New Year's Day in Berlin is still the old year in UTC
    moment = datetime(2027, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    assert window_start(refresh, moment) == start
    assert window_end(refresh, moment) == end


@given(
    st.sampled_from([Refresh.DAILY, Refresh.WEEKLY, Refresh.MONTHLY]),
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)),
)
def test_windows_follow_each_other_without_gap_or_overlap(refresh: Refresh, now: datetime) -> None:
    start, end = window_start(refresh, now), window_end(refresh, now)
    assert start is not None
    assert end is not None
    assert start <= now < end
    assert window_start(refresh, end) == end
    assert window_start(refresh, end - timedelta(microseconds=1)) == start


@given(st.floats(min_value=0, max_value=10_000))
def test_a_charge_is_never_below_what_was_asked_nor_a_budget_above(epsilon: float) -> None:
    assert micro_epsilon(epsilon) / 1e6 >= epsilon * (1 - 1e-15)
    assert micro_budget(epsilon) <= micro_epsilon(epsilon) <= micro_budget(epsilon) + 1


def test_amounts_count_as_they_are_written() -> None:
    assert [micro_epsilon(epsilon) for epsilon in (0.1, 0.3, 1, 1e-9, 0)] == [
        100_000,
        300_000,
        1_000_000,
        1,
        0,
    ]
    assert [pico_delta(delta) for delta in (1e-8, 1e-12, 1e-15)] == [10_000, 1, 1]
    assert [plain(micro) for micro in (0, 500_000, 1_500_000, 10_000_000, 1)] == [
        "0",
        "0.5",
        "1.5",
        "10",
        "0.000001",
    ]


@pytest.mark.parametrize("amount", [-1.0, math.nan, math.inf])
def test_amounts_that_are_none_are_refused(amount: float) -> None:
    with pytest.raises(ProposalInvalid):
        micro_epsilon(amount)
