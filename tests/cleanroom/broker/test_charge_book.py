"""Sums of charges per window against hand arithmetic."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from cleanroom.broker.charge_book import Charge, ChargeBook
from cleanroom.broker.release_log import Entry
from cleanroom.rules.analysis_rule import Refresh
from privacy.ledger.chained_line import Record

THURSDAY = datetime(2026, 11, 26, 12, tzinfo=UTC)


def book_of(*charges: tuple[datetime, str, int]) -> ChargeBook:
    """Time, question and millionths of epsilon, each on `visits`."""
    book = ChargeBook()
    for number, (at, question, micro) in enumerate(charges):
        charge = Charge(("visits",), question, micro, 0).to_plain()
        book.take(Record(number, Entry.RELEASED, {"at": at.isoformat(), "charge": charge}, str(number)))
    return book


@pytest.mark.parametrize(
    ("refresh", "expected"),
    [(Refresh.NEVER, 11111), (Refresh.MONTHLY, 1111), (Refresh.WEEKLY, 111), (Refresh.DAILY, 11)],
)
def test_a_window_holds_what_was_spent_since_it_began(refresh: Refresh, expected: int) -> None:
    book = book_of(
        (datetime(2026, 10, 31, 23, 59, tzinfo=UTC), "a", 10000),  # the month before
        (datetime(2026, 11, 22, 23, 59, tzinfo=UTC), "b", 1000),  # the week before: Sunday
        (datetime(2026, 11, 23, 0, 0, tzinfo=UTC), "c", 100),  # Monday
        (datetime(2026, 11, 26, 0, 0, tzinfo=UTC), "d", 10),  # today
        (THURSDAY, "e", 1),
    )
    assert book.spent_micro("visits", refresh, THURSDAY) == expected
    assert book.spent_micro("crm", refresh, THURSDAY) == 0


def test_days_are_those_of_utc_wherever_the_clock_stands() -> None:
    east = timezone(timedelta(hours=9))
    book = book_of((datetime(2026, 11, 27, 8, tzinfo=east), "a", 5))  # 23:00 on Thursday in UTC
    assert book.spent_micro("visits", Refresh.DAILY, THURSDAY) == 5
    assert book.spent_micro("visits", Refresh.DAILY, datetime(2026, 11, 27, 10, tzinfo=east)) == 0


def test_a_question_counts_once_a_day_and_its_noise_every_time() -> None:
    book = book_of((THURSDAY, "a", 1), (THURSDAY, "a", 1), (THURSDAY, "b", 1))
    assert book.spent_micro("visits", Refresh.DAILY, THURSDAY) == 3
    again, new = (Charge(("visits",), question, 1, 0) for question in ("a", "c"))
    assert book.questions_today("visits", again, THURSDAY) == 2
    assert book.questions_today("visits", new, THURSDAY) == 3
    assert book.questions_today("visits", new, THURSDAY + timedelta(days=1)) == 1
