"""A ledger that was rolled back, replaced or deleted is noticed by the notes kept apart from it."""

import json
import shutil
from pathlib import Path

import pytest

from privacy.accountant import GaussianEvent
from privacy.errors import LedgerDamaged, LedgerRolledBack, LedgerUnwritable
from privacy.ledger.budget_ledger import Ledger
from privacy.ledger.ledger_entries import LifetimeLimit
from privacy.ledger.ledger_witness import Head, LedgerWitness

LIMIT = LifetimeLimit(8.0, 1e-4)
RUN = (GaussianEvent(20.0, 10),)
KEY, OTHER_KEY = b"k" * 32, b"o" * 32


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


def witness_of(state: Path, key: bytes = KEY) -> LedgerWitness:
    return LedgerWitness.of(state.parent / "notes", "north", public_key=key, state=state)


def opened(state: Path, key: bytes = KEY) -> Ledger:
    return Ledger.open(state / "ledger.jsonl", limit=LIMIT, witness=witness_of(state, key))


def charged(state: Path, *runs: str) -> Path:
    """The ledger's file after these runs."""
    for run in runs:
        opened(state).charge(run, "train", RUN)
    return state / "ledger.jsonl"


class TestRollBacks:
    def test_an_older_copy_is_refused_with_what_it_lacks(self, state: Path, notes: Path) -> None:
        path = charged(state, "run-1")
        backup = path.read_bytes()
        charged(state, "run-2", "run-3")
        path.write_bytes(backup)

        with pytest.raises(LedgerRolledBack, match=r"rolled back .* lacks at least 2 charges") as refused:
            opened(state)

        assert refused.value.path.parent == notes
        assert "restore the newest copy" in refused.value.hint
        assert path.read_bytes() == backup, "the file is left for its owner to look at"

    def test_it_is_also_noticed_by_a_ledger_that_was_opened_before(self, state: Path) -> None:
        ledger, path = opened(state), state / "ledger.jsonl"
        backup = path.read_bytes()
        charged(state, "run-1")
        path.write_bytes(backup)

        with pytest.raises(LedgerRolledBack, match="at least 1 charge "):
            ledger.charge("run-2", "train", RUN)

    def test_the_newest_copy_is_taken_back(self, state: Path) -> None:
        path = charged(state, "run-1", "run-2")
        newest = path.read_bytes()
        path.write_bytes(newest[:-300])
        with pytest.raises(LedgerDamaged):
            opened(state)
        path.write_bytes(newest)

        assert opened(state).charged_runs() == {"run-1", "run-2"}

    def test_an_older_copy_that_was_charged_anew_is_refused(self, state: Path, tmp_path: Path) -> None:
        """As long as before, each line in order, but another history: here a copy used without the notes."""
        path = charged(state, "run-1")
        backup = path.read_bytes()
        charged(state, "run-2")
        path.write_bytes(backup)
        Ledger.open(path, limit=LIMIT).charge("run-3", "train", RUN)

        with pytest.raises(LedgerRolledBack, match="lacks entries"):
            opened(state)

    def test_a_deleted_ledger_is_not_started_anew(self, state: Path) -> None:
        charged(state, "run-1", "run-2").unlink()

        with pytest.raises(LedgerRolledBack, match="is gone: it lacks at least 2 charges"):
            opened(state)

        assert not (state / "ledger.jsonl").exists()

    def test_a_ledger_deleted_together_with_its_silos_key_is_known_by_its_place(self, state: Path) -> None:
        charged(state, "run-1").unlink()

        with pytest.raises(LedgerRolledBack, match="is gone"):
            opened(state, OTHER_KEY)

    def test_of_two_copies_of_one_silo_only_one_can_go_on(self, state: Path, tmp_path: Path) -> None:
        charged(state, "run-1")
        copy = Path(shutil.copytree(state, tmp_path / "copy"))
        charged(state, "run-2")

        with pytest.raises(LedgerRolledBack, match="at least 1 charge "):
            opened(copy)


class TestWhatIsInOrder:
    def test_a_silo_that_moved_goes_on(self, state: Path, tmp_path: Path) -> None:
        charged(state, "run-1")
        state.rename(tmp_path / "elsewhere")

        moved = tmp_path / "elsewhere"
        charged(moved, "run-2")

        assert opened(moved).charged_runs() == {"run-1", "run-2"}
        assert not opened(moved).newly_witnessed

    def test_a_silo_with_a_new_key_goes_on(self, state: Path) -> None:
        charged(state, "run-1")

        opened(state, OTHER_KEY).charge("run-2", "train", RUN)

        assert opened(state, OTHER_KEY).charged_runs() == {"run-1", "run-2"}

    def test_a_ledger_that_is_ahead_of_its_note_is_in_order_and_noted(
        self, state: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A crash between the two: the charge is made, nobody was told."""
        charged(state, "run-1")
        noted = witness_of(state).heads()
        with monkeypatch.context() as crash:
            crash.setattr(LedgerWitness, "note", lambda *_: None)
            charged(state, "run-2")
        assert witness_of(state).heads() == noted

        ledger = opened(state)

        assert ledger.charged_runs() == {"run-1", "run-2"}
        assert {head.charges for head in witness_of(state).heads().values()} == {2}

    def test_a_ledger_that_no_note_knows_is_noted_and_said_to_be_new_here(
        self, state: Path, notes: Path
    ) -> None:
        charged(state, "run-1")
        shutil.rmtree(notes)

        assert opened(state).newly_witnessed
        assert not opened(state).newly_witnessed
        assert len(witness_of(state).heads()) == 2

    def test_a_fresh_ledger_is_nothing_new(self, state: Path) -> None:
        assert not opened(state).newly_witnessed

    def test_silos_of_one_machine_do_not_hinder_each_other(self, state: Path, tmp_path: Path) -> None:
        charged(state, "run-1")
        (tmp_path / "other").mkdir()
        other = LedgerWitness.of(tmp_path / "notes", "north", public_key=OTHER_KEY, state=tmp_path / "other")

        ledger = Ledger.open(tmp_path / "other" / "ledger.jsonl", limit=LIMIT, witness=other)

        assert ledger.charged_runs() == frozenset()


class TestNotes:
    def test_a_note_holds_the_newest_entrys_number_digest_and_the_number_of_charges(
        self, state: Path
    ) -> None:
        path = charged(state, "run-1", "run-2")

        newest = json.loads(path.read_bytes().splitlines()[-1])
        for file in witness_of(state).files:
            expected = {"sequence": 2, "digest": newest["digest"], "charges": 2}
            assert json.loads(file.read_bytes()) == {"schema": 1, "silo": "north", **expected}

    def test_notes_are_for_the_owners_eyes_only_and_leave_no_drafts(self, state: Path, notes: Path) -> None:
        charged(state, "run-1")

        assert notes.stat().st_mode & 0o777 == 0o700
        assert {file.stat().st_mode & 0o777 for file in notes.iterdir()} == {0o600}
        assert sorted(notes.iterdir()) == sorted(witness_of(state).files)

    def test_a_note_is_not_written_again_without_need(self, state: Path) -> None:
        charged(state, "run-1")
        before = [file.stat().st_ino for file in witness_of(state).files]

        opened(state).summary()

        assert [file.stat().st_ino for file in witness_of(state).files] == before

    @pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"schema": 2}', b"\xff"])
    def test_a_note_that_cannot_be_read_refuses_the_ledger(self, state: Path, content: bytes) -> None:
        charged(state, "run-1")
        damaged = witness_of(state).files[0]
        damaged.write_bytes(content)

        with pytest.raises(LedgerDamaged, match="cannot be read") as refused:
            opened(state)
        assert refused.value.path == damaged

    def test_where_no_note_can_be_written_nothing_is_charged(self, state: Path, notes: Path) -> None:
        notes.write_text("a file where the directory should be")

        with pytest.raises(LedgerUnwritable) as refused:
            charged(state, "run-1")

        assert "privacy.ledger_witness" in refused.value.hint
        kinds = [json.loads(line)["kind"] for line in (state / "ledger.jsonl").read_bytes().splitlines()]
        assert kinds == ["limit"]

    def test_no_message_tells_a_directory(self, state: Path, notes: Path, tmp_path: Path) -> None:
        charged(state, "run-1").unlink()

        with pytest.raises(LedgerRolledBack) as refused:
            opened(state)

        assert str(tmp_path) not in str(refused.value) + refused.value.hint

    def test_a_ledger_without_witness_notes_nothing(self, state: Path) -> None:
        witness = LedgerWitness()
        witness.note(Head(3, "d", 1))

        assert witness.heads() == {}
