"""The silo's own disk: for its owner's eyes only, and it never forgets what was answered."""

import base64
import json
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clients.errors import ReplayRefused
from clients.silo_home import SiloHome, _answered
from privacy.accountant import GaussianEvent
from privacy.budget_ledger import LifetimeLimit
from privacy.errors import IdentityUnusable, LedgerDamaged
from tests.clients.silo_visits import visit

ONE, OTHER = b"1" * 32, b"2" * 32


@pytest.fixture
def home(tmp_path: Path) -> SiloHome:
    return SiloHome("north", tmp_path, LifetimeLimit(20.0, 1e-4))


def draw(home: SiloHome, run: str = "run", number: int = 1, digest: bytes = ONE) -> bytes:
    return home.noise_for(run, number, digest).gaussian((4,), 1.0).tobytes()


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


def test_a_ledger_that_vanished_is_not_started_anew(home: SiloHome) -> None:
    home.ledger.charge("run", "training", [GaussianEvent(5.0)])
    (home.directory / "ledger.jsonl").unlink()

    with pytest.raises(LedgerDamaged, match="is gone") as refused:
        _ = home.ledger

    assert "backup" in refused.value.hint
    assert not (home.directory / "ledger.jsonl").exists()


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
