"""The history travels as bytes, names nobody, and refuses what it cannot read."""

from __future__ import annotations

import zlib

import pytest

from cleanroom.errors import QueryFailed
from cleanroom.release.history import MAGIC, History
from tests.cleanroom.release.contribution_rows import PEOPLE, SPEND, Line, new_history, release, terms_of


def _some_history() -> History:
    lines = [Line(i, values=(1, i * 0.25)) for i in range(60)]
    return release(lines, terms_of([PEOPLE, SPEND])).history


def test_bytes_and_back_is_the_same_history() -> None:
    history = _some_history()
    again = History.from_bytes(history.to_bytes())
    assert again.to_bytes() == history.to_bytes()
    assert again.room_left() == {"people": 2047, "sum of orders.value in 10^-6": 2047}


def test_a_sketch_adds_up_to_what_was_released_in_each_half() -> None:
    units = _some_history().units
    assert units["people"].released.reshape(2, 2048).sum(axis=1).tolist() == [60, 60]
    # 0.25 * (0 + 1 + ... + 59) = 442.50, in millionths
    assert units["sum of orders.value in 10^-6"].released.reshape(2, 2048).sum(axis=1).tolist() == [
        442_500_000,
        442_500_000,
    ]


def test_neither_its_text_nor_an_empty_one_shows_the_salt() -> None:
    history = new_history()
    assert "salt" not in repr(history)
    assert History.from_bytes(history.to_bytes()).units == {}


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"mixroom release history 9\n",
        MAGIC,
        MAGIC + b"x",
        MAGIC + zlib.compress(b""),
        MAGIC + zlib.compress(b"0" * 99),
    ],
)
def test_other_bytes_are_refused(damaged: bytes) -> None:
    with pytest.raises(QueryFailed):
        History.from_bytes(damaged)


def test_bytes_cut_short_or_added_to_are_refused() -> None:
    body = zlib.decompress(_some_history().to_bytes()[len(MAGIC) :])
    for changed in (body[:-1], body + b"\0"):
        with pytest.raises(QueryFailed):
            History.from_bytes(MAGIC + zlib.compress(changed))


def test_a_short_salt_and_an_odd_size_are_refused() -> None:
    with pytest.raises(QueryFailed):
        History.new(b"short")
    with pytest.raises(QueryFailed):
        History.new(bytes(32), buckets=1000)


def test_its_rows_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        _some_history().units["people"].released[0, 0] = 1
