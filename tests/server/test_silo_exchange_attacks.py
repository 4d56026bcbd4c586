"""A coordinator that tells some silos other things than the rest, against their real client apps."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Message, RecordDict

from mmm_models.federated_spec import FederatedModel
from mmm_models.network import MediaResponse
from mmm_models.scaling import Scales
from mmm_models.training import get_vector
from privacy.masks.secure_aggregation import KeyRoster, smallest_threshold
from privacy.update_messages import MaskedUpdateMessage, PlainUpdate, unpack_integers
from privacy.wire import (
    CONTRIBUTE,
    JOIN,
    START,
    UNMASK,
    Invitation,
    KeyRosterMessage,
    SumRequest,
    from_record,
    pack_vector,
    to_record,
)
from server.aggregation import ModelState
from server.errors import RoundAborted, SiloRefused
from server.run_plan import plan_run
from server.sum_questions import FRACTION_BITS, round_question
from tests.server.lying_coordinator import ONE, TWO, Coordinator, Files, changed, units_in
from tests.small_federation import STORES, add_rules


@pytest.fixture
def coordinator(silo_files: Files, tmp_path: Path) -> Coordinator:
    return Coordinator(silo_files, tmp_path / "out")


def roster_of(content: RecordDict) -> KeyRoster:
    return from_record(content, KeyRosterMessage).roster()


def test_a_silo_that_is_shown_a_smaller_roster_is_left_out_and_named(coordinator: Coordinator) -> None:
    """silo-1 joins three, the others four; every advert is genuine. Its masks would not cancel with theirs."""

    def without_last(message: Message) -> RecordDict:
        adverts = roster_of(message.content).adverts[:3]
        return to_record(KeyRosterMessage.of(KeyRoster("run", smallest_threshold(3), adverts)))

    coordinator.grid.forged = {(ONE, START): without_last}
    answer = coordinator.sum(coordinator.start())
    assert answer.silos == ("silo-2", "silo-3", "silo-4")
    assert [failure.silo for failure in answer.failures] == ["silo-1"]
    assert units_in(answer) == 3 * STORES


START_ATTACKS: dict[str, tuple[Callable[[KeyRosterMessage], dict[str, Any]], str]] = {
    "a swapped key": (
        lambda m: {"exchange_keys": (m.exchange_keys[0], b"\x09" + bytes(31), *m.exchange_keys[2:])},
        "UntrustedPeer: the key offered for silo-2 is not signed",
    ),
    "an unsigned key": (
        lambda m: {"signatures": (m.signatures[0], b"", *m.signatures[2:])},
        "UntrustedPeer: the key offered for silo-2 is not signed",
    ),
    "a key signed for another silo": (
        lambda m: {"exchange_keys": (m.exchange_keys[0], m.exchange_keys[2], *m.exchange_keys[2:])},
        "RosterRefused: one exchange key stands under two names",
    ),
    "a lowered threshold": (lambda m: {"threshold": 2}, "RosterRefused: threshold 2 of 4 is not above"),
    "no threshold": (lambda m: {"threshold": 0}, "RosterRefused: threshold 0 does not lie"),
    "a lowered minimum": (
        lambda m: {"min_silos": (3, 2, 3, 3)},
        "UntrustedPeer: the key offered for silo-2 is not signed",
    ),
    "a roster of two": (
        lambda m: (
            {name: getattr(m, name)[:2] for name in ("silos", "min_silos", "exchange_keys", "signatures")}
            | {"threshold": 2}
        ),
        "RosterRefused: the roster has 2 silos, silo-1 asks for at least 3",
    ),
    "no roster at all": (
        lambda m: {"silos": (), "min_silos": (), "exchange_keys": (), "signatures": (), "threshold": 0},
        "RosterRefused: threshold 0 does not lie",
    ),
}


@pytest.mark.parametrize("attack", START_ATTACKS)
def test_a_forged_roster_is_refused_in_the_silos_own_words_and_no_data_are_read(
    coordinator: Coordinator, attack: str
) -> None:
    change, words = START_ATTACKS[attack]

    def forge(message: Message) -> RecordDict:
        honest = from_record(message.content, KeyRosterMessage)
        return to_record(replace(honest, **change(honest)))

    coordinator.grid.forged = {(ONE, START): forge}
    with pytest.raises(SiloRefused, match="silo-1 does not take part") as refused:
        coordinator.start()
    assert words in str(refused.value)
    assert CONTRIBUTE not in coordinator.grid.sent


def other_model(message: Message) -> RecordDict:
    """The same run with another model behind it."""
    honest = from_record(message.content, Invitation)
    model = FederatedModel.model_validate_json(honest.model)
    other = model.model_copy(update={"weeks": model.weeks - 1})
    return to_record(replace(honest, model=other.model_dump_json()))


def test_a_silo_invited_to_other_terms_answers_no_sum_of_the_agreed_ones(coordinator: Coordinator) -> None:
    coordinator.grid.forged = {(ONE, JOIN): other_model}
    answer = coordinator.sum(coordinator.start())
    assert answer.silos == ("silo-2", "silo-3", "silo-4")
    assert answer.failures[0].reason.startswith("OutOfOrder: ")


def test_a_silo_invited_and_asked_under_other_terms_is_masked_out_of_the_agreed_sum(
    coordinator: Coordinator,
) -> None:
    """The lie carried through: invitation and request are of one piece for silo-1, but every mask names them."""
    told: list[Invitation] = []

    def invite(message: Message) -> RecordDict:
        forged = other_model(message)
        told.append(from_record(forged, Invitation))
        return forged

    coordinator.grid.forged = {
        (ONE, JOIN): invite,
        (ONE, CONTRIBUTE): lambda message: changed(SumRequest, invitation=told[0].digest)(message),
    }
    plan = coordinator.start()
    context = coordinator.request(plan).masked(coordinator.roster_digest).digest
    coordinator.grid.tampered = {(ONE, CONTRIBUTE): changed(MaskedUpdateMessage, context=context)}
    answer = coordinator.sum(plan)
    assert answer.silos == ("silo-2", "silo-3", "silo-4")
    assert "the masks of silo-1 do not cancel with their peers'" in answer.failures[0].reason


@pytest.mark.parametrize("change", [{"max_abs": 2.0**20}, {"fraction_bits": 20}, {"values": (b"\x00" * 8,)}])
def test_a_silo_asked_in_other_words_is_left_out(coordinator: Coordinator, change: dict[str, Any]) -> None:
    plan = coordinator.start()
    coordinator.grid.forged = {(ONE, CONTRIBUTE): changed(SumRequest, **change)}
    answer = coordinator.sum(plan)
    assert answer.silos == ("silo-2", "silo-3", "silo-4")
    assert units_in(answer) == 3 * STORES


def test_two_halves_asked_in_two_wordings_open_neither_sum(coordinator: Coordinator) -> None:
    plan = coordinator.start()
    forge = changed(SumRequest, max_abs=2.0**20)
    coordinator.grid.forged = {(node, CONTRIBUTE): forge for node in (ONE, TWO)}
    with pytest.raises(RoundAborted, match="only 2 of 4 silos answered, 3 are needed"):
        coordinator.sum(plan)
    assert UNMASK not in coordinator.grid.sent


def test_what_a_silo_refuses_tells_one_bit_of_its_own_gradient_a_run(
    silo_files: Files, tmp_path: Path
) -> None:
    """Whether a gradient fits the range is seen from outside: in ever larger coordinates it would be found to any
    precision. After the first refusal silo-1 answers nothing, in small coordinates and of sums answered before."""
    coordinator = Coordinator(silo_files, tmp_path / "out", {"update_norm_bound": 0.0})
    plan = coordinator.start()
    scales = Scales(plan.model.media_per, np.ones(2), np.full(2, 0.05), 1.0, 100.0, 1.0)
    start = get_vector(MediaResponse(plan.model.model, scales.spend_per_revenue.tolist()))
    question = round_question(plan, scales, ModelState.start(start, clip_norm=1.0), units=4.0 * STORES)

    def refused(number: int, scale: float) -> str | None:
        """Asked for the first parameter's gradient, times `scale`, and no other."""
        forward = np.zeros((start.size, start.size))
        forward[0, 0] = scale
        values = (*question.values[:3], pack_vector(forward.reshape(-1)))
        answer = coordinator.say(ONE, CONTRIBUTE, replace(question, round=number, values=values))
        return answer.error.reason if answer.has_error() else None

    assert refused(1, 1.0) is None
    told = refused(2, 2.0**40)
    assert told is not None
    assert "ValueOutOfRange" in told
    for number, scale in ((3, 2.0**20), (4, 1.0), (1, 1.0)):
        told = refused(number, scale)
        assert told is not None
        assert "answers no more of it" in told


# --- the downgrade -----------------------------------------------------------------------------------------


IN_CLEAR = changed(Invitation, secure_aggregation="none")


def clear_start(_: Message) -> RecordDict:
    return to_record(KeyRosterMessage.without_masks("run"))


def test_a_silo_that_requires_masks_cannot_be_talked_out_of_them(silo_files: Files, tmp_path: Path) -> None:
    add_rules(silo_files[0], secure_aggregation="required")
    coordinator = Coordinator(silo_files, tmp_path / "out")
    coordinator.grid.forged = {(ONE, JOIN): IN_CLEAR, (ONE, START): clear_start}
    with pytest.raises(SiloRefused, match="TermsRefused: silo-1 sends masked"):
        coordinator.start()


def test_a_silo_that_only_allows_masks_can_be(coordinator: Coordinator) -> None:
    """What the rule is for, shown: a coordinator that asks this silo alone to do without reads its vector."""
    plan = plan_run(coordinator.settings, "run", coordinator.exchange.gather())
    invitation = replace(plan.invitation, secure_aggregation="none")
    coordinator.say(ONE, JOIN, invitation)
    coordinator.say(ONE, START, KeyRosterMessage.without_masks("run"))
    reply = coordinator.say(ONE, CONTRIBUTE, coordinator.request(plan, invitation=invitation.digest))
    vector = unpack_integers(from_record(reply.content, PlainUpdate).vector)
    assert int(vector[-1]) == STORES << FRACTION_BITS
