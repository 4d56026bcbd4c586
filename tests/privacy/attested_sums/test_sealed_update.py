"""What a silo seals opens in one enclave, for one sum, as this silo's own; else it is refused in one way."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from privacy.attested_sums.sealed_update import EnclaveAddress, UpdateOpener, seal_update
from privacy.errors import MalformedMessage
from privacy.identity import SiloIdentity
from privacy.party_keys import PartyKeys
from privacy.sealing import seal_message
from privacy.update_messages import PlainUpdate
from tests.privacy.attested_sums.parties import QUESTION, Parties

UPDATE = PlainUpdate("north", QUESTION.question, b"\x01" * 24)


@pytest.fixture
def parties(tmp_path: Path) -> Parties:
    return Parties(tmp_path)


def sealed(parties: Parties) -> bytes:
    return seal_update(parties.identities["north"], parties.address, QUESTION, UPDATE)


def test_an_update_opens_as_it_was(parties: Parties) -> None:
    assert parties.opener.open("north", QUESTION, sealed(parties)) == UPDATE


def test_the_vector_does_not_show(parties: Parties) -> None:
    assert UPDATE.vector[:8] not in sealed(parties)


def opener_of_other_terms(parties: Parties) -> UpdateOpener:
    other = replace(parties.terms, nonces=(b"o" * 32,) * 3)
    return UpdateOpener(
        EnclaveAddress(other.digest, parties.address.sealing_key), other, parties.keys.open_message
    )


def opener_with_another_key(parties: Parties) -> UpdateOpener:
    keys = PartyKeys.generate("enclave")
    return UpdateOpener(
        EnclaveAddress(parties.terms.digest, keys.public.sealing), parties.terms, keys.open_message
    )


def passed_on(parties: Parties) -> bytes:
    """By whoever opened it with a key of its own: the signature names that key, not the enclave's."""
    coordinator = PartyKeys.generate("coordinator")
    address = EnclaveAddress(parties.terms.digest, coordinator.public.sealing)
    context: dict[str, object] = {
        "purpose": "attested sum",
        "run": QUESTION.run_id,
        "sum": QUESTION.number,
        "silo": "north",
        "question": QUESTION.question.hex(),
        "terms": parties.terms.digest.hex(),
    }
    opened = coordinator.open_message(
        seal_update(parties.identities["north"], address, QUESTION, UPDATE), context
    )
    return seal_message(opened, parties.address.sealing_key, context)


def flipped(octets: bytes) -> bytes:
    return octets[:-1] + bytes([octets[-1] ^ 1])


REFUSED: dict[str, Callable[[Parties], object]] = {
    "by the enclave of other nonces": lambda p: opener_of_other_terms(p).open("north", QUESTION, sealed(p)),
    "by another enclave": lambda p: opener_with_another_key(p).open("north", QUESTION, sealed(p)),
    "for another sum": lambda p: p.opener.open("north", replace(QUESTION, number=2), sealed(p)),
    "for another question": lambda p: p.opener.open(
        "north", replace(QUESTION, question=b"x" * 32), sealed(p)
    ),
    "for a wider range": lambda p: p.opener.open("north", replace(QUESTION, largest=2**40), sealed(p)),
    "as another silo's": lambda p: p.opener.open("south", QUESTION, sealed(p)),
    "as a stranger's": lambda p: p.opener.open("west", QUESTION, sealed(p)),
    "made up by whoever knows the enclave's key": lambda p: p.opener.open(
        "north", QUESTION, seal_update(SiloIdentity.generate("north"), p.address, QUESTION, UPDATE)
    ),
    "in another silo's name": lambda p: p.opener.open(
        "south", QUESTION, seal_update(p.identities["south"], p.address, QUESTION, UPDATE)
    ),
    "sealed to the coordinator and passed on": lambda p: p.opener.open("north", QUESTION, passed_on(p)),
    "changed": lambda p: p.opener.open("north", QUESTION, flipped(sealed(p))),
    "cut": lambda p: p.opener.open("north", QUESTION, sealed(p)[:40]),
    "empty": lambda p: p.opener.open("north", QUESTION, b""),
}


@pytest.mark.parametrize("what", REFUSED)
def test_anything_else_is_refused_in_one_way(parties: Parties, what: str) -> None:
    with pytest.raises(MalformedMessage, match="was not sealed and signed by it for this enclave and sum"):
        REFUSED[what](parties)
