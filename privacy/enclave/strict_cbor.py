"""CBOR (RFC 8949) with one spelling for each value: what hostile senders may make a reader do is little.

Only whole numbers, texts, bytes, lists, maps and null: no fractions, infinities, booleans, undefined or other simple
values; no tags, no indefinite lengths, no key twice, lengths in their shortest form, nothing after the value. cbor2
alone would build huge numbers and regular expressions out of tags.
One exception has to be asked for: a map of up to 23 keys that ends with a stop code, as AWS's documents are since 2025.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

import cbor2

MOST_LEVELS = 4
_PLAIN = frozenset({int, str, bytes, type(None)})
_MAP_OF_ANY_LENGTH, _STOP = b"\xbf", b"\xff"


class CborRefused(ValueError):
    """The bytes are not one value in this spelling."""


def encode(value: object) -> bytes:
    """Maps in the order they have; numbers and lengths in the shortest form."""
    return cbor2.dumps(value)


def decode(encoded: bytes, *, most_bytes: int, may_stop: bool = False) -> Any:
    """The value. Raises CborRefused for anything that `encode` would not have written, or longer than `most_bytes`.

    may_stop: the outermost map may be written without its length and with a stop code.
    """
    if len(encoded) > most_bytes:
        raise CborRefused("too long")
    stops = may_stop and encoded[:1] == _MAP_OF_ANY_LENGTH
    try:
        value = cbor2.loads(
            encoded,
            semantic_decoders=_NO_TAGS,
            max_depth=MOST_LEVELS,
            allow_indefinite=stops,
            allow_duplicate_keys=False,
        )
        spelling = _with_stop(encode(value)) if stops else encode(value)
    except (cbor2.CBORError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CborRefused("not a value in the allowed spelling") from error
    if spelling != encoded:
        raise CborRefused("not the one spelling of its value")
    if not _is_plain(value):
        raise CborRefused("a value of another kind")
    return value


def _is_plain(value: object) -> bool:
    """Exact types: a boolean is a number to Python."""
    match value:
        case list():
            return all(map(_is_plain, value))
        case dict():
            return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
        case _:
            return type(value) in _PLAIN


def _with_stop(encoded_map: bytes) -> bytes:
    """Another spelling of a map whose length stands in its first byte."""
    return _MAP_OF_ANY_LENGTH + encoded_map[1:] + _STOP


class _EveryTag(Mapping[int, Callable[..., Any]]):
    """A decoder for each tag there is, that refuses: a plain mapping would have to list all 2**64."""

    def __getitem__(self, tag: int) -> Callable[..., Any]:
        return _refuse

    def __iter__(self) -> Iterator[int]:
        return iter(())

    def __len__(self) -> int:
        return 1


def _refuse(*_: object) -> NoReturn:
    raise CborRefused("a tag")


_NO_TAGS = _EveryTag()
