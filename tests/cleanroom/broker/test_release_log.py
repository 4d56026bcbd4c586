"""The owner's log: one chain whoever writes, read on from where one was, and never shorter unnoticed."""

from __future__ import annotations

import multiprocessing
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cleanroom.broker.release_log import Entry, ReleaseLog, verify_release_log
from cleanroom.errors import HomeUnusable, LogBroken
from privacy.ledger.chained_line import Record

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
PROCESSES, LINES = 4, 25

fork = multiprocessing.get_context("fork")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def test_lines_stand_in_order_with_their_time(path: Path) -> None:
    log = ReleaseLog(path)
    for number in range(3):
        log.append(Entry.REFUSED, {"number": number}, now=NOON)
    first, *rest = verify_release_log(path)
    assert first.kind == "started"
    assert [dict(one.body) for one in rest] == [
        {"at": "2026-11-26T12:00:00+00:00", "number": number} for number in range(3)
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_line_is_taken_once_also_those_of_other_writers(path: Path) -> None:
    taken: list[Record] = []
    log, other = ReleaseLog(path, taken.append), ReleaseLog(path)
    log.append(Entry.REFUSED, {}, now=NOON)
    other.append(Entry.REFUSED, {}, now=NOON)
    log.append(Entry.REFUSED, {}, now=NOON)
    assert [one.sequence for one in taken] == [0, 1, 2, 3]
    assert tuple(taken) == verify_release_log(path)


def test_processes_that_write_at_once_make_one_chain(path: Path) -> None:
    ReleaseLog(path)

    def write() -> None:
        log = ReleaseLog(path)
        for _ in range(LINES):
            log.append(Entry.REFUSED, {"by": os.getpid()}, now=NOON)

    processes = [fork.Process(target=write) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    records = verify_release_log(path)
    assert len(records) == 1 + PROCESSES * LINES
    assert len({one.body["by"] for one in records[1:]}) == PROCESSES


def test_every_changed_byte_is_noticed(path: Path) -> None:
    log = ReleaseLog(path)
    log.append(Entry.REFUSED, {"asker": "dan"}, now=NOON)
    written = path.read_bytes()
    for place in range(len(written)):
        path.write_bytes(written[:place] + bytes([written[place] ^ 1]) + written[place + 1 :])
        with pytest.raises(LogBroken):
            verify_release_log(path)


def test_a_missing_line_is_noticed(path: Path) -> None:
    log = ReleaseLog(path)
    for _ in range(3):
        log.append(Entry.REFUSED, {}, now=NOON)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2] + lines[3])
    with pytest.raises(LogBroken, match="line 2"):
        verify_release_log(path)


def test_a_line_that_was_cut_off_while_it_was_written_is_cut_off_for_good_and_said_so(path: Path) -> None:
    log = ReleaseLog(path)
    log.append(Entry.REFUSED, {}, now=NOON)
    whole = path.read_bytes()
    log.append(Entry.RELEASED, {"charge": "never left"}, now=NOON)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(LogBroken, match="cut off"):
        verify_release_log(path)
    ReleaseLog(path)
    assert path.read_bytes().startswith(whole)
    last = verify_release_log(path)[-1]
    assert last.kind == "repaired"
    assert "never left" in last.body["removed"]


def test_a_line_that_lacks_nothing_but_its_end_counts(path: Path) -> None:
    log = ReleaseLog(path)
    log.append(Entry.RELEASED, {"charge": "made"}, now=NOON)
    written = path.read_bytes()
    path.write_bytes(written[:-1])
    ReleaseLog(path)
    assert path.read_bytes() == written


def test_a_log_that_others_may_read_is_not_used(path: Path) -> None:
    ReleaseLog(path)
    path.chmod(0o644)
    with pytest.raises(HomeUnusable, match="may be read by other users"):
        ReleaseLog(path)


@pytest.mark.parametrize("content", [b"", b"\n", b"{}\n", b"\xff\xfe\n", b"[" * 100_000 + b"\n"])
def test_what_is_no_log_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(LogBroken):
        verify_release_log(path)
    with pytest.raises(LogBroken):
        ReleaseLog(path)
