"""Real processes that charge at once or are killed at the worst moment: nothing is overspent or refunded."""

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from privacy.accountant import GaussianEvent, epsilon_of
from privacy.errors import BudgetExhausted, LedgerDamaged, PrivacyError
from privacy.ledger import chained_log, ledger_witness
from privacy.ledger.budget_ledger import Ledger
from privacy.ledger.ledger_entries import LifetimeLimit
from privacy.ledger.ledger_witness import UNWITNESSED, LedgerWitness

LIMIT = LifetimeLimit(8.0, 1e-4)
RUN = (GaussianEvent(5.0, 20),)
PROCESSES = 6
CHARGED, REFUSED, KILLED = 0, 3, -signal.SIGKILL

# A fork starts at once and shares no opened file: every charge opens the ledger for itself, as a client does.
fork = multiprocessing.get_context("fork")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def opened(state: Path, *, witnessed: bool = True) -> Ledger:
    witness = LedgerWitness.of(state.parent / "notes", "north", public_key=b"k" * 32, state=state)
    return Ledger.open(state / "ledger.jsonl", limit=LIMIT, witness=witness if witnessed else UNWITNESSED)


def runs_that_fit() -> int:
    fitting = 0
    while epsilon_of(RUN * (fitting + 1), LIMIT.delta) <= LIMIT.epsilon:
        fitting += 1
    return fitting


def kinds(state: Path) -> list[str]:
    return [json.loads(line)["kind"] for line in (state / "ledger.jsonl").read_bytes().splitlines()]


def charge_and_leave(state: Path, run: str, together: Barrier | None = None) -> None:
    """What one client process does, told by its exit code."""
    if together is not None:
        together.wait()
    try:
        opened(state).charge(run, "train", RUN)
    except BudgetExhausted:
        os._exit(REFUSED)
    except PrivacyError:
        os._exit(1)
    os._exit(CHARGED)


def exit_code_of(action: Callable[[], None]) -> int | None:
    process = fork.Process(target=action)
    process.start()
    process.join()
    return process.exitcode


def die(*_: object) -> None:
    """The power goes: nothing is tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("started", [True, False], ids=["a started ledger", "no ledger yet"])
def test_of_processes_that_charge_at_once_exactly_as_many_succeed_as_fit(state: Path, started: bool) -> None:
    if started:
        opened(state)
    together = fork.Barrier(PROCESSES)
    processes = [
        fork.Process(target=charge_and_leave, args=(state, f"run-{number}", together))
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    codes = sorted(process.exitcode or 0 for process in processes)
    fitting = runs_that_fit()
    assert 0 < fitting < PROCESSES
    assert codes == [CHARGED] * fitting + [REFUSED] * (PROCESSES - fitting)
    summary = opened(state).summary()
    assert len(summary.charges) == fitting
    assert summary.spent == pytest.approx(epsilon_of(RUN * fitting, LIMIT.delta))
    assert summary.spent <= LIMIT.epsilon


def test_one_run_that_charges_from_many_processes_pays_once(state: Path) -> None:
    together = fork.Barrier(PROCESSES)
    processes = [
        fork.Process(target=charge_and_leave, args=(state, "run", together)) for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()

    assert [process.exitcode for process in processes] == [CHARGED] * PROCESSES
    assert len(opened(state).summary().charges) == 1


def test_a_run_killed_right_after_its_charge_is_not_refunded(state: Path) -> None:
    def charge_and_die() -> None:
        opened(state).charge("run-1", "train", RUN)
        die()

    assert exit_code_of(charge_and_die) == KILLED

    assert opened(state).summary().spent == pytest.approx(epsilon_of(RUN, LIMIT.delta))
    opened(state).charge("run-1", "train", RUN)
    assert kinds(state) == ["limit", "charge"], "resuming it costs nothing"


def test_a_run_killed_before_its_charge_was_noted_is_not_refunded(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(state)
    with monkeypatch.context() as crash:
        crash.setattr(ledger_witness, "_replace", die)
        assert exit_code_of(lambda: charge_and_leave(state, "run-1")) == KILLED

    assert opened(state).charged_runs() == {"run-1"}


def killed_while_writing(state: Path, written: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process dies when the first `written` bytes of its line (less, counted from the end) are on the disk."""

    def write_some_and_die(descriptor: int, content: bytes) -> None:
        os.write(descriptor, content[:written])
        os.fsync(descriptor)
        die()

    with monkeypatch.context() as crash:
        crash.setattr(chained_log, "_write_durably", write_some_and_die)
        assert exit_code_of(lambda: charge_and_leave(state, "run-2")) == KILLED


@pytest.mark.parametrize("written", [1, 30, 200, -2])
def test_a_line_that_a_killed_run_left_unfinished_is_cut_off_and_the_silo_goes_on(
    state: Path, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run was never told that it is charged, so it has read nothing."""
    charge_here(state, "run-1")
    killed_while_writing(state, written, monkeypatch)

    assert opened(state).charged_runs() == {"run-1"}
    charge_here(state, "run-2")

    assert kinds(state) == ["limit", "charge", "repaired", "charge"]
    assert opened(state).charged_runs() == {"run-1", "run-2"}


def test_a_line_that_lacks_nothing_but_its_end_stays_charged(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge_here(state, "run-1")
    killed_while_writing(state, -1, monkeypatch)

    assert opened(state).charged_runs() == {"run-1", "run-2"}
    assert kinds(state) == ["limit", "charge", "charge"]


def test_a_charge_that_was_made_cannot_be_passed_off_as_an_unfinished_line(state: Path) -> None:
    """Shortening the file after the run was told: the note of the whole line convicts it."""
    charge_here(state, "run-1")
    path = state / "ledger.jsonl"
    shortened = path.read_bytes()[:-40]
    path.write_bytes(shortened)

    with pytest.raises(LedgerDamaged):
        opened(state)
    assert path.read_bytes() == shortened


@pytest.mark.parametrize("lost", [1, 2])
def test_without_its_notes_an_unfinished_line_is_not_cut_off(state: Path, lost: int) -> None:
    charge_here(state, "run-1")
    path = state / "ledger.jsonl"
    path.write_bytes(path.read_bytes() + b'{"schema":2,"sequ')
    for note in sorted((state.parent / "notes").iterdir())[:lost]:
        note.unlink()

    with pytest.raises(LedgerDamaged, match=r"line 3 .* is cut off"):
        opened(state)


def charge_here(state: Path, run: str) -> None:
    opened(state).charge(run, "train", RUN)
