"""Encrypted sums through the real apps: exact, over whoever answers, and opened by the key holder alone."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flwr.app import Message, RecordDict

from clients.app import app as client_app
from clients.key_holder import running_holder
from privacy.paillier.aggregation import EncryptedUpdate
from privacy.paillier.holder_home import HolderHome
from privacy.paillier.holder_pipe import Introduce, Introduced
from privacy.wire import CONTRIBUTE, OPEN, START, SumRequest, from_record, to_record
from server.errors import RoundAborted, SiloRefused, SilosMissing
from server.run_plan import RunPlan, plan_run
from server.silo_exchange import SiloExchange
from server.sum_questions import FRACTION_BITS, MAX_ABS
from simulations.federation import enrol_together
from simulations.in_process_grid import Delivery, InProcessRun, Loss
from simulations.local_key_holder import HOLDER_NODE, local_key_holder
from tests.key_holder_files import SHORTER_KEY, with_key_holder
from tests.server.test_silo_exchange import TWO, TamperingGrid, units_in
from tests.small_federation import FIRST_NODE, SILOS, STORES, add_rules, nodes_of, settings_for

Files = tuple[Path, ...]


class Coordinator:
    """An exchange over three silos of the small world and a key holder, asking for the scales."""

    def __init__(self, silo_files: Files, holder_nodes: dict[int, Any], **grid: Any) -> None:
        tamper = grid.pop("tamper", {})
        nodes = {**nodes_of(silo_files), **holder_nodes}
        changes = {**SHORTER_KEY, "expected_silos": len(silo_files), **grid.pop("settings", {})}
        self.settings = settings_for(Path("unused"), **changes)
        spec = InProcessRun(nodes, self.settings.to_run_config(), **grid)
        self.grid = TamperingGrid(client_app, spec)
        self.grid.tamper = tamper
        self.exchange = SiloExchange(self.grid, self.settings)

    def started(self) -> RunPlan:
        plan = plan_run(self.settings, "run", self.exchange.gather())
        self.exchange.start(plan.invitation)
        return plan

    def sum(self, plan: RunPlan, number: int = 1) -> Any:
        length, digest = plan.model.scales_sum(private=False).length, plan.invitation.digest
        return self.exchange.sum(
            SumRequest("run", number, "scales", (), length, FRACTION_BITS, MAX_ABS, digest)
        )


@pytest.fixture
def holder(silo_files: Files) -> HolderHome:
    return with_key_holder(silo_files)


@pytest.fixture
def holder_nodes(silo_files: Files, holder: HolderHome) -> Iterator[dict[int, Any]]:
    enrol_together(silo_files)
    with local_key_holder(silo_files, settings_for(Path("unused"), **SHORTER_KEY)) as nodes:
        yield nodes


def test_a_sum_is_exact_over_all_silos(silo_files: Files, holder_nodes: dict[int, Any]) -> None:
    coordinator = Coordinator(silo_files, holder_nodes)

    answer = coordinator.sum(coordinator.started())

    assert (answer.silos, answer.failures) == (SILOS, ())
    assert units_in(answer.total) == 4 * STORES


def test_a_silo_that_drops_out_is_simply_not_in_the_sum(
    silo_files: Files, holder_nodes: dict[int, Any]
) -> None:
    coordinator = Coordinator(silo_files, holder_nodes, dropouts={Delivery(TWO, CONTRIBUTE): Loss.REPLY})

    answer = coordinator.sum(coordinator.started())

    assert units_in(answer.total) == 3 * STORES
    assert [failure.silo for failure in answer.failures] == ["silo-2"]


def test_below_the_threshold_nothing_is_opened(
    silo_files: Files, holder: HolderHome, holder_nodes: dict[int, Any]
) -> None:
    lost = {Delivery(FIRST_NODE + place, CONTRIBUTE): Loss.MESSAGE for place in (0, 1)}
    coordinator = Coordinator(silo_files, holder_nodes, dropouts=lost)

    with pytest.raises(RoundAborted, match="only 2 of 4 silos answered, 3 are needed"):
        coordinator.sum(coordinator.started())

    assert list(holder.directory.glob("runs/*/sum-*")) == []


def test_a_silo_that_sends_half_a_ciphertext_is_left_out(
    silo_files: Files, holder_nodes: dict[int, Any]
) -> None:
    def shorten(reply: Message) -> RecordDict:
        update = from_record(reply.content, EncryptedUpdate)
        return to_record(EncryptedUpdate(update.silo, update.context, update.ciphertexts[:-100]))

    coordinator = Coordinator(silo_files, holder_nodes, tamper={(TWO, CONTRIBUTE): shorten})

    answer = coordinator.sum(coordinator.started())

    assert units_in(answer.total) == 3 * STORES
    assert "wrong shape, round or sender" in answer.failures[0].reason


def test_one_changed_bit_of_a_ciphertext_stops_the_sum(
    silo_files: Files, holder_nodes: dict[int, Any]
) -> None:
    """A wrong sum is never returned."""

    def flip(reply: Message) -> RecordDict:
        update = from_record(reply.content, EncryptedUpdate)
        changed = bytes([*update.ciphertexts[:-1], update.ciphertexts[-1] ^ 1])
        return to_record(EncryptedUpdate(update.silo, update.context, changed))

    coordinator = Coordinator(silo_files, holder_nodes, tamper={(TWO, CONTRIBUTE): flip})

    with pytest.raises(RoundAborted, match="OpeningRefused: the ciphertexts do not hold the sum"):
        coordinator.sum(coordinator.started())


def test_a_lost_answer_is_given_again_when_the_run_is_resumed(
    silo_files: Files, holder_nodes: dict[int, Any]
) -> None:
    """The second time silo-2 is back; the sum is that of the first time, in which it was missing."""
    lost = {Delivery(TWO, CONTRIBUTE): Loss.MESSAGE, Delivery(HOLDER_NODE, OPEN): Loss.REPLY}
    first = Coordinator(silo_files, holder_nodes, dropouts=lost)
    with pytest.raises(RoundAborted, match="not opened by the key holder: no answer in time"):
        first.sum(first.started())

    again = Coordinator(silo_files, holder_nodes)
    answer = again.sum(again.started())

    assert answer.silos == ("silo-1", "silo-3", "silo-4")
    assert units_in(answer.total) == 3 * STORES


@pytest.mark.slow
def test_a_key_holder_that_was_killed_stops_the_sum_and_is_there_again_for_the_next(
    silo_files: Files, holder: HolderHome, holder_nodes: dict[int, Any]
) -> None:
    coordinator = Coordinator(silo_files, holder_nodes)
    plan = coordinator.started()
    process = running_holder(holder.directory.resolve()).ask(Introduce(), Introduced).process_id
    assert process != os.getpid()
    os.kill(process, signal.SIGKILL)

    with pytest.raises(RoundAborted, match="HolderGone: the key holder's process ended without an answer"):
        coordinator.sum(plan)
    assert units_in(coordinator.sum(plan, number=2).total) == 4 * STORES


def test_without_a_key_holder_the_run_does_not_start(silo_files: Files) -> None:
    with pytest.raises(SilosMissing, match="4 of 5 silos and key holder came within 1 s"):
        Coordinator(silo_files, {}).started()


def test_a_fifth_silo_is_no_key_holder(silo_files: Files) -> None:
    nodes = {HOLDER_NODE: nodes_of(silo_files)[FIRST_NODE]}
    with pytest.raises(SilosMissing, match="0 key holders answered, one is needed") as refused:
        Coordinator(silo_files, nodes).started()
    assert "key-holder=" in refused.value.hint


def test_a_key_holder_is_no_silo(silo_files: Files, holder_nodes: dict[int, Any]) -> None:
    """In a run without encryption its node counts for nothing."""
    masked = {"secure_aggregation": "masks", "expected_silos": 5}
    with pytest.raises(SilosMissing, match="4 nodes answered with 4 different silo names"):
        Coordinator(silo_files, holder_nodes, settings=masked).started()


def test_a_silo_refuses_a_modulus_shorter_than_its_own_rule(
    silo_files: Files, holder_nodes: dict[int, Any]
) -> None:
    add_rules(silo_files[2], min_modulus_bits=3072)
    with pytest.raises(
        SiloRefused, match=r"silo-3 does not take part: ModulusRefused: .* 2048 bits is too short"
    ):
        Coordinator(silo_files, holder_nodes).started()


def test_the_coordinator_refuses_a_modulus_shorter_than_the_run_asks_for(
    silo_files: Files, holder_nodes: dict[int, Any]
) -> None:
    with pytest.raises(SiloRefused, match="modulus has 2048 bits, the run asks for 3072"):
        Coordinator(silo_files, holder_nodes, settings={"paillier_bits": 3072}).started()


def test_a_key_holder_that_does_not_know_the_silos_refuses_before_any_silo_is_charged(
    silo_files: Files, holder: HolderHome, holder_nodes: dict[int, Any]
) -> None:
    holder.peers_path.write_text("[peers]\n", encoding="utf-8")
    asked: list[int] = []

    def note(reply: Message) -> RecordDict:
        asked.append(reply.metadata.src_node_id)
        return reply.content

    tamper = {(FIRST_NODE + place, START): note for place in range(4)}
    with pytest.raises(
        SiloRefused, match="key-holder does not take part: UntrustedPeer: no key is pinned for silo-1"
    ):
        Coordinator(silo_files, holder_nodes, tamper=tamper).started()
    assert asked == []
