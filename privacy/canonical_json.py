"""One byte string per JSON value, so that two parties sign, seal and digest the same thing.

Keys are sorted by code point, no spaces, UTF-8, no NaN or infinity; numbers as Python writes them. Close to
RFC 8785, which sorts by UTF-16 units and writes floats as JavaScript does: the two agree on ASCII keys and integers.
"""

import hashlib
import json
import math
from collections.abc import Mapping

from privacy.errors import NotCanonical


def canonical_json(value: object) -> bytes:
    """The canonical text of mappings, lists, tuples, strings, numbers, booleans and None. Raises NotCanonical."""
    try:
        text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-8")
    except UnicodeEncodeError:
        # without `from`: the error at hand would print the text
        raise _refusal("half a surrogate pair") from None
    except RecursionError:
        raise _refusal("too many levels") from None


def digest_of(value: object) -> str:
    """SHA-256 of the canonical text, as 64 lower-case hex digits. Raises NotCanonical."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _plain(value: object) -> object:
    match value:
        case None | bool() | str():
            return value
        case int():
            return int(value)
        case float():
            if not math.isfinite(value):
                raise _refusal("a number that is not finite")
            return value
        case Mapping():
            return {_key(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    raise _refusal(f"a {type(value).__name__}")


def _key(key: object) -> str:
    # JSON would turn 1 into "1", and two different mappings would have one text.
    if not isinstance(key, str):
        raise _refusal(f"a key that is a {type(key).__name__}")
    return key


def _refusal(what: str) -> NotCanonical:
    return NotCanonical(
        f"the value holds {what} and has no canonical JSON text",
        hint="use mappings with text keys, lists, texts, finite numbers, true, false and null",
    )
