"""`mixroom room broker | broker-log | rotate-key` and `mixroom enclave measure`, as an owner uses them."""

import json
import logging
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cleanroom.broker.broker_home import BrokerHome
from cleanroom.partner.party_home import PartyHome
from tests.cleanroom.owners_brokers import this_installation, with_broker
from tests.cleanroom.service.running_room import ANALYST, RunningRoom, running_room
from tests.cleanroom.service.small_tables import uploaded
from tests.mixroom.terminal import REPOSITORY

COUNT = "SELECT COUNT(DISTINCT person) AS people FROM crm"
OTHER = "a" * 96


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRoom]:
    with running_room(tmp_path_factory.mktemp("service")) as room:
        yield room


@pytest.fixture
def acme(service, tmp_path):
    """A home with a table in the room, and no broker yet."""
    home = service.founded(tmp_path)
    uploaded(tmp_path, home)
    return home.folder


@contextmanager
def started_broker(home: Path) -> Iterator[subprocess.Popen[str]]:
    """`mixroom room broker` in a process of its own, connected."""
    command = [sys.executable, "-m", "mixroom", "room", "broker", "--home", str(home)]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert process.stderr.readline() == "mixroom: connected: questions on your tables are answered\n"
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_broker_answers_tells_and_ends_in_order(terminal, acme, stop):
    with started_broker(acme) as broker:
        asked = terminal("room", "query", COUNT, "--home", acme)
        broker.send_signal(stop)
        _, told = broker.communicate(timeout=20)

    assert (asked.out, broker.returncode) == ("people\n240\n", 0)
    gave, confirmed, ended = told.splitlines()
    assert gave.startswith("mixroom: gave the key of crm for query qry-")
    assert confirmed.startswith("mixroom: confirmed query qry-")
    assert ended == "mixroom: ended: questions on your tables are refused until it runs again"


def test_without_a_broker_two_lines_say_who_should_do_what(terminal, acme):
    error, hint = terminal.refused("room", "query", COUNT, "--home", acme, code=1)

    assert error == ("the key broker of acme does not answer; no table was opened and nothing was charged")
    assert "ask acme to run `mixroom room broker`" in hint


def test_an_upload_says_that_a_broker_must_run(service, terminal, tmp_path):
    home = service.founded(tmp_path)
    uploaded(tmp_path, home)

    seen = terminal("room", "upload", tmp_path / "customers.csv", "--dataset", "crm", "--home", home.folder)

    assert f"questions on it are answered while you run: mixroom room broker --home {home.folder}" in seen.err


def test_once_connects_answers_what_waits_and_ends(terminal, acme):
    seen = terminal("room", "broker", "--once", "--home", acme)

    assert (seen.code, seen.out, seen.err) == (0, "", "mixroom: answered 0 requests\n")


def test_the_log_is_shown_in_words_as_json_and_verified(terminal, acme):
    with with_broker(PartyHome(acme)):
        terminal("room", "query", COUNT, "--home", acme)

    shown = terminal("room", "broker-log", "--home", acme).out.splitlines()
    lines = json.loads(terminal("room", "broker-log", "--json", "--home", acme).out)
    verified = terminal("room", "broker-log", "--verify", "--home", acme)

    assert [line.split("  ")[-1].split(" query")[0] for line in shown[-2:]] == [
        "gave the key of crm for",
        "confirmed",
    ]
    assert [line["kind"] for line in lines][-2:] == ["key released", "state committed"]
    assert re.fullmatch(rf"{len(lines) - 1} [0-9a-f]{{64}}\n", verified.out)


def test_a_changed_log_is_refused(terminal, acme):
    path = acme / "broker" / "log.jsonl"
    path.write_text(path.read_text("utf-8").replace('"crm"', '"crn"'), encoding="utf-8")

    error, _ = terminal.refused("room", "broker-log", "--home", acme, code=1)

    assert "was changed after it was written" in error


def test_a_home_without_a_log_says_how_one_begins(service, terminal, tmp_path):
    home = service.founded(tmp_path)

    _, hint = terminal.refused("room", "broker-log", "--home", home.folder, code=1)

    assert hint == "upload a table, or run the broker"


def test_consent_is_withdrawn_and_given_again(terminal, acme):
    kept = BrokerHome(acme / "broker")

    assert terminal("room", "broker", "--pause", "--dataset", "crm", "--home", acme).code == 0
    assert kept.paused == {"crm"}
    assert terminal("room", "broker", "--pause", "--home", acme).code == 0
    assert "*" in kept.paused
    assert "keys are given again for any table" in terminal("room", "broker", "--resume", "--home", acme).err
    assert kept.paused == frozenset()


def test_what_is_allowed_is_kept_and_taken_back(terminal, acme):
    kept = BrokerHome(acme / "broker")

    terminal("room", "broker", "--allow", OTHER, "--allow-reduced", "--once", "--home", acme)
    assert (kept.code_rules.measurements, kept.code_rules.reduced) == ((OTHER,), True)
    terminal("room", "broker", "--disallow", OTHER, "--no-reduced", "--once", "--home", acme)
    assert (kept.code_rules.measurements, kept.code_rules.reduced) == ((), False)

    error, _ = terminal.refused("room", "broker", "--disallow", OTHER, "--home", acme, code=2)
    assert error == f"{OTHER} was not allowed"
    error, hint = terminal.refused("room", "broker", "--allow", "abc", "--home", acme, code=1)
    assert "96 hexadecimal digits" in error
    assert "mixroom enclave measure" in hint


def test_rotating_keeps_every_key_and_destroys_the_old_wrapping_key(terminal, acme):
    keys = BrokerHome(acme / "broker").keys
    (held,) = keys.all_held()
    before = keys.get(held.version)
    (old,) = (acme / "broker" / "wrapping").glob("*.key")

    seen = terminal("room", "rotate-key", "--home", acme)

    assert seen.code == 0
    assert [path.stem for path in (acme / "broker" / "wrapping").glob("*.key")] == [seen.out.strip()]
    assert not old.exists()
    assert keys.get(held.version) == before


def test_deleting_says_when_the_key_was_never_here(terminal, acme, tmp_path):
    BrokerHome(acme / "broker")  # as it is; the table was uploaded from a home that is gone
    (acme / "broker").rename(tmp_path / "lost")

    seen = terminal("room", "delete", "crm", "--yes", "--home", acme)

    assert (seen.code, len(seen.out.strip())) == (0, 64)
    assert "its key was never in this home" in seen.err


def test_other_code_makes_a_release_unverified_until_it_is_allowed(terminal, acme, monkeypatch):
    """As on a machine with another version of Mixroom."""
    with with_broker(PartyHome(acme)):
        terminal("room", "query", COUNT, "--out", acme / "release.json", "--home", acme)
    made_by = this_installation().full
    monkeypatch.setattr("cleanroom.partner.installed_worker.WORKER_PROGRAM", _another_program())

    error, hint = terminal.refused("room", "verify-release", acme / "release.json", "--home", acme, code=1)
    allowed = terminal("room", "verify-release", acme / "release.json", "--allow", made_by, "--home", acme)

    assert f"measurement {made_by}, which is neither this installation's nor allowed" in error
    assert f"--allow {made_by}" in hint
    assert f"measurement {made_by[:16]}, one that you allow" in allowed.out


def _another_program() -> object:
    from privacy.enclave.enclave_program import EnclaveProgram

    return EnclaveProgram("another", "cleanroom.query.plan")


# --- isolation that cannot be had ---------------------------------------------------------------------------


def test_a_machine_without_bubblewrap_is_told_what_to_install_and_what_else_there_is(
    terminal, tmp_path, monkeypatch
):
    monkeypatch.setattr("privacy.enclave.bubblewrap._PROGRAMS", "/nowhere")
    monkeypatch.setattr(logging.getLogger("mixroom.room"), "handlers", [])  # `serve` adds one

    error, hint = terminal.refused("room", "serve", "--data", tmp_path / "service", "--port", "0", code=1)

    assert "bubblewrap is not installed" in error
    assert "nothing was started" in error
    assert "apt-get install bubblewrap; or serve with --isolation reduced" in hint


def test_an_analyst_has_no_broker(service, terminal, acme):
    ana = service.joined(PartyHome(acme), "ana", ANALYST)

    for command in (("broker", "--once"), ("broker", "--pause"), ("rotate-key",)):
        error, _ = terminal.refused("room", *command, "--home", ana.folder, code=1)
        assert "did not join as a data owner" in error
    assert not ana.broker.exists()


# --- mixroom enclave measure ----------------------------------------------------------------------------


def test_the_measurement_is_printed_and_is_the_services(service, terminal):
    seen = terminal("enclave", "measure")
    registers = dict(line.split(" ") for line in seen.out.splitlines()[:3])

    assert list(registers) == ["PCR0", "PCR1", "PCR2"]
    assert registers["PCR0"] == service.parts.executor.measurement.code
    assert seen.out.splitlines()[3] == "isolation full"


def test_reduced_isolation_measures_differently_in_what_the_code_runs_on_only(terminal):
    full = json.loads(terminal("enclave", "measure", "--json").out)
    reduced = json.loads(terminal("enclave", "measure", "--json", "--isolation", "reduced").out)

    assert full["PCR0"] != reduced["PCR0"]
    assert full["PCR1"] != reduced["PCR1"]
    assert full["PCR2"] == reduced["PCR2"]
    assert reduced["PCR0"] == this_installation().reduced


def test_the_files_are_what_the_first_register_is_the_digest_of(terminal):
    import hashlib

    listed = terminal("enclave", "measure", "--files").out
    told = json.loads(terminal("enclave", "measure", "--files", "--json").out)

    assert hashlib.sha384(listed.encode()).hexdigest() == told["PCR0"]
    assert listed.splitlines() == told["files"]
    assert sum(told["measured"].values()) == len(told["files"])
    kinds = {line.split(" ")[2] for line in told["files"] if line.split(" ")[1] == "code"}
    assert {
        "cleanroom/worker/__main__.py",
        "cleanroom/release/release_stage.py",
        "privacy/sealing.py",
    } <= kinds
