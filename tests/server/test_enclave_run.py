"""Inside the sum enclave, as whoever sends it messages sees it: sums and refusals, and nothing that tells one silo."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from privacy.attested_sums.sealed_update import seal_update
from privacy.attested_sums.sum_terms import SumQuestion
from privacy.errors import MalformedMessage, PrivacyError, RosterRefused, RoundRefused, TooFewSilos
from privacy.flat_messages import decode_message, encode_message
from privacy.masks.key_agreement import build_roster, join_roster, offer_key
from privacy.masks.mask_silo import answer_unmask, mask_update
from privacy.masks.mask_state import SiloMaskState
from privacy.masks.secure_aggregation import KeyRoster, UnmaskReply
from privacy.update_messages import MaskedUpdateMessage, PlainUpdate, unpack_integers
from server.enclave_messages import (
    TO_ENCLAVE,
    Ask,
    Attested,
    Begin,
    BeginMasked,
    Close,
    Done,
    Finish,
    Opened,
    Refused,
    Take,
    TakeReply,
    Unmasking,
)
from server.enclave_run import EnclaveRun
from tests.privacy.attested_sums.parties import QUESTION, SILOS, Parties

VALUES = {"east": (1, 2, 3), "north": (10, -20, 30), "south": (100, 200, -300)}


class Inside:
    """The enclave's own code and keys, and silos that seal to it; the platform is the emulated one."""

    def __init__(self, folder: Path) -> None:
        self.parties = Parties(folder)
        self.run = EnclaveRun(
            self.parties.keys.public.sealing,
            self.parties.keys.open_message,
            lambda nonce, user_data: self.parties.document(self.terms, nonce=nonce, user_data=user_data),
        )
        self.terms = self.parties.terms

    def begin(self) -> "Inside":
        assert isinstance(self.run.answer(Begin(self.terms)), Attested)
        return self

    def ask(self, question: SumQuestion = QUESTION) -> None:
        assert self.run.answer(Ask(question)) == Done()

    def seal(self, silo: str, message: Any, question: SumQuestion = QUESTION) -> bytes:
        address = replace(self.parties.address, terms=self.terms.digest)
        return seal_update(self.parties.identities[silo], address, question, message)

    def update(self, silo: str, *values: int, question: SumQuestion = QUESTION) -> Take:
        vector = np.array(values or VALUES[silo], dtype=np.int64).view(np.uint64).astype("<u8").tobytes()
        return Take(silo, self.seal(silo, PlainUpdate(silo, question.question, vector), question))

    def take_all(self, question: SumQuestion = QUESTION) -> None:
        for silo in SILOS:
            assert self.run.answer(self.update(silo, question=question)) == Done()


@pytest.fixture
def inside(tmp_path: Path) -> Inside:
    return Inside(tmp_path).begin()


def integers(opened: Opened) -> list[int]:
    return unpack_integers(opened.total).view(np.int64).tolist()


def test_a_sum_is_the_sum_and_names_its_silos(inside: Inside) -> None:
    inside.ask()
    inside.take_all()
    opened = inside.run.answer(Close())

    assert opened.silos == SILOS
    assert integers(opened) == [111, 182, -267]


def test_the_attestation_is_of_the_terms_and_the_key_inside(tmp_path: Path) -> None:
    inside = Inside(tmp_path)

    attested = inside.run.answer(Begin(inside.terms))

    assert inside.terms.digest in attested.document
    assert inside.terms.nonce in attested.document
    assert inside.parties.keys.public.sealing in attested.document


def test_a_subset_of_an_opened_sum_is_not_opened_under_its_number(inside: Inside) -> None:
    """The difference of the two sums would be one silo's vector."""
    inside.ask()
    inside.take_all()
    inside.run.answer(Close())

    for message in (Ask(QUESTION), inside.update("east"), Close()):
        with pytest.raises(RoundRefused):
            inside.run.answer(message)


def test_numbers_only_rise(inside: Inside) -> None:
    inside.ask(replace(QUESTION, number=5))

    for number in (5, 4, 1):
        with pytest.raises(RoundRefused, match="came again or late, after sum 5"):
            inside.run.answer(Ask(replace(QUESTION, number=number)))


def test_a_sum_of_fewer_than_agreed_is_not_opened(inside: Inside) -> None:
    inside.ask()
    for silo in SILOS[:2]:
        inside.run.answer(inside.update(silo))

    with pytest.raises(TooFewSilos, match="2 of 3 silos are in the sum, 3 are needed; nothing was opened"):
        inside.run.answer(Close())


def test_terms_that_open_sums_of_half_the_silos_are_not_even_read(inside: Inside) -> None:
    """Else two enclaves could open one number over a, b, c and over d, e, f."""
    keys = tuple(bytes([place]) * 32 for place in range(6))
    six = replace(inside.terms, needed=5, silos=tuple("abcdef"), public_keys=keys, nonces=keys)
    message = encode_message(Begin(six))
    assert decode_message(message, TO_ENCLAVE) == Begin(six)

    with pytest.raises(MalformedMessage):
        decode_message(message.replace(b'"needed": 5', b'"needed": 3'), TO_ENCLAVE)


def test_a_sum_closed_too_early_is_opened_when_enough_silos_are_in_it(inside: Inside) -> None:
    inside.ask()
    with pytest.raises(TooFewSilos):
        inside.run.answer(Close())

    inside.take_all()
    assert integers(inside.run.answer(Close())) == [111, 182, -267]


def test_updates_of_one_sum_do_not_stay_for_the_next(inside: Inside) -> None:
    inside.ask()
    inside.take_all()
    inside.ask(replace(QUESTION, number=2))

    with pytest.raises(TooFewSilos):
        inside.run.answer(Close())


def test_a_second_update_of_a_silo_is_not_added(inside: Inside) -> None:
    inside.ask()
    inside.take_all()

    for again in (inside.update("north"), inside.update("north", 0, 0, 0)):
        with pytest.raises(MalformedMessage, match=r"north .* or came twice"):
            inside.run.answer(again)
    assert integers(inside.run.answer(Close())) == [111, 182, -267]


@pytest.mark.parametrize("wrong", [8193, -8193, 2**62, -(2**63)])
def test_a_value_out_of_range_is_not_added_and_not_told(inside: Inside, wrong: int) -> None:
    """8 times 2^10 is the largest."""
    inside.ask()

    with pytest.raises(MalformedMessage) as refused:
        inside.run.answer(inside.update("north", 0, wrong, 0))

    assert str(wrong) not in str(refused.value)
    inside.take_all()
    assert integers(inside.run.answer(Close())) == [111, 182, -267]


def test_the_largest_values_in_range_are_added(inside: Inside) -> None:
    inside.ask()
    for silo in SILOS:
        inside.run.answer(inside.update(silo, 8192, -8192, 0))

    assert integers(inside.run.answer(Close())) == [3 * 8192, -3 * 8192, 0]


NONSENSE: dict[str, Any] = {
    "too short": PlainUpdate("north", QUESTION.question, b"\x00" * 16),
    "half an integer": PlainUpdate("north", QUESTION.question, b"\x00" * 23),
    "another question": PlainUpdate("north", b"x" * 32, b"\x00" * 24),
    "masked where nobody masks": MaskedUpdateMessage("north", QUESTION.question, b"\x00" * 24, (), b""),
    "shares": UnmaskReply("north", QUESTION.question, b"", b""),
}


@pytest.mark.parametrize("what", NONSENSE)
def test_nonsense_is_refused_and_its_sender_named(inside: Inside, what: str) -> None:
    inside.ask()

    with pytest.raises(MalformedMessage, match="update of north has the wrong shape"):
        inside.run.answer(Take("north", inside.seal("north", NONSENSE[what])))


def test_what_a_stranger_sealed_is_not_added(inside: Inside) -> None:
    inside.ask()

    with pytest.raises(MalformedMessage, match="not sealed and signed"):
        inside.run.answer(Take("west", b"\x00" * 200))


def test_one_enclave_serves_one_run_under_one_set_of_terms(inside: Inside) -> None:
    with pytest.raises(RoundRefused, match="serves a run already"):
        inside.run.answer(Begin(inside.terms))


def test_a_question_of_another_run_is_refused(inside: Inside) -> None:
    with pytest.raises(RoundRefused, match="not of the run"):
        inside.run.answer(Ask(replace(QUESTION, run_id="other")))


def test_nothing_is_asked_before_terms_are_attested(tmp_path: Path) -> None:
    with pytest.raises(RoundRefused, match="not of the run that this enclave serves"):
        Inside(tmp_path).run.answer(Ask(QUESTION))


def test_a_sum_that_could_overflow_is_refused(inside: Inside) -> None:
    with pytest.raises(RoundRefused, match="overflow"):
        inside.run.answer(Ask(replace(QUESTION, largest=2**63 // 3 + 1)))


def test_answers_are_no_questions(inside: Inside) -> None:
    for message in (Done(), Refused("a", "b", "c"), QUESTION):
        with pytest.raises(MalformedMessage):
            inside.run.answer(message)


class InsideMasked(Inside):
    """Silos that mask as well, before they seal."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        offers = [offer_key(self.parties.identities[silo], "run") for silo in SILOS]
        self.roster: KeyRoster = build_roster([offer.advert for offer in offers])
        self.states: dict[str, SiloMaskState] = {
            silo: join_roster(offer, self.roster, self.parties.peers)
            for silo, offer in zip(SILOS, offers, strict=True)
        }
        self.terms = replace(self.terms, roster_digest=self.roster.digest)

    def begin(self) -> "InsideMasked":
        self.run.answer(BeginMasked(self.terms, self.roster))
        return self

    def masked(self, silo: str, *values: int) -> Take:
        request = self.masked_request
        vector = np.array(values or VALUES[silo], dtype=np.int64).view(np.uint64)
        step = mask_update(self.states[silo], request, vector)
        self.states[silo] = step.state
        return Take(silo, self.seal(silo, MaskedUpdateMessage.of(step.message)))

    @property
    def masked_request(self) -> Any:
        from privacy.masks.secure_aggregation import MaskRequest

        of = (QUESTION.run_id, QUESTION.number, QUESTION.question)
        return MaskRequest(*of, self.roster.digest, QUESTION.length, QUESTION.fraction_bits)

    def unmask_all(self) -> None:
        asked = self.run.answer(Close())
        assert isinstance(asked, Unmasking)
        for request in asked.requests:
            reply = answer_unmask(self.states[request.silo], request).message
            assert self.run.answer(TakeReply(request.silo, self.seal(request.silo, reply))) == Done()


@pytest.fixture
def masks(tmp_path: Path) -> InsideMasked:
    return InsideMasked(tmp_path).begin()


def test_masks_come_off_inside(masks: InsideMasked) -> None:
    masks.ask()
    for silo in SILOS:
        masks.run.answer(masks.masked(silo))
    masks.unmask_all()
    opened = masks.run.answer(Finish())

    assert (opened.silos, opened.faulty) == (SILOS, ())
    assert integers(opened) == [111, 182, -267]


def test_a_masked_sum_that_honest_silos_cannot_have_sent_is_not_opened(masks: InsideMasked) -> None:
    masks.ask()
    for silo in SILOS:
        masks.run.answer(masks.masked(silo, 3 * 8192, 0, 0))
    masks.unmask_all()

    with pytest.raises(RoundRefused, match="beyond what 3 honest silos can send"):
        masks.run.answer(Finish())


def test_a_masked_update_comes_once(masks: InsideMasked) -> None:
    masks.ask()
    update = masks.masked("north")
    masks.run.answer(update)

    with pytest.raises(MalformedMessage, match="north"):
        masks.run.answer(update)


def test_a_masked_sum_is_closed_once(masks: InsideMasked) -> None:
    """Else the coordinator could have more and more silos left out."""
    masks.ask()
    for silo in SILOS:
        masks.run.answer(masks.masked(silo))
    masks.unmask_all()

    with pytest.raises(RoundRefused, match="closed before"):
        masks.run.answer(Close())
    assert integers(masks.run.answer(Finish())) == [111, 182, -267]


def test_without_all_shares_nothing_is_opened(masks: InsideMasked) -> None:
    masks.ask()
    for silo in SILOS:
        masks.run.answer(masks.masked(silo))
    masks.run.answer(Close())

    with pytest.raises(PrivacyError, match="no sum was computed"):
        masks.run.answer(Finish())


def test_an_update_in_clear_is_refused_where_silos_mask(masks: InsideMasked) -> None:
    masks.ask()

    with pytest.raises(MalformedMessage, match="wrong shape"):
        masks.run.answer(masks.update("north"))


def test_a_sum_without_masks_has_nothing_to_finish(inside: Inside) -> None:
    inside.ask()

    with pytest.raises(RoundRefused, match="no masks"):
        inside.run.answer(Finish())


@pytest.mark.parametrize("what", ["another roster", "no roster", "a roster where terms have none"])
def test_terms_and_roster_belong_together(tmp_path: Path, what: str) -> None:
    masks, other = InsideMasked(tmp_path / "one"), InsideMasked(tmp_path / "two")
    messages = {
        "another roster": BeginMasked(masks.terms, other.roster),
        "no roster": Begin(masks.terms),
        "a roster where terms have none": BeginMasked(replace(masks.terms, roster_digest=b""), masks.roster),
    }

    with pytest.raises(RosterRefused):
        masks.run.answer(messages[what])
