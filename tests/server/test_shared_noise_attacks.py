"""Distributed noise against a lying coordinator: a silo's own share is small, so no sum may bare it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients.answer_sum import answer_sum
from clients.app import SESSION
from clients.errors import TermsRefused
from clients.membership import consider, start
from clients.session import Session
from clients.silo_home import SiloHome
from mmm_models.intake.silo_file import read_silo_spec
from privacy.identity import PinnedPeers, SiloIdentity
from privacy.masks.key_agreement import build_roster, offer_key
from privacy.masks.opened_sums import threshold_for_shared_noise
from privacy.masks.secure_aggregation import KeyAdvert
from privacy.run_terms import PrivacyTerms
from privacy.wire import CONTRIBUTE, JOIN, START, KeyRosterMessage, from_record
from server.masked_sums import MaskedSums
from server.run_plan import RunPlan, plan_run
from simulations.in_process_grid import Loss
from tests.server.lying_coordinator import (
    FOUR,
    NODES,
    ONE,
    THREE,
    TWO,
    Coordinator,
    Files,
    masked,
    reason,
)
from tests.small_federation import BARELY_PRIVATE

SHARED = {"privacy": "distributed", "epsilon": BARELY_PRIVATE, "delta": 1e-4}


@pytest.fixture
def coordinator(generous_silo_files: Files, tmp_path: Path) -> Coordinator:
    return Coordinator(generous_silo_files, tmp_path / "out", SHARED)


def refusals(coordinator: Coordinator, plan: RunPlan, *, left_out: int = 0, **changes: Any) -> list[str]:
    """What the silos say to sum 1."""
    request = coordinator.request(plan, **changes)
    return [reason(coordinator.say(node, CONTRIBUTE, request)) for node in NODES if node != left_out]


ANSWERED = [f"ReplayRefused: silo-{k} has already answered sum 1 of this run" for k in (1, 2, 3, 4)]


@pytest.mark.parametrize("left_out", [0, FOUR, ONE])
def test_a_sum_is_answered_once_ever_also_after_a_new_start(coordinator: Coordinator, left_out: int) -> None:
    """The attack: resume, leave a silo out (or none), ask for the same sum in the same words, and subtract."""
    coordinator.sum(coordinator.start())
    told = refusals(coordinator, coordinator.start(), left_out=left_out)
    expected = [words for words, node in zip(ANSWERED, NODES, strict=True) if node != left_out]
    assert [said[: len(words)] for said, words in zip(told, expected, strict=True)] == expected


def integers_of(coordinator: Coordinator, place: int, plan: RunPlan) -> np.ndarray:
    """What one silo would send for sum 1, looked up on its own machine."""
    path = coordinator.silo_files[place]
    context = coordinator.grid._contexts[NODES[place]]
    stored = context.state.config_records[SESSION][SESSION]
    assert isinstance(stored, bytes)
    session = Session.from_bytes(stored)
    return answer_sum(path, SiloHome.of(read_silo_spec(path)), session, coordinator.request(plan)).integers


def test_what_answering_twice_would_give_away(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with the rule taken out, two sums over different silos leave silo-4's vector with its one share."""
    monkeypatch.setattr(PrivacyTerms, "answered_once", False)
    whole = coordinator.sum(coordinator.start())
    again = coordinator.start()
    coordinator.grid.lost = {(FOUR, CONTRIBUTE): Loss.MESSAGE}
    without = coordinator.sum(again)
    assert (whole.integers - without.integers).tolist() == integers_of(coordinator, 3, again).tolist()


@pytest.mark.parametrize("loss", Loss)
def test_an_answer_lost_on_its_way_stays_lost(coordinator: Coordinator, loss: Loss) -> None:
    """The coordinator says it never got the vector; a request that was never delivered may be delivered late."""
    plan = coordinator.start()
    coordinator.grid.lost = {(TWO, CONTRIBUTE): loss}
    answer = coordinator.sum(plan)
    assert answer.silos == ("silo-1", "silo-3", "silo-4")
    coordinator.grid.lost = {}
    again = coordinator.say(TWO, CONTRIBUTE, coordinator.request(plan))
    if loss is Loss.REPLY:
        assert reason(again).startswith(ANSWERED[1])
    else:
        assert not again.has_error()  # but nobody helps to open it: the others unmasked this round
        assert all("ReplayRefused" in told for told in refusals(coordinator, plan, left_out=TWO))


def test_other_words_for_an_answered_sum_are_refused_too(coordinator: Coordinator) -> None:
    plan = coordinator.start()
    coordinator.sum(plan)
    for changes in ({"fraction_bits": 20}, {"max_abs": 2.0**27}):
        assert all("has already answered sum 1" in told for told in refusals(coordinator, plan, **changes))


def test_a_silo_that_failed_after_it_had_noted_the_sum_does_not_compute_it_again(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash never refunds: the note is written before the noise is drawn."""
    plan = coordinator.start()

    def crashes(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("clients.answer_sum.contribute", crashes)
        assert "MemoryError" in reason(coordinator.say(ONE, CONTRIBUTE, coordinator.request(plan)))
    again = coordinator.say(ONE, CONTRIBUTE, coordinator.request(plan))
    assert reason(again).startswith(ANSWERED[0])


def test_a_sum_of_fewer_silos_than_carry_the_noise_is_opened_by_nobody(coordinator: Coordinator) -> None:
    """Four silos, one may drop out: three are the survivors that the noise was sized for."""
    plan = coordinator.start()
    assert plan.privacy.survivors == 3
    told = masked(coordinator, plan)
    for node in (ONE, TWO):
        assert "than a silo asks for in a sum" in reason(told.ask(node, gone=(THREE, FOUR)))


@pytest.mark.parametrize(
    "change", [{"epsilon": 1.1 * BARELY_PRIVATE}, {"survivors": 4}, {"delta": 2e-4}, {"steps": 5}]
)
def test_a_started_run_cannot_be_started_again_with_less_noise(
    coordinator: Coordinator, change: dict[str, Any]
) -> None:
    plan = coordinator.start()
    other = replace(plan.invitation, **change)
    adverts = [from_record(coordinator.say(node, JOIN, other).content, KeyAdvert) for node in NODES]
    told = reason(coordinator.say(ONE, START, KeyRosterMessage.of(build_roster(adverts))))
    assert "ReplayRefused: silo-1 has already agreed to this run on other terms" in told


def test_a_share_of_noise_is_never_sent_in_clear(coordinator: Coordinator) -> None:
    """Also by a silo that would send local noise in clear."""
    plan = plan_run(coordinator.settings, "run", coordinator.exchange.gather())
    reply = coordinator.say(ONE, JOIN, replace(plan.invitation, secure_aggregation="none"))
    assert reason(reply).startswith("TermsRefused: silo-1 sends masked")


@pytest.mark.parametrize("threshold, accepted", [(7, False), (8, True)])
def test_a_roster_whose_threshold_lets_a_liar_open_too_little_noise_is_refused(
    coordinator: Coordinator, threshold: int, accepted: bool
) -> None:
    """Ten silos, eight survivors, one colluder: noise of seven is promised, at a threshold of seven six could do."""
    path, names = coordinator.silo_files[0], [f"silo-{letter}" for letter in "bcdefghij"]
    spec, home = read_silo_spec(path), SiloHome.of(read_silo_spec(path))
    plan = plan_run(coordinator.settings, "run", coordinator.exchange.gather())
    invitation = replace(plan.invitation, survivors=8, colluding=1)
    peers = [SiloIdentity.generate(name) for name in names]
    PinnedPeers({peer.silo: peer.public_key for peer in peers}).save(home.peers_path)
    session, own = consider(spec, home, invitation)
    adverts = [*([own] if own else []), *(offer_key(peer, "run", min_silos=8).advert for peer in peers)]
    message = KeyRosterMessage.of(build_roster(adverts, threshold=threshold))
    if accepted:
        assert start(home, session, message).started
        return
    with pytest.raises(TermsRefused, match="the noise of 6 honest silos; the run counts on 7"):
        start(home, session, message)
    assert home.ledger.summary().charges == ()


def test_the_coordinator_chooses_a_threshold_that_silos_accept(coordinator: Coordinator) -> None:
    plan = coordinator.start()
    assert isinstance(coordinator.exchange.sums, MaskedSums)
    chosen = coordinator.exchange.sums.roster.threshold
    assert chosen == threshold_for_shared_noise(4, survivors=plan.privacy.survivors, colluding=1) == 3
