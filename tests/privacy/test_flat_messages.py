"""Messages between processes: exact types, listed kinds, one refusal."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.errors import InvalidSetting, MalformedMessage
from privacy.flat_messages import decode_message, encode_message


@dataclass(frozen=True)
class Leaf:
    name: str
    raw: bytes


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...]
    numbers: tuple[int, ...]
    ratio: float
    is_old: bool


@dataclass(frozen=True)
class Picky:
    number: int

    def __post_init__(self) -> None:
        if self.number != 1:
            raise InvalidSetting(f"{self.number} is not one")


KINDS = (Leaf, Tree, Picky)
TREE = Tree((Leaf("a", b"\x00\xff"), Leaf("", b"")), (1, -(2**70)), 0.5, True)


def test_a_message_is_the_same_on_the_other_side() -> None:
    assert decode_message(encode_message(TREE), KINDS) == TREE


MALFORMED = {
    "no JSON": b"\xff",
    "no object": b"[]",
    "a number": b"1",
    "no kind": b'{"name": "a", "raw": ""}',
    "a kind that the reader does not list": b'{"kind": "Stranger", "name": "a", "raw": ""}',
    "a kind that is no text": b'{"kind": {}, "name": "a", "raw": ""}',
    "a field too few": b'{"kind": "Leaf", "name": "a"}',
    "a field too many": b'{"kind": "Leaf", "name": "a", "raw": "", "more": 1}',
    "another type": b'{"kind": "Leaf", "name": 1, "raw": ""}',
    "a truth value for a number": b'{"kind": "Tree", "leaves": [], "numbers": [true], "ratio": 0.5, "is_old": true}',
    "a number for a truth value": b'{"kind": "Tree", "leaves": [], "numbers": [], "ratio": 0.5, "is_old": 1}',
    "an object for a list": b'{"kind": "Tree", "leaves": {}, "numbers": [], "ratio": 0.5, "is_old": true}',
    "a list for an object": b'{"kind": "Tree", "leaves": [[]], "numbers": [], "ratio": 0.5, "is_old": true}',
    "no base64": b'{"kind": "Leaf", "name": "a", "raw": "?"}',
    "what the message itself refuses": b'{"kind": "Picky", "number": 2}',
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("what", MALFORMED)
def test_anything_else_is_refused_in_one_way(what: str) -> None:
    with pytest.raises(MalformedMessage) as refused:
        decode_message(MALFORMED[what], KINDS)

    assert str(refused.value) == "the message is not one that this process knows; it was not used"


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(content: bytes) -> None:
    try:
        message = decode_message(content, KINDS)
    except MalformedMessage:
        return
    assert decode_message(encode_message(message), KINDS) == message
