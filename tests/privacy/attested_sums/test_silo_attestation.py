"""A silo and the enclave that a coordinator shows it: one test for each way in which it may be another one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from privacy.attested_sums.silo_attestation import accept_enclave
from privacy.attested_sums.sum_terms import SumTerms
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.measurement import DIGEST_BYTES, Measurement
from privacy.errors import AttestationRefused, PrivacyError, RosterRefused, UntrustedPeer
from privacy.identity import SiloIdentity
from privacy.party_keys import PartyKeys
from tests.privacy.attested_sums.parties import NOW, Parties

Documents = Callable[[Parties, SumTerms, Path], bytes]


@pytest.fixture
def parties(tmp_path: Path) -> Parties:
    return Parties(tmp_path / "platform")


def accept(parties: Parties, terms: SumTerms, document: bytes, **changes: Any) -> Any:
    usual: dict[str, Any] = {"expected": parties.expected(), "rules": parties.rules(), "now": NOW}
    return accept_enclave(terms, document, **usual | changes)


def test_an_enclave_of_this_run_is_accepted_and_its_key_is_the_attested_one(parties: Parties) -> None:
    address = accept(parties, parties.terms, parties.document(parties.terms))

    assert address.sealing_key == parties.keys.public.sealing
    assert address.terms == parties.terms.digest


def other_key(parties: Parties) -> bytes:
    public = PartyKeys.generate("coordinator").public
    return public.sealing + public.signing


def of_another_platform(parties: Parties, terms: SumTerms, folder: Path) -> bytes:
    stranger = Parties(folder / "stranger", parties.identities, parties.keys)
    return stranger.document(terms)


def with_a_flipped_bit(parties: Parties, terms: SumTerms, folder: Path) -> bytes:
    document = bytearray(parties.document(terms))
    document[len(document) // 2] ^= 1
    return bytes(document)


def earlier(parties: Parties, terms: SumTerms, folder: Path) -> bytes:
    """From before the nonce was given: everything right but the nonces."""
    return parties.document(replace(terms, nonces=(b"o" * 32, b"l" * 32, b"d" * 32)))


def of_another_run(parties: Parties, terms: SumTerms, folder: Path) -> bytes:
    return parties.document(replace(terms, run_id="other"))


def with_fewer_needed(parties: Parties, terms: SumTerms, folder: Path) -> bytes:
    """The enclave serves other terms than the silo is shown."""
    return parties.document(replace(terms, silos=("east", "north", "west")))


DOCUMENTS: dict[str, Documents] = {
    "another program": lambda p, t, _: p.document(t, measurement=Measurement({0: b"\x02" * DIGEST_BYTES})),
    "debug mode": lambda p, t, _: p.document(t, measurement=Measurement.debug()),
    "another root": of_another_platform,
    "a replayed attestation": earlier,
    "another run's attestation": of_another_run,
    "other terms": with_fewer_needed,
    "no terms": lambda p, t, _: p.document(t, user_data=b""),
    "no nonce": lambda p, t, _: p.document(t, nonce=b""),
    "half a key": lambda p, t, _: p.document(t, public_key=p.keys.public.sealing),
    "a flipped bit": with_a_flipped_bit,
    "nothing": lambda p, t, _: b"",
}


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_document_that_proves_something_else_is_refused_in_one_way(
    parties: Parties, tmp_path: Path, what: str
) -> None:
    document = DOCUMENTS[what](parties, parties.terms, tmp_path)

    with pytest.raises(AttestationRefused) as refused:
        accept(parties, parties.terms, document)

    assert "not a fresh, genuine proof of an allowed program" in str(refused.value)


def test_an_old_attestation_is_refused(parties: Parties) -> None:
    with pytest.raises(AttestationRefused):
        accept(parties, parties.terms, parties.document(parties.terms), now=NOW + timedelta(seconds=301))


def test_a_silo_in_production_refuses_an_emulated_root(parties: Parties) -> None:
    with pytest.raises(AttestationRefused):
        accept(parties, parties.terms, parties.document(parties.terms), rules=parties.rules(production=True))


def test_a_key_that_the_coordinator_put_in_the_enclaves_place_never_gets_out_of_the_document(
    parties: Parties,
) -> None:
    """It holds the document, and what it can add to it is refused: the silo takes the key from nowhere else."""
    document = parties.document(parties.terms)
    key, own = parties.keys.public.sealing, other_key(parties)[:32]
    assert document.count(key) == 1

    with pytest.raises(AttestationRefused):
        accept(parties, parties.terms, document.replace(key, own))


TERMS: dict[str, tuple[Callable[[Parties], dict[str, Any]], type[PrivacyError], str]] = {
    "another run": (lambda p: {"run_id": "other"}, RosterRefused, "another run"),
    "other terms of the run": (
        lambda p: {"invitation": b"j" * 32},
        RosterRefused,
        "other terms than were agreed",
    ),
    "another nonce": (lambda p: {"nonces": (b"x" * 32,) * 3}, RosterRefused, "nonce that north gave"),
    "another key for itself": (
        lambda p: {"public_keys": (*p.terms.public_keys[:1], b"k" * 32, *p.terms.public_keys[2:])},
        RosterRefused,
        "another key for it",
    ),
    "without itself": (lambda p: {"silos": ("east", "south", "west")}, RosterRefused, "lack north"),
    "a made-up silo": (lambda p: {"silos": ("east", "north", "west")}, UntrustedPeer, "a key for west"),
    "another key for a peer": (
        lambda p: {"public_keys": (SiloIdentity.generate("east").public_key, *p.terms.public_keys[1:])},
        UntrustedPeer,
        "a key for east",
    ),
}


@pytest.mark.parametrize("what", TERMS)
def test_terms_that_are_not_the_silos_own_are_refused_however_well_attested(
    parties: Parties, what: str
) -> None:
    change, kind, words = TERMS[what]
    terms = replace(parties.terms, **change(parties))

    with pytest.raises(kind, match=words):
        accept(parties, terms, parties.document(terms))


def test_a_minimum_below_the_silos_own_is_refused(parties: Parties) -> None:
    expected = parties.expected()
    demanding = replace(expected, challenge=replace(expected.challenge, min_silos=4))

    with pytest.raises(RosterRefused, match="north asks for at least 4"):
        accept(parties, parties.terms, parties.document(parties.terms), expected=demanding)


def test_the_platforms_root_is_the_pinned_one_byte_for_byte(parties: Parties, tmp_path: Path) -> None:
    other = EmulatedPlatform.open(tmp_path / "other").root

    with pytest.raises(AttestationRefused):
        accept(parties, parties.terms, parties.document(parties.terms), rules=parties.rules(roots=(other,)))
