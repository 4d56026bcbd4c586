"""What was put back from a backup, in part, does not make the broker forget what it released."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from cleanroom.broker.broker_home import BrokerHome
from cleanroom.errors import HomeUnusable, LogBroken, StateRolledBack
from cleanroom.rules.analysis_rule import Mode
from tests.cleanroom.broker.broker_room import BrokerRoom


def released(room: BrokerRoom) -> str:
    """One threshold release, committed to."""
    statement, following = room.statement(), os.urandom(32).hex()
    room.broker.commit(room.commit(statement, room.granted(statement), following=following))
    return following


@pytest.fixture
def used(room: BrokerRoom) -> BrokerRoom:
    """Released from once; `backup` holds that moment; released from once more."""
    released(room)
    shutil.copytree(room.folder / "broker", room.folder / "backup")
    released(room)
    return room


def restore(room: BrokerRoom, *names: str) -> None:
    for name in names:
        shutil.copy2(room.folder / "backup" / name, room.folder / "broker" / name)


def test_an_older_register_is_noticed(used: BrokerRoom) -> None:
    restore(used, "state.json")
    with pytest.raises(StateRolledBack, match=r"state\.json is older than the log") as refusal:
        used.restarted()
    assert "newest copy" in refusal.value.hint


def test_a_missing_register_is_noticed(used: BrokerRoom) -> None:
    (used.folder / "broker" / "state.json").unlink()
    with pytest.raises(StateRolledBack, match="is missing"):
        used.restarted()


def test_an_older_log_is_noticed(used: BrokerRoom) -> None:
    restore(used, "log.jsonl")
    with pytest.raises(StateRolledBack, match="holds a log that lacks"):
        used.restarted()


def test_a_missing_log_is_noticed(used: BrokerRoom) -> None:
    (used.folder / "broker" / "log.jsonl").unlink()
    with pytest.raises(StateRolledBack, match="is missing"):
        used.restarted()


def test_a_log_without_its_newest_charge_is_noticed(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", privacy="dp", dp={"epsilon_budget": 1.0})
    log = room.folder / "broker" / "log.jsonl"
    before = log.read_bytes()
    room.granted(room.statement(mode=Mode.DP))
    log.write_bytes(before)
    with pytest.raises(StateRolledBack):
        room.restarted()


def test_a_changed_charge_is_noticed(room: BrokerRoom) -> None:
    room.put_rules("adv", "visits", privacy="dp", dp={"epsilon_budget": 1.0})
    room.granted(room.statement(mode=Mode.DP))
    log = room.folder / "broker" / "log.jsonl"
    log.write_bytes(log.read_bytes().replace(b'"micro_epsilon":1000000', b'"micro_epsilon":0000000'))
    with pytest.raises(LogBroken):
        room.restarted()


def test_a_log_that_is_put_back_under_a_running_broker_is_noticed(used: BrokerRoom) -> None:
    restore(used, "log.jsonl")
    with pytest.raises(LogBroken, match="shortened"):
        used.granted(used.statement())


def test_a_log_that_is_replaced_under_a_running_broker_is_noticed(used: BrokerRoom) -> None:
    log = used.folder / "broker" / "log.jsonl"
    copy = log.with_name("copy")
    shutil.copy2(log, copy)
    copy.replace(log)
    with pytest.raises(LogBroken, match="replaced"):
        used.granted(used.statement())


def test_a_log_that_does_not_know_the_keys_beside_it_is_noticed(room: BrokerRoom) -> None:
    folder = room.folder / "broker"
    log = folder / "log.jsonl"
    log.write_bytes(log.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(StateRolledBack, match="lacks keys"):
        room.restarted()


def test_a_destroyed_key_that_is_put_back_is_destroyed_again(room: BrokerRoom) -> None:
    version = room.uploads["visits"].version
    folder = room.folder / "broker" / "keys"
    kept = (folder / f"{version}.key").read_bytes()
    room.home.destroy_key(version, now=room.now, why="asked for")
    (folder / f"{version}.gone").unlink()
    put_back(folder / f"{version}.key", kept)
    assert room.broker.answer(room.request(room.statement())) is None
    assert room.last_reasons() == ["version"]
    room.restarted()
    assert room.home.keys.all_held() == ()


def test_a_whole_folder_from_one_moment_is_taken(used: BrokerRoom) -> None:
    """Nobody can tell on this machine; the workers and the other owners' brokers do."""
    used.broker.close()
    shutil.rmtree(used.folder / "broker")
    shutil.copytree(used.folder / "backup", used.folder / "broker")
    used.restarted()
    committed = json.loads((used.folder / "broker" / "state.json").read_text())["committed"]
    assert used.granted(used.statement()).committed == committed[used.collaboration]["id"]


def test_a_folder_that_others_may_look_into_is_not_used(tmp_path: Path) -> None:
    BrokerHome(tmp_path / "broker")
    (tmp_path / "broker").chmod(0o755)
    with pytest.raises(HomeUnusable, match="may be read by other users"):
        BrokerHome(tmp_path / "broker")


def put_back(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
