"""A service that restores, forks, swaps or forgets states, or forges confirmations, gets no release for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

import pytest

from cleanroom.errors import KeyRefused, StateRolledBack
from cleanroom.release.history import History
from cleanroom.worker.executor import CommitRequest
from cleanroom.worker.job import SealedState
from cleanroom.worker.key_exchange import confirmation
from cleanroom.worker.sealed_history import KnownState, StatePlace, open_state, seal_state
from tests.cleanroom.worker.conftest import Room
from tests.cleanroom.worker.two_owners import BOTH, CRM_ALONE, PANEL_ALONE, STATE_KEY, Brokers


def rolled_back(room: Room, sql: str, *candidates: tuple[str, bytes]) -> None:
    """No release and no state that leads anywhere."""
    commits = len(room.brokers.commits)
    with pytest.raises(StateRolledBack, match="nothing was released"):
        room.run(replace(room.tables.job(sql), candidates=candidates))
    assert len(room.brokers.commits) == commits
    assert b'"state"' not in b"".join(room.backend.started[-1].sent)


def state_after(room: Room, sql: str) -> tuple[str, bytes]:
    state = room.ask(sql).state
    assert state is not None
    return state.id, state.sealed


def test_a_rolled_back_state_is_refused(room: Room) -> None:
    older = state_after(room, BOTH)
    state_after(room, BOTH)

    rolled_back(room, BOTH, older)


def test_a_forked_state_is_refused(room: Room) -> None:
    """Two releases from one state: whoever took part in the first does not know the second."""
    state_after(room, BOTH)
    base = room.memory.candidates
    state_after(room, CRM_ALONE)
    forked = room.run(replace(room.tables.job(PANEL_ALONE), candidates=base)).state
    assert forked is not None

    rolled_back(room, BOTH, (forked.id, forked.sealed))
    rolled_back(room, CRM_ALONE, (forked.id, forked.sealed))


def test_a_state_of_another_collaboration_is_refused(room: Room) -> None:
    """Even under the same key, id and lineage."""
    state_id, sealed = state_after(room, BOTH)
    known = open_state(StatePlace("col-a", STATE_KEY), [(state_id, sealed)], {})
    foreign = seal_state(StatePlace("col-b", STATE_KEY), known, {}, known.history)

    rolled_back(room, BOTH, (foreign.id, foreign.sealed))
    rolled_back(room, BOTH, (state_id, foreign.sealed))


def test_a_state_under_another_key_is_refused(room: Room) -> None:
    state_id, sealed = state_after(room, BOTH)
    known = open_state(StatePlace("col-a", STATE_KEY), [(state_id, sealed)], {})
    own = seal_state(StatePlace("col-a", bytes(32)), known, {}, known.history)

    rolled_back(room, BOTH, (own.id, own.sealed))


def test_a_state_under_another_s_id_is_refused(room: Room) -> None:
    _, older = state_after(room, BOTH)
    newer, _ = state_after(room, BOTH)

    rolled_back(room, BOTH, (newer, older))


def test_a_state_with_a_changed_byte_is_refused(room: Room) -> None:
    state_id, sealed = state_after(room, BOTH)
    changed = bytearray(sealed)
    changed[len(changed) // 2] ^= 1

    rolled_back(room, BOTH, (state_id, bytes(changed)))


def test_no_state_is_refused_once_an_owner_has_committed_to_one(room: Room) -> None:
    state_after(room, CRM_ALONE)

    rolled_back(room, CRM_ALONE)
    rolled_back(room, BOTH)  # the publisher has not, the advertiser has


def test_no_state_will_do_for_owners_who_never_committed_to_one(room: Room) -> None:
    state_after(room, CRM_ALONE)

    body = room.run(room.tables.job(PANEL_ALONE)).release["body"]
    assert body["history"]["before"] == ""


class Silent(Brokers):
    """No broker confirms anything, though all may have committed."""

    def confirm(self, request: CommitRequest) -> Mapping[str, str]:
        super().confirm(request)
        raise KeyRefused("an owner's broker did not answer", hint="ask again")


def test_a_state_that_was_prepared_and_never_confirmed_is_gone_on_from(room: Room) -> None:
    """Whether owners committed to it or not: its release may have been computed, though it did not leave."""
    state_after(room, BOTH)
    honest, room.brokers = room.brokers, Silent(room.tables.keys, dict(room.brokers.committed))
    with pytest.raises(KeyRefused):
        room.ask(BOTH)
    pending = room.memory.pending
    assert pending is not None
    room.brokers = Brokers(room.tables.keys, dict(honest.committed))  # none of them has committed
    uncommitted = room.ask(BOTH).release["body"]["history"]["before"]

    assert uncommitted == pending[0]


def test_a_state_to_which_owners_committed_is_needed_though_it_was_never_confirmed(room: Room) -> None:
    state_after(room, BOTH)
    room.brokers = Silent(room.tables.keys, dict(room.brokers.committed))
    with pytest.raises(KeyRefused):
        room.ask(BOTH)
    assert room.memory.current is not None
    assert room.memory.pending is not None
    room.brokers = Brokers(room.tables.keys, dict(room.brokers.committed))

    rolled_back(room, BOTH, room.memory.current)
    assert (
        room.ask(BOTH).release["body"]["history"]["before"] == room.brokers.commits[0].previous["advertiser"]
    )


def test_one_owner_that_committed_and_one_that_did_not_still_agree_on_the_newer_state(room: Room) -> None:
    before = state_after(room, BOTH)
    committed = {**room.brokers.committed}
    after = state_after(room, BOTH)
    room.brokers.committed = {"advertiser": after[0], "publisher": committed["publisher"]}
    room.memory.current, room.memory.pending = before, after

    assert room.ask(BOTH).release["body"]["history"]["before"] == after[0]


@pytest.mark.parametrize("lie", ["forged", "empty", "of another state", "of the other owner", "no text"])
def test_a_confirmation_that_is_none_lets_no_release_out(room: Room, lie: str) -> None:
    class Lying(Brokers):
        def confirm(self, request: CommitRequest) -> Mapping[str, str]:
            genuine = dict(super().confirm(request))
            other = confirmation(self.confirm_keys["publisher"], os.urandom(32).hex())
            lies: dict[str, str] = {
                "forged": confirmation(bytes(32), self.commits[-1].next),
                "empty": "",
                "of another state": other,
                "of the other owner": genuine["advertiser"],
                "no text": "\udcff",
            }
            return {**genuine, "publisher": lies[lie]}

    room.brokers = Lying(room.tables.keys)
    with pytest.raises(KeyRefused, match="nothing was released"):
        room.ask(BOTH)
    assert b'"release"' not in b"".join(room.backend.started[-1].sent)


@pytest.mark.parametrize("owners", [(), ("advertiser",), ("advertiser", "publisher", "somebody")])
def test_confirmations_missing_or_too_many_let_no_release_out(room: Room, owners: tuple[str, ...]) -> None:
    class Partial(Brokers):
        def confirm(self, request: CommitRequest) -> Mapping[str, str]:
            genuine = dict(super().confirm(request))
            return {owner: genuine.get(owner, "0" * 64) for owner in owners}

    room.brokers = Partial(room.tables.keys)
    with pytest.raises(KeyRefused, match="nothing was released"):
        room.ask(BOTH)
    assert b'"release"' not in b"".join(room.backend.started[-1].sent)


def test_owners_are_asked_only_once_the_state_is_kept_and_not_at_all_if_it_cannot_be(room: Room) -> None:
    def full_disk(state: SealedState) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        room.executor().execute(room.tables.job(BOTH), full_disk)
    assert room.brokers.commits == []
    assert b'"release"' not in b"".join(room.backend.started[-1].sent)


def test_a_state_says_nothing_by_its_size_or_bytes(room: Room) -> None:
    state_id, sealed = state_after(room, BOTH)
    again_id, again = state_after(room, BOTH)  # adds nothing to the history

    assert len(sealed) == len(again)
    assert (state_id, sealed) != (again_id, again)


def test_an_owner_s_lineage_starts_at_what_it_committed_to(room: Room) -> None:
    """So it does not grow with every release, and holds those that nobody confirmed."""
    known = KnownState(
        "1" * 64, room_history(room), {"advertiser": ("0" * 64, "1" * 64), "publisher": ("1" * 64,)}
    )
    place = StatePlace("col-a", STATE_KEY)
    state = seal_state(place, known, {"advertiser": "1" * 64}, known.history)

    opened = open_state(place, [(state.id, state.sealed)], {})
    assert opened.lineage == {"advertiser": ("1" * 64, state.id), "publisher": ("1" * 64,)}


def room_history(room: Room) -> History:
    state_id, sealed = state_after(room, BOTH)
    return open_state(StatePlace("col-a", STATE_KEY), [(state_id, sealed)], {}).history
