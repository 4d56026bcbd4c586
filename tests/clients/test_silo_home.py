"""The silo's own disk: for its owner's eyes only, and it never forgets what was answered."""

import base64
import json
import shutil
import stat
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w

from clients.errors import OutOfOrder, ReplayRefused
from clients.silo_home import SiloHome, _answered, usual_witness_directory
from privacy.accountant import GaussianEvent
from privacy.errors import IdentityUnusable, LedgerRolledBack
from privacy.ledger.budget_ledger import Ledger
from privacy.ledger.ledger_entries import LifetimeLimit
from tests.clients.silo_visits import visit
from tests.small_federation import add_rules

ONE, OTHER = b"1" * 32, b"2" * 32


@pytest.fixture
def home(tmp_path: Path) -> SiloHome:
    return SiloHome("north", tmp_path, LifetimeLimit(20.0, 1e-4))


def draw(home: SiloHome, run: str = "run", number: int = 1, digest: bytes = ONE) -> bytes:
    return home.noise_for(run, number, digest).gaussian((4,), 1.0).tobytes()


def remove_rule(silo_file: Path, name: str) -> None:
    """Back to the rule's default, as in a real silo's file."""
    content = tomllib.loads(silo_file.read_text(encoding="utf-8"))
    del content["privacy"][name]
    silo_file.write_text(tomli_w.dumps(content), encoding="utf-8")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_and_records_are_for_the_owners_eyes_only(silo_files: tuple[Path, ...]) -> None:
    home = visit(silo_files[0]).home
    _ = home.identity, home.ledger
    draw(home)

    private_files = ("identity.pem", "ledger.jsonl", "ledger-started", "noise.key")
    assert {name: mode(home.directory / name) for name in private_files} == dict.fromkeys(
        private_files, 0o600
    )
    assert mode(home.directory) == mode(home.run_directory("run")) == 0o700
    assert mode(home.run_directory("run") / "answered.jsonl") == 0o600


def test_the_identity_stays_the_same(home: SiloHome) -> None:
    assert home.identity.public_key == home.identity.public_key


def charge(home: SiloHome, run: str = "run") -> None:
    home.ledger.charge(run, "training", [GaussianEvent(5.0)])


def test_a_ledger_that_vanished_is_not_started_anew(home: SiloHome) -> None:
    charge(home)
    (home.directory / "ledger.jsonl").unlink()

    with pytest.raises(LedgerRolledBack, match="is gone") as refused:
        _ = home.ledger

    assert "restore" in refused.value.hint
    assert not (home.directory / "ledger.jsonl").exists()


def test_a_ledger_that_vanished_is_noticed_by_its_marker_alone(home: SiloHome, tmp_path: Path) -> None:
    """As on a new machine, where nothing was noted yet."""
    charge(home)
    (home.directory / "ledger.jsonl").unlink()

    with pytest.raises(LedgerRolledBack, match="is gone"):
        _ = replace(home, witnesses=tmp_path / "another machine").ledger


def test_a_silos_whole_state_cannot_be_deleted_unnoticed(silo_files: tuple[Path, ...]) -> None:
    """Key, ledger and marker gone: the notes know the place."""
    remove_rule(silo_files[0], "ledger_witness")
    home = visit(silo_files[0]).home
    charge(home)
    shutil.rmtree(home.directory)

    with pytest.raises(LedgerRolledBack, match="is gone: it lacks at least 1 charge "):
        _ = visit(silo_files[0]).home.ledger


def test_a_backup_of_a_silos_whole_state_is_refused(silo_files: tuple[Path, ...], tmp_path: Path) -> None:
    remove_rule(silo_files[0], "ledger_witness")
    home = visit(silo_files[0]).home
    charge(home, "run-1")
    shutil.copytree(home.directory, tmp_path / "backup")
    charge(home, "run-2")
    shutil.rmtree(home.directory)
    shutil.copytree(tmp_path / "backup", home.directory)

    with pytest.raises(LedgerRolledBack, match=r"rolled back .* lacks at least 1 charge "):
        _ = home.ledger


def test_heads_are_noted_where_the_silo_file_says(silo_files: tuple[Path, ...]) -> None:
    add_rules(silo_files[0], ledger_witness="../elsewhere")
    charge(visit(silo_files[0]).home)

    assert len(list((silo_files[0].parent.parent / "elsewhere").glob("*.json"))) == 2


def test_else_heads_are_noted_in_the_users_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert usual_witness_directory() == tmp_path / "xdg" / "mixroom" / "ledger-heads"

    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    for unset in ("", None):
        if unset is None:
            monkeypatch.delenv("XDG_STATE_HOME")
        else:
            monkeypatch.setenv("XDG_STATE_HOME", unset)
        assert usual_witness_directory() == tmp_path / "user/.local/state/mixroom/ledger-heads"


def test_a_run_that_was_answered_but_is_not_charged_tells_of_a_roll_back(
    home: SiloHome, tmp_path: Path
) -> None:
    """An older ledger restored on a machine that noted nothing: what was answered is evidence too."""
    charge(home, "run-1")
    older = (home.directory / "ledger.jsonl").read_bytes()
    charge(home, "run-2")
    draw(home, run="run-2")
    (home.directory / "ledger.jsonl").write_bytes(older)

    with pytest.raises(LedgerRolledBack, match="at least 1 charge ") as refused:
        _ = replace(home, witnesses=tmp_path / "another machine").ledger

    assert refused.value.path == home.run_directory("run-2") / "answered.jsonl"


@pytest.mark.parametrize(
    "record, evidence",
    [
        ("", False),
        ('{"number": 0, "digest": "aa"}\n', False),
        ('{"number": 0, "digest": "aa"}\n{"number": 1, "dig', False),
        ('{"number": 0, "digest": "aa"}\n{"number": 1, "digest": "bb"}\n', True),
        ("nonsense\n", True),
    ],
    ids=["empty", "terms alone", "a crash before a sum", "a sum", "unreadable"],
)
def test_a_run_agreed_to_but_never_answered_needs_no_charge(
    home: SiloHome, record: str, evidence: bool
) -> None:
    (home.run_directory("run") / "answered.jsonl").write_text(record, encoding="utf-8")

    with pytest.raises(LedgerRolledBack) if evidence else nullcontext():
        _ = home.ledger


def test_a_run_that_is_charged_and_answered_at_this_moment_is_no_roll_back(
    home: SiloHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process starts a run between this one's look at the ledger and its look at the record."""
    other = home.ledger
    home.agree_once("run", ONE)
    look = Ledger.charged_runs
    looks: list[frozenset[str]] = []

    def then_the_other_goes_on(ledger: Ledger) -> frozenset[str]:
        seen = look(ledger)
        if not looks:
            looks.append(seen)
            other.charge("run", "training", [GaussianEvent(5.0)])
            draw(home, run="run")
        return seen

    monkeypatch.setattr(Ledger, "charged_runs", then_the_other_goes_on)

    assert home.ledger.summary().spent > 0
    assert looks == [frozenset()]


def test_the_same_sum_asked_for_again_gets_the_same_noise(home: SiloHome) -> None:
    again = SiloHome("north", home.directory, home.limit)  # as after a restart

    assert draw(home) == draw(again)


def test_runs_and_numbers_have_noise_of_their_own(home: SiloHome) -> None:
    draws = {draw(home), draw(home, number=2), draw(home, run="other")}

    assert len(draws) == 3


def test_two_silos_never_share_noise(tmp_path: Path) -> None:
    homes = []
    for name in ("north", "south"):
        (tmp_path / name).mkdir()
        homes.append(SiloHome(name, tmp_path / name, LifetimeLimit(20.0, 1e-4)))

    assert draw(homes[0]) != draw(homes[1])


def test_another_sum_under_a_number_that_was_answered_is_refused(home: SiloHome) -> None:
    draw(home)

    with pytest.raises(ReplayRefused, match="north has already answered sum 1 of this run"):
        draw(home, digest=OTHER)

    assert draw(home) == draw(home)  # the first one is still repeated


class TestAnsweredOnce:
    """What a share of noise needs: no second answer, be it the same."""

    @staticmethod
    def draw_once(home: SiloHome, number: int = 1, digest: bytes = ONE) -> bytes:
        return home.noise_for("run", number, digest, once=True).discrete_gaussian((4,)).tobytes()

    def test_the_same_request_is_refused_the_second_time_and_ever_after(self, home: SiloHome) -> None:
        self.draw_once(home)

        for again in (home, SiloHome("north", home.directory, home.limit)):  # as after a restart
            with pytest.raises(ReplayRefused, match=r"already answered sum 1 .* nothing was sent") as refused:
                self.draw_once(again)
            assert refused.value.hint

    def test_another_request_under_the_number_is_refused_too(self, home: SiloHome) -> None:
        self.draw_once(home)

        with pytest.raises(ReplayRefused):
            self.draw_once(home, digest=OTHER)

    def test_a_sum_that_was_answered_repeatably_is_not_answered_once_more(self, home: SiloHome) -> None:
        draw(home)

        with pytest.raises(ReplayRefused):
            self.draw_once(home)

    def test_other_sums_go_on(self, home: SiloHome) -> None:
        assert self.draw_once(home) != self.draw_once(home, number=2)

    def test_it_is_noted_before_any_noise_is_drawn(self, home: SiloHome) -> None:
        """So a crash between note and answer loses the answer and never the rule."""
        home.noise_for("run", 1, ONE, once=True)  # and nothing is drawn from it

        with pytest.raises(ReplayRefused):
            self.draw_once(home)

    def test_terms_may_be_agreed_to_again(self, home: SiloHome) -> None:
        """A resumed run goes on with the sums that are left."""
        home.agree_once("run", ONE)
        self.draw_once(home)
        home.agree_once("run", ONE)

    def test_of_the_same_request_many_times_at_once_one_is_answered(self, home: SiloHome) -> None:
        _ = draw(home, number=99)  # the key exists

        def attempt(_: int) -> bool:
            try:
                self.draw_once(home)
            except ReplayRefused:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(attempt, range(8))).count(True) == 1


def test_units_drawn_for_a_sum_are_the_silos_secret(tmp_path: Path) -> None:
    """Two silos asked the same draw independently: from 2,000 each, about half at rate one half agree."""
    flips = []
    for name in ("north", "south"):
        (tmp_path / name).mkdir()
        home = SiloHome(name, tmp_path / name, LifetimeLimit(20.0, 1e-4))
        flips.append([home.noise_for("run", 2, ONE).coin_flips(2000, 0.5) for _ in range(2)])

    (north, north_again), (south, _) = flips
    assert north.tolist() == north_again.tolist()  # a resumed run gives no second look
    assert 0.4 < (north == south).mean() < 0.6


def test_of_several_different_requests_at_once_only_one_is_answered(
    home: SiloHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ = draw(home, number=99)  # the key exists

    def read_slowly(content: str, silo: str) -> dict[int, str]:
        time.sleep(0.01)  # long enough for the others to read the same state, were they allowed to
        return _answered(content, silo)

    monkeypatch.setattr("clients.silo_home._answered", read_slowly)

    def attempt(index: int) -> bool:
        try:
            draw(home, digest=bytes([index]) * 32)
        except ReplayRefused:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        answered = list(threads.map(attempt, range(8)))

    assert answered.count(True) == 1


def test_a_record_of_answers_that_was_damaged_refuses_every_further_answer(home: SiloHome) -> None:
    draw(home)
    record = home.run_directory("run") / "answered.jsonl"
    record.write_text(record.read_text(encoding="utf-8")[:-20], encoding="utf-8")

    with pytest.raises(ReplayRefused, match="damaged"):
        draw(home, number=2)


def test_the_record_holds_numbers_and_digests_only(home: SiloHome) -> None:
    draw(home)

    line = json.loads((home.run_directory("run") / "answered.jsonl").read_text(encoding="utf-8"))
    assert line == {"number": 1, "digest": ONE.hex()}


def test_the_silos_of_an_enclave_are_agreed_to_once_per_run_and_are_no_sum(home: SiloHome) -> None:
    home.agree_silos_once("run", ONE)
    home.seal_once("run", 1, OTHER)
    home.agree_silos_once("run", ONE)
    home.agree_silos_once("other", OTHER)

    again = SiloHome(home.silo, home.directory, home.limit, home.witnesses)
    with pytest.raises(OutOfOrder, match="than the run's first one; nothing was sent"):
        again.agree_silos_once("run", OTHER)


def test_terms_are_agreed_to_once_per_run(home: SiloHome) -> None:
    home.agree_once("run", ONE)
    home.agree_once("run", ONE)
    home.agree_once("other", OTHER)

    with pytest.raises(ReplayRefused, match="on other terms"):
        home.agree_once("run", OTHER)


def test_a_runs_name_cannot_leave_the_silos_directory(home: SiloHome) -> None:
    inside = home.run_directory("../../../etc")

    assert inside.parent == home.directory / "runs"


def test_a_key_that_is_no_base64_is_not_pinned(home: SiloHome) -> None:
    with pytest.raises(IdentityUnusable, match="nothing was pinned"):
        home.pin("south", "no key!")

    assert not home.peers_path.exists()


def test_pinning_one_peer_keeps_the_others(home: SiloHome) -> None:
    for number, name in enumerate(("a", "b")):
        home.pin(name, base64.b64encode(bytes([number]) * 32).decode())

    assert set(home.peers.keys) == {"a", "b"}
