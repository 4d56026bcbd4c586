"""A whole column of tokens is read as `privacy.identifiers` reads one."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanroom.datasets.identity_tokens import read_tokens
from cleanroom.datasets.table_problems import Problem, ProblemTally
from privacy.errors import TokenRefused
from privacy.identifiers import IdentifierKind, IdentifierRule, IdentityKey, parse_token

IDENTITY = IdentityKey(bytes(32), IdentifierKind.EMAIL, IdentifierRule.GOOGLE)
TOKENS = st.binary(min_size=16, max_size=16).map(lambda bits: f"{IDENTITY.tag}.{bits.hex()}")


@given(st.lists(TOKENS, min_size=1), st.data())
def test_tokens_become_the_bits_that_parsing_one_by_one_gives(tokens, data):
    start = data.draw(st.integers(0, len(tokens) - 1))
    tally = ProblemTally()
    people = read_tokens(pa.array(tokens).slice(start), IDENTITY.tag, "person", tally)

    assert people.storage.to_pylist() == [parse_token(token).person for token in tokens[start:]]
    assert not tally


@given(TOKENS, st.integers(0, 40), st.characters(codec="utf-8"))
def test_a_text_that_is_no_token_anywhere_in_a_column_is_counted(token, position, character):
    changed = token[:position] + character + token[position + 1 :]
    try:
        is_ours = parse_token(changed).tag == IDENTITY.tag
    except TokenRefused:
        is_ours = False
    tally = ProblemTally()
    people = read_tokens(pa.array([token, changed, token]), IDENTITY.tag, "person", tally)

    assert bool(tally) != is_ours
    assert people.null_count == (0 if is_ours else 3)


@pytest.mark.parametrize("tokens", [[], None])
def test_no_rows_are_no_problem(tokens):
    tally = ProblemTally()

    assert len(read_tokens(pa.array(tokens or [], pa.string()), IDENTITY.tag, "person", tally)) == 0
    assert not tally


def test_every_row_is_counted_under_one_problem():
    tally = ProblemTally()
    texts = [
        None,
        "",
        "a@b",
        "00000000." + "0" * 32,
        "0" * 64,
        "+1 415 555 0100",
        "nobody",
        f"{IDENTITY.tag}." + "0" * 32,
    ]
    read_tokens(pa.array(texts), IDENTITY.tag, "person", tally)

    counted = {reason.code: reason.message for reason in tally.reasons()}
    assert counted.pop(Problem.IDENTITY_MISSING.code) == "column person: 2 rows with no person"
    assert len(counted) == 5
    assert all(message.startswith("column person: 1 row with ") for message in counted.values())
