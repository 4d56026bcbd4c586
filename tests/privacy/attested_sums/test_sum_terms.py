"""What an enclave is bound to: every part of it, in one digest."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from privacy.attested_sums.sum_terms import SumTerms
from privacy.errors import InvalidSetting, RosterRefused
from tests.privacy.attested_sums.parties import QUESTION, SILOS, Parties

CHANGED: dict[str, Any] = {
    "run_id": "other",
    "invitation": b"j" * 32,
    "roster_digest": b"r" * 32,
    "needed": 4,
    "silos": ("east", "north", "south", "west"),
    "public_keys": tuple(bytes([place]) * 32 for place in range(9, 13)),
    "nonces": (b"m" * 32,) * 4,
}


@pytest.fixture
def terms(tmp_path: Path) -> SumTerms:
    three = Parties(tmp_path).terms
    more = (b"k" * 32,)
    return replace(
        three, silos=(*SILOS, "w"), public_keys=three.public_keys + more, nonces=three.nonces + more
    )


@pytest.mark.parametrize("name", [field.name for field in fields(SumTerms)])
def test_every_field_enters_the_digest(terms: SumTerms, name: str) -> None:
    assert replace(terms, **{name: CHANGED[name]}).digest != terms.digest


def test_every_silos_nonce_enters_the_nonce(terms: SumTerms) -> None:
    found = {terms.nonce}
    for place in range(4):
        nonces = (*terms.nonces[:place], b"x" * 32, *terms.nonces[place + 1 :])
        found.add(replace(terms, nonces=nonces).nonce)

    assert len(found) == 5


# More than two thirds: two sums of one number then have honest silos in common.
@pytest.mark.parametrize(
    ("count", "fewest"), [(3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (8, 6), (9, 7), (30, 21)]
)
def test_two_sums_of_one_number_cannot_be_of_different_silos(
    terms: SumTerms, count: int, fewest: int
) -> None:
    columns: dict[str, Any] = {
        "silos": tuple(f"silo-{place:02d}" for place in range(count)),
        "public_keys": tuple(bytes([place]) * 32 for place in range(count)),
        "nonces": (b"n" * 32,) * count,
    }

    assert replace(terms, needed=fewest, **columns).needed == fewest
    with pytest.raises(RosterRefused, match=f"at least {max(3, fewest)} are needed"):
        replace(terms, needed=fewest - 1, **columns)


@pytest.mark.parametrize("name", [field.name for field in fields(SumTerms)])
def test_silos_keys_and_the_fewest_in_a_sum_make_the_membership_of_a_run(terms: SumTerms, name: str) -> None:
    same = replace(terms, **{name: CHANGED[name]}).membership == terms.membership

    assert same is (name in ("invitation", "roster_digest", "nonces"))


UNSOUND: dict[str, dict[str, Any]] = {
    "two silos in a sum": {"needed": 2},
    "more than there are": {"needed": 5},
    "a name twice": {"silos": ("east", "east", "north", "south")},
    "names out of order": {"silos": ("north", "east", "south", "w")},
    "a key twice": {"public_keys": (b"k" * 32,) * 4},
    "a key too few": {"public_keys": tuple(bytes([n]) * 32 for n in range(3))},
    "half a key": {"public_keys": tuple(bytes([n]) * 16 for n in range(4))},
    "half a nonce": {"nonces": (b"n" * 16,) * 4},
    "no invitation": {"invitation": b""},
    "half a roster": {"roster_digest": b"r" * 16},
}


@pytest.mark.parametrize("what", UNSOUND)
def test_terms_under_which_a_sum_could_be_a_single_silos_are_none(terms: SumTerms, what: str) -> None:
    with pytest.raises(RosterRefused):
        replace(terms, **UNSOUND[what])


@pytest.mark.parametrize(
    "change",
    [
        {"number": 0},
        {"question": b""},
        {"length": 0},
        {"fraction_bits": 64},
        {"largest": 0},
        {"largest": 2**63},
    ],
)
def test_a_question_without_sense_is_none(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidSetting):
        replace(QUESTION, **change)
