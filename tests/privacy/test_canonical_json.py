"""One text per value, and none for what JSON cannot say."""

import hashlib
import json
import math
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.canonical_json import canonical_json, digest_of
from privacy.errors import NotCanonical

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)


def test_keys_are_sorted_without_spaces_in_utf8():
    assert canonical_json({"b": [1, 2.5, None, True], "a": "ü"}) == '{"a":"ü","b":[1,2.5,null,true]}'.encode()


def test_the_digest_is_sha256_of_the_text():
    assert digest_of({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


def test_the_order_of_keys_and_the_kind_of_mapping_or_list_do_not_matter():
    assert canonical_json({"a": (1, 2), "b": {}}) == canonical_json(
        MappingProxyType({"b": MappingProxyType({}), "a": [1, 2]})
    )


@given(PLAIN)
def test_reading_the_text_gives_the_value_and_the_same_text_again(value):
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(json.loads(text)) == text


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, {1: "a"}, {None: 1}, b"bytes", {1, 2}, object(), "\ud800", {"\udfff": 1}]
)
def test_what_is_no_json_value_is_refused_wherever_it_stands(value):
    for place in (value, [value], {"a": [{"b": value}]}):
        with pytest.raises(NotCanonical) as refused:
            canonical_json(place)
        assert refused.value.hint


def test_a_value_nested_beyond_measure_is_refused():
    value: list = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(NotCanonical, match="too many levels"):
        canonical_json(value)
