"""The key holder's disk: one answer per sum, written before it is given, also when two ask at once."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from privacy.errors import HolderUnusable, IdentityUnusable, MaskStateDamaged, OpeningRefused
from privacy.identity import PinnedPeers
from privacy.paillier.aggregation import OpenedSum
from privacy.paillier.holder_home import HolderHome
from privacy.paillier.holder_process import HolderProcess
from tests.privacy.masks.masked_federation import RUN
from tests.privacy.paillier.paillier_federation import WEAK, PaillierFederation, plain_sum, small_vectors


@pytest.fixture
def federation(tmp_path):
    return PaillierFederation(tmp_path / "holder")


def asked(federation, number=1, *, left_out=()):
    request = federation.round(number)
    updates = federation.updates(request, small_vectors(5))
    return federation.asked(request, [u for name, u in updates.items() if name not in left_out])


def answers(federation):
    return sorted(federation.home.directory.glob("runs/*/sum-*.json"))


def test_the_answer_is_on_the_disk_before_it_is_given(federation, monkeypatch):
    """A disk that refuses to keep it: nothing is told, and the same question may be asked again."""
    question = asked(federation)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(HolderUnusable, match="cannot be written; no sum was given"):
            federation.home.open(question)
    assert answers(federation) == []

    assert federation.total(federation.round(), question) == plain_sum(small_vectors(5))


def test_a_crash_after_writing_gives_the_written_answer_to_whoever_asks_again(federation, monkeypatch):
    """The second question names other silos; what was written for the first is what both get."""
    request = federation.round()
    updates = federation.updates(request, small_vectors(5))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("privacy.paillier.holder_home._given", crash)
        with pytest.raises(KeyboardInterrupt):
            federation.home.open(federation.asked(request, updates.values()))
    fewer = federation.asked(request, [updates[name] for name in federation.names[:4]])

    assert federation.home.open(fewer).silos == tuple(federation.names)


def test_two_processes_asked_for_different_subsets_at_once_give_one_answer(federation):
    request = federation.round()
    updates = federation.updates(request, small_vectors(5))
    questions = [
        federation.asked(request, [u for name, u in updates.items() if name != left_out])
        for left_out in federation.names[:2]
    ]
    directory = federation.home.directory
    with HolderProcess(directory) as one, HolderProcess(directory) as two, ThreadPoolExecutor(2) as threads:
        opened = list(
            threads.map(lambda pair: pair[0].ask(pair[1], OpenedSum), zip((one, two), questions, strict=True))
        )

    assert opened[0] == opened[1]
    assert len(answers(federation)) == 1


@pytest.mark.parametrize("content", [b"", b"{}", b'{"question": 5}', b"[]"])
def test_a_damaged_record_of_an_answer_opens_nothing(federation, content):
    question = asked(federation)
    federation.home.open(question)
    answers(federation)[0].write_bytes(content)

    with pytest.raises((HolderUnusable, OpeningRefused)):
        federation.home.open(question)


def test_answers_and_secrets_are_for_the_owners_eyes_only(federation):
    federation.home.open(asked(federation))
    files = [path for path in federation.home.directory.glob("runs/*/*") if path.is_file()]

    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert [path.name for path in sorted(files)] == ["session", "sum-0000000001.json"]


def test_runs_do_not_share_answers(federation):
    """The same number in another run is another sum; its offer and roster are its own."""
    federation.home.open(asked(federation))

    federation.home.offer("run-2")

    assert len(list(federation.home.directory.glob("runs/*"))) == 2
    assert len(answers(federation)) == 1


def test_a_run_that_was_not_joined_is_not_started_or_opened(federation, tmp_path):
    stranger = PaillierFederation(tmp_path / "other")
    for path in stranger.home.directory.glob("runs/*/session"):
        path.unlink()
    with pytest.raises(HolderUnusable, match="has not joined this run"):
        stranger.home.open(asked(federation))
    with pytest.raises(HolderUnusable, match="has not joined this run"):
        stranger.home.start(federation.roster)


def test_a_roster_is_accepted_once_per_offer(federation):
    with pytest.raises(MaskStateDamaged, match="holder-session, not a holder-offer"):
        federation.home.start(federation.roster)
    federation.home.offer(RUN)
    federation.home.start(federation.roster)


def test_a_home_is_made_once(tmp_path):
    home = HolderHome(tmp_path / "holder")
    assert not home.exists
    home.create(WEAK, min_silos=3)

    assert home.exists
    assert home.identity.silo == "key-holder"
    assert PinnedPeers.load(home.peers_path).keys == {}
    with pytest.raises(HolderUnusable, match="a key holder already"):
        home.create(WEAK, min_silos=3)


def test_only_base64_is_pinned(federation):
    with pytest.raises(IdentityUnusable, match="nothing was pinned"):
        federation.home.pin("north", "not base64!")
