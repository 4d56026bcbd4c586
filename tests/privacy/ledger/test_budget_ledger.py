"""A silo's lifetime budget: charged first, composed, never refunded, never overspent, never guessed."""

import json
import math
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from privacy.accountant import GaussianEvent, epsilon_of
from privacy.errors import (
    BudgetExhausted,
    ChargeConflict,
    InvalidSetting,
    LedgerDamaged,
    LedgerRolledBack,
    LedgerUnwritable,
)
from privacy.ledger import chained_log
from privacy.ledger.budget_ledger import Ledger
from privacy.ledger.ledger_entries import LifetimeLimit
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

    def test_a_resumed_run_in_another_mode_is_refused(self, path: Path) -> None:
        ledger = opened(path)
        ledger.charge("run-1", "train", run_of(5.0), mode="local")

        with pytest.raises(ChargeConflict):
            ledger.charge("run-1", "train", run_of(5.0), mode="distributed")

    def test_a_charge_says_what_it_was_for(self, path: Path) -> None:
        opened(path).charge("run-1", "train", run_of(1.0), mode="distributed", model="media mix")

        (charge,) = opened(path).summary().charges
        assert (charge.mode, charge.model) == ("distributed", "media mix")
        assert opened(path).charged_runs() == {"run-1"}

    def test_every_field_of_an_event_is_in_the_file_and_comes_back(self, path: Path) -> None:
        event = GaussianEvent(3.0, 7)
        opened(path).charge("run-1", "train", (event,))

        stored = json.loads(path.read_text().splitlines()[-1])["body"]["events"]
        assert stored == [vars(event)]
        assert opened(path).summary().charges[0].events == (event,)

    def test_a_refusal_does_not_tell_where_the_ledger_is(self, path: Path) -> None:
        with pytest.raises(BudgetExhausted) as refused:
            opened(path).charge("run-1", "train", run_of(8.1))

        assert str(path.parent.parent) not in str(refused.value) + refused.value.hint

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


def gaussian_epsilon_by_definition(mu: float, delta: float, slack: float = 0.0) -> float:
    """Balle and Wang 2018, Theorem 8, solved for epsilon with scipy alone; slack costs (1 + e^epsilon) of it."""

    def excess(epsilon: float) -> float:
        below, above = norm.cdf(mu / 2 - epsilon / mu), norm.cdf(-mu / 2 - epsilon / mu)
        return float(below - math.exp(epsilon) * above + (1 + math.exp(epsilon)) * slack - delta)

    return float(brentq(excess, 0.0, 5.0))


class TestComposition:
    """Runs, modes and models share one budget: that of the silo's data."""

    LOCAL = (GaussianEvent(20.0, 100), GaussianEvent(5.0))
    DISTRIBUTED = (GaussianEvent(12.0, 30), GaussianEvent(8.0, 2))

    def test_full_batch_runs_of_all_modes_and_models_add_up_in_mu_squared(self, path: Path) -> None:
        """mu^2 = 100 / 20^2 + 1 / 5^2 + 30 / 12^2 + 2 / 8^2 + 1 / 10^2, one Gaussian release in all."""
        ledger = opened(path)
        ledger.charge("run-1", "train", self.LOCAL, mode="local", model="media mix")
        ledger.charge("run-2", "train", self.DISTRIBUTED, mode="distributed", model="media mix")
        ledger.charge("run-2", "statistics", (GaussianEvent(10.0),), mode="local", model="histogram")

        mu = math.sqrt(100 / 400 + 1 / 25 + 30 / 144 + 2 / 64 + 1 / 100)
        assert ledger.summary().spent == pytest.approx(gaussian_epsilon_by_definition(mu, DELTA), rel=1e-8)

    def test_the_slack_of_integer_noise_adds_up_over_runs(self, path: Path) -> None:
        """mu^2 = 30 / 12^2 + 100 / 20^2, and 2e-7 + 3e-7 of the distance to exact Gaussian noise."""
        ledger = opened(path)
        ledger.charge("run-1", "train", (GaussianEvent(12.0, 30, slack=2e-7),), mode="distributed")
        ledger.charge("run-2", "train", (GaussianEvent(20.0, 100, slack=3e-7),), mode="distributed")

        mu = math.sqrt(30 / 144 + 100 / 400)
        expected = gaussian_epsilon_by_definition(mu, DELTA, slack=5e-7)
        assert expected > gaussian_epsilon_by_definition(mu, DELTA) + 0.01
        assert opened(path).summary().spent == pytest.approx(expected, rel=1e-8)

    def test_sampled_runs_compose_with_full_batch_ones_as_another_library_says(self, path: Path) -> None:
        from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent
        from dp_accounting.pld import PLDAccountant

        ledger = opened(path)
        ledger.charge("run-1", "train", self.LOCAL, mode="local")
        ledger.charge("run-2", "train", (GaussianEvent(2.0, 40, 0.1),), mode="distributed")

        other = PLDAccountant()
        other.compose(SelfComposedDpEvent(GaussianDpEvent(20.0), 100))
        other.compose(GaussianDpEvent(5.0))
        other.compose(SelfComposedDpEvent(PoissonSampledDpEvent(0.1, GaussianDpEvent(2.0)), 40))
        summary = ledger.summary()
        assert summary.spent == pytest.approx(other.get_epsilon(DELTA), rel=5e-3)
        assert summary.charges[0].spent_after < summary.spent == summary.charges[1].spent_after

    def test_the_order_of_runs_does_not_matter(self, tmp_path: Path) -> None:
        spent = []
        for name, runs in (("one", (self.LOCAL, self.DISTRIBUTED)), ("two", (self.DISTRIBUTED, self.LOCAL))):
            ledger = opened(tmp_path / name)
            for number, events in enumerate(runs):
                ledger.charge(f"run-{number}", "train", events)
            spent.append(ledger.summary().spent)

        assert spent[0] == pytest.approx(spent[1], rel=1e-12)


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
        assert refused.value.path == used
        assert str(used.parent) not in str(refused.value), "refusals travel to the coordinator"
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

    @pytest.mark.parametrize("cut", [2, 10, 100])
    def test_a_half_written_last_line_is_noticed(self, used: Path, cut: int) -> None:
        self.damage(used, used.read_bytes()[:-cut])

    def test_an_emptied_file_is_noticed(self, used: Path) -> None:
        self.damage(used, b"")

    def test_a_file_that_is_no_ledger_is_refused(self, used: Path) -> None:
        self.damage(used, b'{"epsilon": 0}\n')

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

        with pytest.raises(LedgerRolledBack, match="gone"):
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

        with pytest.raises(LedgerUnwritable) as refused:
            opened(tmp_path / "silo" / "ledger.jsonl")
        assert refused.value.path == tmp_path / "silo" / "ledger.jsonl"


def test_only_the_owner_may_read_the_ledger_and_no_draft_stays_behind(path: Path) -> None:
    opened(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]
