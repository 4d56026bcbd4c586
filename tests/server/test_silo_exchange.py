"""Silos that drop out, fail, or answer nonsense: named, left out or the round stopped, never averaged in."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Error, Message, RecordDict

from mmm_models.scaling import OCTAVES
from privacy.errors import RosterRefused
from privacy.masks.secret_sharing import SHARE_BYTES
from privacy.masks.secure_aggregation import UnmaskReply
from privacy.update_messages import MaskedUpdateMessage, PlainUpdate
from privacy.wire import (
    CONTRIBUTE,
    HELLO,
    JOIN,
    RECORD,
    START,
    UNMASK,
    Acknowledgement,
    Introduction,
    KeyRosterMessage,
    SumRequest,
    from_record,
    to_record,
)
from server.errors import RoundAborted, SiloRefused, SilosMissing
from server.masked_sums import MaskedSums
from server.run_plan import RunPlan, plan_run
from server.silo_exchange import SiloExchange
from server.sum_questions import FRACTION_BITS, MAX_ABS
from simulations.in_process_grid import Delivery, InProcessGrid, Loss
from tests.small_federation import FIRST_NODE, SILOS, STORES, add_rules, data_file, grid_of, settings_for

Files = tuple[Path, ...]
ONE, TWO, THREE, FOUR = (FIRST_NODE + place for place in range(4))
Tamper = Callable[[Message], RecordDict | Error]


class TamperingGrid(InProcessGrid):
    """Changes the replies of some silos to some messages on their way."""

    tamper: dict[tuple[int, str], Tamper]

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        replies = super().send_and_receive(messages, timeout=timeout)
        for place, reply in enumerate(replies):
            change = self.tamper.get((reply.metadata.src_node_id, reply.metadata.message_type))
            if change is not None:
                changed = change(reply)
                if isinstance(changed, Error):
                    reply.__dict__["_error"], reply.__dict__["_content"] = changed, None
                else:
                    reply.content = changed
                replies[place] = reply
        return replies


class Coordinator:
    """An exchange over the small world's silos, asking for the scales."""

    def __init__(
        self,
        silo_files: Files,
        out: Path,
        *,
        dropouts: dict[Delivery, Loss] | None = None,
        tamper: dict[tuple[int, str], Tamper] | None = None,
        **settings: Any,
    ) -> None:
        self.settings = settings_for(out, **{"expected_silos": len(silo_files), **settings})
        grid = grid_of(silo_files, self.settings, dropouts=dropouts, kind=TamperingGrid)
        assert isinstance(grid, TamperingGrid)
        grid.tamper = tamper or {}
        self.exchange = SiloExchange(grid, self.settings)

    def started(self) -> RunPlan:
        plan = plan_run(self.settings, "run", self.exchange.gather())
        self.exchange.start(plan.invitation)
        return plan

    def sum(self, plan: RunPlan, number: int = 1) -> Any:
        length = plan.model.scales_sum(private=False).length
        digest = plan.invitation.digest
        return self.exchange.sum(
            SumRequest("run", number, "scales", (), length, FRACTION_BITS, MAX_ABS, digest)
        )

    def sum_after_start(self) -> Any:
        return self.sum(self.started())


def units_in(total: np.ndarray) -> float:
    """Each silo has STORES units; the last value of the scales counts them."""
    return float(total[-1])


@pytest.mark.parametrize("secure_aggregation", ["masks", "none"])
def test_a_sum_is_exact_over_all_silos(silo_files: Files, tmp_path: Path, secure_aggregation: str) -> None:
    answer = Coordinator(silo_files, tmp_path, secure_aggregation=secure_aggregation).sum_after_start()

    assert answer.silos == SILOS
    assert answer.failures == ()
    assert units_in(answer.total) == 4 * STORES
    first_quantity = answer.total[:OCTAVES]
    assert first_quantity.sum() == 4 * STORES
    assert np.array_equal(first_quantity, np.round(first_quantity))


def test_silos_are_summed_in_name_order_whoever_answers_first(silo_files: Files, tmp_path: Path) -> None:
    answer = Coordinator(silo_files[::-1], tmp_path).sum_after_start()

    assert answer.silos == SILOS


DROPOUTS: dict[str, tuple[dict[Delivery, Loss], int, tuple[str, ...]]] = {
    "never got the request": ({Delivery(TWO, CONTRIBUTE): Loss.MESSAGE}, 3, ("silo-2",)),
    "its update was lost": ({Delivery(TWO, CONTRIBUTE): Loss.REPLY}, 3, ("silo-2",)),
    "never got the unmask request": ({Delivery(TWO, UNMASK): Loss.MESSAGE}, 4, ("silo-2",)),
    "its shares were lost": ({Delivery(TWO, UNMASK): Loss.REPLY}, 4, ("silo-2",)),
}


@pytest.mark.parametrize("what", DROPOUTS)
def test_one_of_four_may_drop_out_at_any_stage(silo_files: Files, tmp_path: Path, what: str) -> None:
    """A silo whose masked update arrived is in the sum, also when it drops out before unmasking."""
    dropouts, counted, named = DROPOUTS[what]

    answer = Coordinator(silo_files, tmp_path, dropouts=dropouts).sum_after_start()

    assert units_in(answer.total) == counted * STORES
    assert len(answer.silos) == counted
    assert tuple(failure.silo for failure in answer.failures) == named
    assert answer.failures[0].reason == "no answer in time"


BOTH = {Delivery(TWO, CONTRIBUTE): Loss.MESSAGE, Delivery(THREE, UNMASK): Loss.MESSAGE}


def test_with_four_silos_losing_one_at_each_stage_is_too_much(silo_files: Files, tmp_path: Path) -> None:
    """Four silos need three that unmask."""
    with pytest.raises(
        RoundAborted, match=r"only 2 of 4 silos answered, 3 are needed \(silo-2: .*; silo-3: "
    ):
        Coordinator(silo_files, tmp_path, dropouts=BOTH).sum_after_start()


def test_below_the_threshold_the_round_stops_and_names_who_is_missing(
    silo_files: Files, tmp_path: Path
) -> None:
    lost = {Delivery(node, CONTRIBUTE): Loss.MESSAGE for node in (TWO, FOUR)}

    with pytest.raises(RoundAborted, match=r"only 2 of 4 silos answered, 3 are needed") as refused:
        Coordinator(silo_files, tmp_path, dropouts=lost).sum_after_start()

    assert "silo-2: no answer in time; silo-4: no answer in time" in str(refused.value)
    assert "resume" in refused.value.hint


def test_the_next_round_counts_a_silo_that_came_back(silo_files: Files, tmp_path: Path) -> None:
    coordinator = Coordinator(silo_files, tmp_path, dropouts={Delivery(TWO, CONTRIBUTE): Loss.REPLY})
    plan = coordinator.started()

    first, second = coordinator.sum(plan), coordinator.sum(plan, number=2)

    assert (units_in(first.total), units_in(second.total)) == (3 * STORES, 4 * STORES)


def test_a_silo_that_dropped_out_is_told_as_a_failure_and_stops_a_strict_run(
    silo_files: Files, tmp_path: Path
) -> None:
    lost = {Delivery(TWO, CONTRIBUTE): Loss.MESSAGE}

    with pytest.raises(RoundAborted, match=r"a silo failed \(silo-2") as refused:
        Coordinator(silo_files, tmp_path, dropouts=lost, on_failure="abort").sum_after_start()

    assert "--on-failure exclude" in refused.value.hint


def test_a_silo_that_fails_while_unmasking_stops_a_strict_run(silo_files: Files, tmp_path: Path) -> None:
    lost = {Delivery(TWO, UNMASK): Loss.MESSAGE}

    with pytest.raises(RoundAborted, match=r"a silo failed \(silo-2"):
        Coordinator(silo_files, tmp_path, dropouts=lost, on_failure="abort").sum_after_start()


def changed(kind: type[Any], **changes: Any) -> Tamper:
    return lambda reply: to_record(replace(from_record(reply.content, kind), **changes))


def words(*values: int, first: int = 0) -> Tamper:
    """A vector in clear that holds these integers from place `first` on."""

    def change(reply: Message) -> RecordDict:
        update = from_record(reply.content, PlainUpdate)
        vector = np.frombuffer(update.vector, "<u8").copy()
        vector[np.arange(len(values)) + first] = np.array(values, dtype=np.uint64)
        return to_record(replace(update, vector=vector.tobytes()))

    return change


TOO_LARGE = int(MAX_ABS * 2**FRACTION_BITS) + 1
NONSENSE_IN_CLEAR: dict[str, Tamper] = {
    "a vector too short": changed(PlainUpdate, vector=b"\x00" * 8),
    "half an integer": changed(PlainUpdate, vector=b"\x00" * 7),
    "a value out of range": words(TOO_LARGE),
    "a negative value out of range": words(2**64 - TOO_LARGE),
    "the smallest integer": words(2**63),
    "the vector of another round": changed(PlainUpdate, context=b"x" * 32),
    "another silo's name": changed(PlainUpdate, silo="silo-1"),
    "another message": lambda _: to_record(Acknowledgement("silo-2")),
    "an empty message": lambda _: RecordDict(),
    "an error": lambda _: Error(1002, "LinAlgError (its text stays in the silo)"),
}


@pytest.mark.parametrize("what", NONSENSE_IN_CLEAR)
def test_nonsense_in_clear_is_named_and_left_out(silo_files: Files, tmp_path: Path, what: str) -> None:
    tamper = {(TWO, CONTRIBUTE): NONSENSE_IN_CLEAR[what]}

    answer = Coordinator(silo_files, tmp_path, tamper=tamper, secure_aggregation="none").sum_after_start()

    assert [failure.silo for failure in answer.failures] == ["silo-2"]
    assert answer.silos == ("silo-1", "silo-3", "silo-4")
    assert units_in(answer.total) == 3 * STORES
    assert answer.total[:OCTAVES].sum() == 3 * STORES


def test_the_largest_allowed_value_is_no_nonsense(silo_files: Files, tmp_path: Path) -> None:
    """As the number of units, the last value: a count above it would be a lie."""
    tamper = {(TWO, CONTRIBUTE): words(TOO_LARGE - 1, first=-1)}

    answer = Coordinator(silo_files, tmp_path, tamper=tamper, secure_aggregation="none").sum_after_start()

    assert answer.failures == ()


NONSENSE_MASKED: dict[str, Tamper] = {
    "a vector too short": changed(MaskedUpdateMessage, masked=b"\x00" * 8),
    "half an integer": changed(MaskedUpdateMessage, masked=b"\x00" * 7),
    "another round": changed(MaskedUpdateMessage, context=b"x" * 32),
    "another silo's name": changed(MaskedUpdateMessage, silo="silo-1"),
    "no shares": changed(MaskedUpdateMessage, boxes=()),
    "commitments cut off": changed(MaskedUpdateMessage, commitments=b""),
    "the vector in clear": lambda _: to_record(PlainUpdate("silo-2", b"x" * 32, b"")),
    "an error": lambda _: Error(1001, "ValueOutOfRange: 3 of 100 values are not finite\nlower the rate"),
}


@pytest.mark.parametrize("what", NONSENSE_MASKED)
def test_a_masked_update_of_the_wrong_shape_is_named_and_left_out(
    silo_files: Files, tmp_path: Path, what: str
) -> None:
    tamper = {(TWO, CONTRIBUTE): NONSENSE_MASKED[what]}

    answer = Coordinator(silo_files, tmp_path, tamper=tamper).sum_after_start()

    assert [failure.silo for failure in answer.failures] == ["silo-2"]
    assert units_in(answer.total) == 3 * STORES


def test_wrong_shares_are_found_and_their_sender_named(silo_files: Files, tmp_path: Path) -> None:
    tamper = {(TWO, UNMASK): changed(UnmaskReply, self_shares=bytes(4 * SHARE_BYTES))}

    answer = Coordinator(silo_files, tmp_path, tamper=tamper).sum_after_start()

    assert [(failure.silo, failure.reason) for failure in answer.failures] == [
        ("silo-2", "sent wrong shares")
    ]
    assert units_in(answer.total) == 4 * STORES


def test_wrong_shares_stop_a_strict_run(silo_files: Files, tmp_path: Path) -> None:
    tamper = {(TWO, UNMASK): changed(UnmaskReply, self_shares=bytes(4 * SHARE_BYTES))}

    with pytest.raises(RoundAborted, match="silo-2: sent wrong shares"):
        Coordinator(silo_files, tmp_path, tamper=tamper, on_failure="abort").sum_after_start()


def test_a_silos_reason_and_hint_become_one_line(silo_files: Files, tmp_path: Path) -> None:
    tamper = {(TWO, CONTRIBUTE): NONSENSE_MASKED["an error"]}

    answer = Coordinator(silo_files, tmp_path, tamper=tamper).sum_after_start()

    assert answer.failures[0].reason == ("ValueOutOfRange: 3 of 100 values are not finite; lower the rate")


def test_too_few_silos_are_counted(silo_files: Files, tmp_path: Path) -> None:
    coordinator = Coordinator(silo_files, tmp_path, expected_silos=5, wait_seconds=0.06)

    with pytest.raises(SilosMissing, match=r"4 of 5 silos came within 0\.06 s"):
        coordinator.exchange.gather()


def test_two_clients_of_one_silo_are_refused(silo_files: Files, tmp_path: Path) -> None:
    name = changed(Introduction, silo="silo-1")

    with pytest.raises(SilosMissing, match="4 nodes answered with 3 different silo names"):
        Coordinator(silo_files, tmp_path, tamper={(TWO, HELLO): name}).exchange.gather()


def test_a_silo_that_refuses_the_terms_is_named_with_its_own_words(silo_files: Files, tmp_path: Path) -> None:
    add_rules(silo_files[1], minimum_mode="local")

    with pytest.raises(
        SiloRefused, match="silo-2 does not take part: TermsRefused: silo-2 trains"
    ) as refused:
        Coordinator(silo_files, tmp_path).started()

    assert refused.value.hint == "run with --privacy local, or leave silo-2 out"


@pytest.mark.parametrize("kind", [JOIN, START])
def test_a_silo_that_is_gone_before_the_start_stops_the_run(
    silo_files: Files, tmp_path: Path, kind: str
) -> None:
    with pytest.raises(SiloRefused, match="silo-2 does not take part: no answer in time"):
        Coordinator(silo_files, tmp_path, dropouts={Delivery(TWO, kind): Loss.MESSAGE}).started()


@pytest.mark.parametrize("kind", [HELLO, JOIN, START])
def test_a_malformed_answer_before_the_start_stops_the_run(
    silo_files: Files, tmp_path: Path, kind: str
) -> None:
    tamper: dict[tuple[int, str], Tamper] = {(TWO, kind): lambda _: RecordDict()}

    with pytest.raises(SiloRefused, match="malformed answer"):
        Coordinator(silo_files, tmp_path, tamper=tamper).started()


def test_a_silo_may_not_join_under_another_name(silo_files: Files, tmp_path: Path) -> None:
    def renamed(reply: Message) -> RecordDict:
        content = dict(reply.content.config_records[RECORD])
        return RecordDict({RECORD: type(reply.content.config_records[RECORD])({**content, "silo": "silo-1"})})

    with pytest.raises(SiloRefused, match="silo-2"):
        Coordinator(silo_files, tmp_path, tamper={(TWO, JOIN): renamed}).started()


def test_two_silos_with_masks_are_refused_before_any_data_are_read(silo_files: Files, tmp_path: Path) -> None:
    for path in silo_files[:2]:
        data_file(path).unlink()

    with pytest.raises(RosterRefused, match="2 silos are too few") as refused:
        Coordinator(silo_files[:2], tmp_path).started()

    assert "more silos" in refused.value.hint


def test_a_roster_in_which_a_key_was_swapped_is_refused_by_the_silos(
    silo_files: Files, tmp_path: Path
) -> None:
    """A coordinator that puts its own key in a silo's place could read the peers' updates."""
    coordinator = Coordinator(silo_files, tmp_path)
    plan = coordinator.started()
    link, sums = coordinator.exchange.link, coordinator.exchange.sums
    assert isinstance(sums, MaskedSums)
    honest = KeyRosterMessage.of(sums.roster)
    keys = (b"\x09" + bytes(31), *honest.exchange_keys[1:])
    joined = link.ask_all(JOIN, to_record(plan.invitation))
    assert set(joined) == set(SILOS)

    with pytest.raises(SiloRefused, match="does not take part"):
        link.ask_all(START, to_record(replace(honest, exchange_keys=keys)))
