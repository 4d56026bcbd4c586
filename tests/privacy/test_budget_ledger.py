"""A silo's lifetime budget: charged first, composed, never refunded, never overspent, never guessed."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from privacy import chained_log
from privacy.accountant import GaussianEvent, epsilon_of
from privacy.budget_ledger import Ledger, LifetimeLimit
from privacy.errors import BudgetExhausted, ChargeConflict, InvalidSetting, LedgerDamaged, LedgerUnwritable
from privacy.noise_plan import calibrate_noise_multiplier

DELTA = 1e-4
LIMIT = LifetimeLimit(8.0, DELTA)
STARTED = datetime(2026, 1, 5, tzinfo=UTC)


def run_of(epsilon: float, count: int = 100) -> tuple[GaussianEvent, ...]:
    """The events of a run calibrated to `epsilon` at DELTA."""
    return (GaussianEvent(calibrate_noise_multiplier(epsilon, DELTA, count=count), count),)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "silo" / "ledger.jsonl"


def opened(path: Path, limit: LifetimeLimit = LIMIT) -> Ledger:
    return Ledger.open(path, limit=limit, clock=lambda: STARTED)


class TestCharging:
    def test_a_run_that_fits_is_on_the_disk_before_charge_returns(self, path: Path) -> None:
        charge = opened(path).charge("run-1", "train", run_of(3.0))

        assert charge.spent_after == pytest.approx(3.0, rel=1e-6)
        assert charge.charged_at == "2026-01-05T00:00:00+00:00"
        assert opened(path).summary().charges == (charge,)

    def test_runs_are_composed_not_added(self, path: Path) -> None:
        """Two runs of epsilon 5 add up to 10 but cost less than 8 together; a third does not fit."""
        ledger = opened(path)
        for run in ("run-1", "run-2"):
            ledger.charge(run, "train", run_of(5.0))

        summary = ledger.summary()
        assert summary.spent == pytest.approx(epsilon_of(run_of(5.0) + run_of(5.0), DELTA))
        assert summary.spent < 8.0
        with pytest.raises(BudgetExhausted):
            ledger.require_affordable("run-3", "train", run_of(5.0))
        assert ledger.summary() == summary, "asking costs nothing"

    def test_a_run_calibrated_to_the_whole_limit_fits_an_empty_ledger(self, path: Path) -> None:
        ledger = opened(path)

        ledger.require_affordable("run-1", "train", run_of(8.0))
        assert ledger.charge("run-1", "train", run_of(8.0)).spent_after <= 8.0

    def test_a_run_of_what_is_left_fits_and_leaves_nothing(self, path: Path) -> None:
        ledger = opened(path)
        ledger.charge("run-1", "train", run_of(5.0))

        ledger.charge("run-2", "train", run_of(ledger.summary().left))

        assert ledger.summary().left < 0.01

    def test_too_much_is_refused_with_every_number_and_nothing_changes(self, path: Path) -> None:
        ledger = opened(path)
        ledger.charge("run-1", "train", run_of(6.0))
        before = path.read_bytes()

        with pytest.raises(BudgetExhausted) as refused:
            ledger.charge("run-2", "train", run_of(6.0))

        together = epsilon_of(run_of(6.0) + run_of(6.0), DELTA)
        assert refused.value.spent == pytest.approx(6.0, rel=1e-6)
        assert refused.value.asked == pytest.approx(6.0, rel=1e-6)
        assert refused.value.limit == 8.0
        assert refused.value.missing == pytest.approx(together - 8.0)
        assert f"{together - 8.0:.4g}" in str(refused.value)
        assert path.read_bytes() == before

    def test_the_epsilon_in_the_hint_fits_and_is_not_stingy(self, path: Path) -> None:
        ledger = opened(path)
        ledger.charge("run-1", "train", run_of(6.0))
        with pytest.raises(BudgetExhausted) as refused:
            ledger.charge("run-2", "train", run_of(6.0))
        hinted = float(refused.value.hint.split("epsilon ")[1].split()[0])

        with pytest.raises(BudgetExhausted):
            ledger.require_affordable("run-2", "train", run_of(hinted + 0.01))
        ledger.charge("run-2", "train", run_of(hinted))

    def test_one_huge_run_is_refused_on_an_empty_ledger(self, path: Path) -> None:
        with pytest.raises(BudgetExhausted):
            opened(path).charge("run-1", "train", run_of(8.1))

    def test_a_resumed_run_is_charged_once(self, path: Path) -> None:
        first = opened(path).charge("run-1", "train", run_of(5.0))
        before = path.read_bytes()

        assert opened(path).charge("run-1", "train", run_of(5.0)) == first
        assert path.read_bytes() == before

    @pytest.mark.parametrize("events", [run_of(5.5), run_of(5.0, count=50), run_of(5.0) * 2])
    def test_a_resumed_run_with_other_noise_is_refused(
        self, path: Path, events: tuple[GaussianEvent, ...]
    ) -> None:
        ledger = opened(path)
        ledger.charge("run-1", "train", run_of(5.0))

        with pytest.raises(ChargeConflict):
            ledger.charge("run-1", "train", events)
        assert len(ledger.summary().charges) == 1

    @pytest.mark.parametrize(
        "run, purpose, events", [("", "train", run_of(1.0)), ("r", "", run_of(1.0)), ("r", "t", ())]
    )
    def test_a_charge_without_name_or_content_is_refused(
        self, path: Path, run: str, purpose: str, events: tuple[GaussianEvent, ...]
    ) -> None:
        with pytest.raises(InvalidSetting):
            opened(path).charge(run, purpose, events)

    def test_a_changed_limit_is_written_into_the_chain(self, path: Path) -> None:
        opened(path).charge("run-1", "train", run_of(5.0))
        opened(path, LifetimeLimit(20.0, DELTA)).charge("run-2", "train", run_of(10.0))

        kinds = [json.loads(line)["kind"] for line in path.read_text().splitlines()]
        assert kinds == ["limit", "charge", "limit", "charge"]
        with pytest.raises(BudgetExhausted):
            opened(path, LifetimeLimit(5.0, DELTA)).charge("run-3", "train", run_of(0.1))


def test_concurrent_runs_cannot_overspend(path: Path) -> None:
    """Of six runs of epsilon 4 that start at once, exactly as many pass as one after the other would.

    Threads show what processes would: the lock belongs to an opened file, and every charge opens its own.
    """
    fitting = 0
    while epsilon_of(run_of(4.0) * (fitting + 1), DELTA) <= LIMIT.epsilon:
        fitting += 1
    together = threading.Barrier(6)

    def charged(run: int) -> bool:
        together.wait()
        try:
            opened(path).charge(f"run-{run}", "train", run_of(4.0))
        except BudgetExhausted:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        accepted = sum(pool.map(charged, range(6)))

    assert 0 < fitting < 6
    assert accepted == fitting
    assert len(opened(path).summary().charges) == fitting


class TestFailingClosed:
    @pytest.fixture
    def used(self, path: Path) -> Path:
        ledger = opened(path)
        for run in ("run-1", "run-2", "run-3"):
            ledger.charge(run, "train", run_of(1.0))
        return path

    def damage(self, used: Path, content: bytes) -> None:
        used.write_bytes(content)
        with pytest.raises(LedgerDamaged) as refused:
            opened(used)
        assert refused.value.hint
        assert used.read_bytes() == content, "a damaged ledger is left for its owner to look at"

    def test_every_flipped_byte_is_noticed(self, used: Path) -> None:
        content = used.read_bytes()
        for position in range(0, len(content), 5):
            changed = bytearray(content)
            changed[position] ^= 0x01
            used.write_bytes(changed)
            with pytest.raises(LedgerDamaged):
                opened(used)

    def test_a_removed_line_is_noticed(self, used: Path) -> None:
        lines = used.read_bytes().splitlines(keepends=True)
        self.damage(used, b"".join(lines[:1] + lines[2:]))

    def test_swapped_lines_are_noticed(self, used: Path) -> None:
        lines = used.read_bytes().splitlines(keepends=True)
        self.damage(used, b"".join([lines[0], lines[2], lines[1], lines[3]]))

    @pytest.mark.parametrize("cut", [1, 10, 100])
    def test_a_half_written_last_line_is_noticed(self, used: Path, cut: int) -> None:
        self.damage(used, used.read_bytes()[:-cut])

    def test_an_emptied_file_is_noticed(self, used: Path) -> None:
        self.damage(used, b"")

    def test_a_file_that_is_no_ledger_is_refused(self, used: Path) -> None:
        self.damage(used, b'{"epsilon": 0}\n')

    def test_an_unknown_schema_is_refused(self, used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(chained_log, "SCHEMA", 2)

        with pytest.raises(LedgerDamaged, match="schema 1"):
            opened(used)

    def test_an_entry_this_program_does_not_know_is_refused(self, used: Path) -> None:
        with chained_log.ChainedLog(used).locked() as log:
            log.append("refund", {"run_id": "run-1"})

        with pytest.raises(LedgerDamaged, match="refund"):
            opened(used)

    def test_a_charge_of_unknown_shape_is_refused(self, used: Path) -> None:
        with chained_log.ChainedLog(used).locked() as log:
            log.append("charge", {"run_id": "run-4", "epsilon": 0.0})

        with pytest.raises(LedgerDamaged):
            opened(used)

    def test_a_link_to_another_file_is_refused(self, used: Path, tmp_path: Path) -> None:
        (tmp_path / "link.jsonl").symlink_to(used)

        with pytest.raises(LedgerDamaged):
            opened(tmp_path / "link.jsonl")

    def test_a_missing_ledger_is_noticed_where_one_must_exist(self, used: Path) -> None:
        used.unlink()

        with pytest.raises(LedgerDamaged, match="gone"):
            Ledger.open(used, limit=LIMIT, must_exist=True)

    def test_a_roll_back_shows_in_the_head(self, used: Path) -> None:
        """The chain alone cannot show that its newest lines are gone; a kept head can."""
        head = opened(used).summary().head
        used.write_bytes(b"".join(used.read_bytes().splitlines(keepends=True)[:-1]))

        assert opened(used).summary().head != head

    def test_a_full_disk_refuses_the_charge_and_keeps_the_chain_whole(
        self, used: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before, real_write = used.read_bytes(), os.write
        with monkeypatch.context() as full_disk:
            full_disk.setattr(os, "write", lambda descriptor, content: real_write(descriptor, content[:20]))
            with pytest.raises(LedgerUnwritable):
                opened(used).charge("run-4", "train", run_of(1.0))

        assert used.read_bytes() == before
        opened(used).charge("run-4", "train", run_of(1.0))

    def test_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "silo").write_text("a file where the folder should be")

        with pytest.raises(LedgerUnwritable, match="silo"):
            opened(tmp_path / "silo" / "ledger.jsonl")


def test_only_the_owner_may_read_the_ledger_and_no_draft_stays_behind(path: Path) -> None:
    opened(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
