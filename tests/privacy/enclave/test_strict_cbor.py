"""One spelling for each value, and nothing but plain values."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest

from privacy.enclave.strict_cbor import CborRefused, decode, encode


def refused(content: bytes, *, most_bytes: int = 1000, may_stop: bool = False) -> None:
    with pytest.raises(CborRefused):
        decode(content, most_bytes=most_bytes, may_stop=may_stop)


@pytest.mark.parametrize(
    "spelling, value",  # RFC 8949, appendix A
    [
        ("00", 0),
        ("17", 23),
        ("1818", 24),
        ("1bffffffffffffffff", 2**64 - 1),
        ("3863", -100),
        ("f6", None),
        ("4401020304", b"\x01\x02\x03\x04"),
        ("62c3bc", "ü"),
        ("83010203", [1, 2, 3]),
        ("a201020304", {1: 2, 3: 4}),
        ("a26161016162820203", {"a": 1, "b": [2, 3]}),
    ],
)
def test_the_rfcs_examples_are_read_and_written(spelling: str, value: Any) -> None:
    assert decode(bytes.fromhex(spelling), most_bytes=100) == value
    assert encode(value).hex() == spelling


@pytest.mark.parametrize(
    "spelling",
    [
        "1817",  # 23 in two bytes
        "1900ff",
        "580101",  # a length in two bytes
        "980101",
        "b8010101",
        "5f4101ff",  # pieces
        "7f6161ff",
        "9f01ff",
        "bf0101ff",
        "a201010102",  # a key twice
        "0000",  # a second value
        "62ff00",  # no UTF-8
        "81",  # an end too early
        "ff",
        "1c",  # reserved
        "",
    ],
)
def test_other_spellings_are_refused(spelling: str) -> None:
    refused(bytes.fromhex(spelling))


@pytest.mark.parametrize(
    "simple", ["f4", "f5", "f7", "f0", "f8ff"]
)  # false, true, undefined, unassigned ones
@pytest.mark.parametrize("around", ["", "81", "a101", "81a101"])
def test_simple_values_but_null_are_refused(around: str, simple: str) -> None:
    refused(bytes.fromhex(around + simple))


@pytest.mark.parametrize("number", [1.5, 1.0, float("inf"), float("-inf"), float("nan")])
def test_numbers_that_are_not_whole_are_refused(number: float) -> None:
    """In the shortest form that RFC 8949 has for them, and in the longest."""
    refused(cbor2.dumps(number, canonical=True))
    refused(cbor2.dumps(number))


def test_keys_are_plain_too() -> None:
    refused(bytes.fromhex("a1f501"))
    refused(bytes.fromhex("a1f701"))


@pytest.mark.parametrize(
    "tag", [0, 1, 2, 3, 4, 5, 18, 25, 28, 29, 30, 35, 37, 99, 256, 258, 43000, 55799, 2**32]
)
def test_every_tag_is_refused(tag: int) -> None:
    inners: list[Any] = [1, b"\x01", "1", [1, 2], {}]
    for inner in inners:
        refused(cbor2.dumps(cbor2.CBORTag(tag, inner)))


def test_numbers_that_need_a_tag_are_refused() -> None:
    refused(cbor2.dumps(2**64))
    refused(cbor2.dumps(-(2**64) - 1))


def test_four_levels_are_read_and_five_are_not() -> None:
    assert decode(cbor2.dumps([[[[1]]]]), most_bytes=100) == [[[[1]]]]
    refused(cbor2.dumps([[[[[1]]]]]))


def test_as_many_bytes_as_allowed_are_read_and_one_more_is_not() -> None:
    content = cbor2.dumps(bytes(100))

    assert decode(content, most_bytes=len(content)) == bytes(100)
    refused(content, most_bytes=len(content) - 1)


def test_a_map_with_a_stop_code_is_read_where_it_may_be() -> None:
    content = bytes.fromhex("bf0102ff")

    assert decode(content, most_bytes=100, may_stop=True) == {1: 2}
    assert decode(bytes.fromhex("a10102"), most_bytes=100, may_stop=True) == {1: 2}
    refused(content)


@pytest.mark.parametrize(
    "spelling",
    [
        "bf0102",  # without the stop
        "bf0102ffff",
        "bf0102ff00",
        "bf01bf0102ffff",  # a second one inside
        "bf019f01ffff",
        "bf01025f4101ffff",
        "bf01020103ff",
        "9f01ff",
        "bfff00",
    ],
)
def test_a_stop_code_is_allowed_for_the_outermost_map_alone(spelling: str) -> None:
    refused(bytes.fromhex(spelling), may_stop=True)
