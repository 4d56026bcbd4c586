"""A coordinator that asks for too much, too often or too late, against the silos' real client apps."""

from pathlib import Path
from typing import Any

import pytest

from privacy.masks.secure_aggregation import UnmaskReply
from privacy.update_messages import unpack_integers
from privacy.wire import CONTRIBUTE, RECORD, from_record
from simulations.in_process_grid import Loss
from tests.server.lying_coordinator import FOUR, NODES, ONE, THREE, TWO, Coordinator, Files, masked, reason
from tests.small_federation import STORES, add_rules


@pytest.fixture
def coordinator(silo_files: Files, tmp_path: Path) -> Coordinator:
    return Coordinator(silo_files, tmp_path / "out")


def test_a_silo_unmasks_once_whatever_it_is_told_the_second_time(coordinator: Coordinator) -> None:
    told = masked(coordinator, coordinator.start())
    assert not told.ask(ONE).has_error()
    for gone in ((), (FOUR,), (TWO,)):
        assert reason(told.ask(ONE, gone=gone)).startswith("UnmaskRefused: no masked round is waiting")


@pytest.mark.parametrize(
    "gone, changes, words",
    [
        ((), {"dropped": ("silo-4",)}, "called both alive and dropped"),
        ((THREE, FOUR), {}, "fewer silos are alive than the threshold"),
        ((ONE,), {}, "is not called alive"),
        ((), {"context": bytes(32)}, "another round or silo"),
        ((), {"silo": "silo-2"}, "another round or silo"),
    ],
)
def test_a_request_to_unmask_that_is_no_honest_one_is_refused_and_costs_nothing(
    coordinator: Coordinator, gone: tuple[int, ...], changes: dict[str, Any], words: str
) -> None:
    told = masked(coordinator, coordinator.start())
    assert words in reason(told.ask(ONE, gone=gone, **changes))
    assert from_record(told.ask(ONE).content, UnmaskReply).silo == "silo-1"


def test_no_split_of_the_silos_into_two_stories_gives_enough_replies_for_both(
    coordinator: Coordinator,
) -> None:
    """`last` of them hear that silo-4 has dropped out, the others that all are alive; three replies open a sum."""
    plan = coordinator.start()
    for number, told_all in enumerate(range(4), start=1):
        told = masked(coordinator, plan, number)
        replies = {
            node: told.ask(node, gone=() if place < told_all else (FOUR,)) for place, node in enumerate(NODES)
        }
        alive = sum(not replies[node].has_error() for node in NODES[:told_all])
        dropped = sum(not replies[node].has_error() for node in NODES[told_all:])
        assert min(alive, dropped) < 3
        assert "is not called alive" in reason(replies[FOUR])


def test_a_request_to_contribute_that_comes_again_is_refused(coordinator: Coordinator) -> None:
    plan = coordinator.start()
    masked(coordinator, plan, number=2)
    for number in (1, 2):
        again = coordinator.say(ONE, CONTRIBUTE, coordinator.request(plan, number))
        assert reason(again).startswith(f"RoundRefused: round {number} came again or late, after round 2")


def test_after_a_new_start_the_same_sum_wears_new_masks_and_the_old_round_is_gone(
    coordinator: Coordinator,
) -> None:
    """Resuming: the same run, the same number, the same data. Old shares open nothing of the new round."""
    before = masked(coordinator, coordinator.start())
    after = masked(coordinator, coordinator.start())
    for node in NODES:
        old, new = (unpack_integers(told.updates[node].masked) for told in (before, after))
        assert not set(old.tolist()) & set(new.tolist())
        hashes = [told.updates[node].commitments for told in (before, after)]
        assert not {hashes[0][k : k + 32] for k in range(0, 128, 32)} & {
            hashes[1][k : k + 32] for k in range(0, 128, 32)
        }
        assert "another round or silo" in reason(before.ask(node))
    mixed = tuple(before.updates[peer].boxes[0] for peer in NODES)
    assert "ShareRejected" in reason(after.ask(ONE, boxes=mixed))


def test_in_one_run_a_round_with_and_a_round_without_a_silo_differ_by_its_vector(
    coordinator: Coordinator,
) -> None:
    """Without noise no mask can hide this; `privacy.min_silos` forbids the smaller sum, as the next test shows."""
    plan = coordinator.start()
    whole = coordinator.sum(plan, 1)
    coordinator.grid.lost = {(FOUR, CONTRIBUTE): Loss.MESSAGE}
    without = coordinator.sum(plan, 2)
    assert float(whole.total[-1] - without.total[-1]) == STORES


def test_a_silo_that_asks_for_all_of_them_is_in_no_smaller_sum(silo_files: Files, tmp_path: Path) -> None:
    add_rules(silo_files[1], min_silos=4)
    coordinator = Coordinator(silo_files, tmp_path / "out")
    told = masked(coordinator, coordinator.start())
    for node in (ONE, TWO, THREE):
        assert "than a silo asks for in a sum" in reason(told.ask(node, gone=(FOUR,)))
    assert RECORD in told.ask(ONE).content
