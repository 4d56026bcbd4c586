"""A real process is killed at every single step that touches the disk: nothing is refunded, lost or left half."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cleanroom.broker.broker_home import BrokerHome
from cleanroom.rules.analysis_rule import Mode
from cleanroom.worker.key_exchange import confirmation
from tests.cleanroom.broker.broker_room import BrokerRoom

KILLED = -signal.SIGKILL
MOST_STEPS = 60
STEPS = ("write", "fsync", "replace", "unlink", "link", "ftruncate")
say = os.write  # as it is before a test counts steps

fork = multiprocessing.get_context("fork")


def killed_at(step: int) -> None:
    """From now on, this process dies instead of its step number `step`; a write is cut in half."""
    done = 0

    def counted(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def one(*arguments: object, **named: object) -> object:
            nonlocal done
            done += 1
            if done == step:
                if name == "write":
                    descriptor, content = arguments
                    assert isinstance(content, bytes)
                    call(descriptor, content[: len(content) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **named)

        return one

    for name in STEPS:
        setattr(os, name, counted(name, getattr(os, name)))


def every_crash(folder: Path, action: Callable[[int, int], None]) -> Iterator[bytes]:
    """Per step: run `action(step, pipe)` in a process that dies there, on a copy of `folder`. What it had said by then.

    The last one lives to its end. The copy lies in the folder's place while the caller looks at it.
    """
    backup = folder.with_name("before the crash")
    shutil.copytree(folder, backup)
    for step in range(1, MOST_STEPS):
        shutil.rmtree(folder)
        shutil.copytree(backup, folder)
        reading, writing = os.pipe()
        process = fork.Process(target=action, args=(step, writing))
        process.start()
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read()
        process.join()
        assert process.exitcode in {0, KILLED}
        yield said
        if process.exitcode == 0:
            assert step > 3  # or nothing was interrupted
            return
    raise AssertionError("the action has more steps than that")


@pytest.fixture
def closed(room: BrokerRoom) -> BrokerRoom:
    """No broker runs: each process starts its own."""
    room.broker.close()
    return room


def reopened(room: BrokerRoom) -> None:
    """Whatever was interrupted, the home opens again and a broker starts."""
    room.home = BrokerHome(room.folder / "broker")
    room.broker = room.opened_broker()


def test_a_grant_that_left_is_charged_whenever_the_broker_dies(closed: BrokerRoom) -> None:
    closed.put_rules("adv", "visits", privacy="dp", dp={"epsilon_budget": 1.0})

    def grant(step: int, pipe: int) -> None:
        reopened(closed)
        request = closed.request(closed.statement(mode=Mode.DP))
        killed_at(step)
        answer = closed.broker.answer(request)
        say(pipe, (answer or "").encode())
        os._exit(0)

    outcomes = set()
    for said in every_crash(closed.folder / "broker", grant):
        reopened(closed)
        was_charged = closed.broker.answer(closed.request(closed.statement(mode=Mode.DP))) is None
        if said:
            assert was_charged
        outcomes.add((bool(said), was_charged))
        closed.broker.close()
    assert outcomes == {(False, False), (False, True), (True, True)}  # never a grant without its charge


def test_a_confirmed_state_stays_committed_whenever_the_broker_dies(closed: BrokerRoom) -> None:
    following = "ab" * 32

    def commit(step: int, pipe: int) -> None:
        reopened(closed)
        statement = closed.statement()
        grant = closed.granted(statement)
        document = closed.commit(statement, grant, following=following)
        killed_at(step)
        answer = closed.broker.commit(document)
        assert answer == confirmation(grant.confirm_key, following)
        say(pipe, b"confirmed")
        os._exit(0)

    outcomes = set()
    for said in every_crash(closed.folder / "broker", commit):
        reopened(closed)
        committed = closed.granted(closed.statement()).committed
        logged = [kind for kind, _ in closed.logged()].count("state committed")
        assert (committed, logged) in {(None, 0), (following, 1)}
        if said:
            assert committed == following
        outcomes.add((bool(said), committed))
        closed.broker.close()
    assert outcomes == {(False, None), (False, following), (True, following)}


def test_a_rotation_that_was_interrupted_is_finished_by_the_next_opening(closed: BrokerRoom) -> None:
    folder = closed.folder / "broker"
    tables = [closed.uploads["visits"], *(closed.upload("adv", "visits") for _ in range(2))]
    for table in tables:
        closed.home.keep_key(table.manifest, table.key, now=closed.now)

    def rotate(step: int, pipe: int) -> None:
        home = BrokerHome(folder)
        killed_at(step)
        home.rotate(now=closed.now)
        os._exit(0)

    newest = set()
    for _ in every_crash(folder, rotate):
        home = BrokerHome(folder)
        assert [home.keys.get(table.version) for table in tables] == [table.key for table in tables]
        (left,) = (folder / "wrapping").iterdir()  # no older key, no draft
        newest.add(left.name)
        assert not list((folder / "keys").glob(".draft*"))
        assert home.rotate(now=closed.now).rewrapped == len(tables)
    assert newest == {"kek-000001.key", "kek-000002.key"}


def test_a_destruction_that_was_interrupted_happened_whole_or_not_at_all(closed: BrokerRoom) -> None:
    folder, table = closed.folder / "broker", closed.uploads["visits"]
    wrapped = (folder / "keys" / f"{table.version}.key").read_bytes()

    def destroy(step: int, pipe: int) -> None:
        home = BrokerHome(folder)
        killed_at(step)
        home.destroy_key(table.version, now=closed.now, why="asked for")
        say(pipe, b"destroyed")
        os._exit(0)

    outcomes = set()
    for said in every_crash(folder, destroy):
        home = BrokerHome(folder)
        held = [one.version for one in home.keys.all_held()]
        gone = [one.version for one in home.keys.destroyed()]
        assert sorted(held + gone) == [table.version]
        assert bool(held) == (wrapped in [path.read_bytes() for path in (folder / "keys").iterdir()])
        if said:
            assert gone
        outcomes.add((bool(said), bool(gone)))
        reopened(closed)
        assert [kind for kind, _ in closed.logged()].count("key destroyed") == len(gone)
        closed.home.destroy_key(table.version, now=closed.now, why="asked again")
        assert [kind for kind, _ in closed.logged()].count("key destroyed") == 1
        closed.broker.close()
    assert outcomes == {(False, False), (False, True), (True, True)}


def test_a_key_that_was_being_kept_can_be_kept_again(closed: BrokerRoom) -> None:
    folder, table = closed.folder / "broker", closed.upload("adv", "visits")

    def keep(step: int, pipe: int) -> None:
        home = BrokerHome(folder)
        killed_at(step)
        home.keep_key(table.manifest, table.key, now=closed.now)
        say(pipe, b"kept")
        os._exit(0)

    for said in every_crash(folder, keep):
        reopened(closed)
        if said:
            assert closed.home.keys.get(table.version) == table.key
        closed.home.keep_key(table.manifest, table.key, now=closed.now)
        assert closed.home.keys.get(table.version) == table.key
        assert not list((folder / "keys").glob(".draft*"))
        closed.broker.close()
