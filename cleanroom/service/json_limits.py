"""What a JSON request may be before anything uses it: small, flat, finite and without broken characters."""

from __future__ import annotations

import json
import math
import re

from cleanroom.errors import RoomError

LARGEST_JSON = 1024 * 1024
DEEPEST_JSON = 40
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# A whole text, or one that never ends. Possessive: nothing in it is looked at twice.
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_INNERMOST = re.compile(rb"\[\]|\{\}")


class RequestUnreadable(RoomError):
    """The request is not a JSON document that the service reads; nothing was changed."""

    code, status = "request_unreadable", 400


class TextUnkept(RoomError):
    """The request holds a text or number that no database keeps; nothing was changed."""

    code, status = "text_unkept", 409


def read_json(raw: bytes) -> object:
    """The values. Raises RequestUnreadable for what is no JSON or nests too deeply."""
    if _is_deep(raw):
        raise _unreadable(f"nests more than {DEEPEST_JSON} levels deep")
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _unreadable("is not one JSON document in UTF-8") from error


def require_plain(value: object) -> None:
    """Raise TextUnkept for texts with NUL or half a character, which no database keeps, and huge numbers."""
    match value:
        case str():
            if "\0" in value or _LONE_SURROGATE.search(value):
                raise _unkept("a text with a NUL or half a character")
        case float():
            if not math.isfinite(value):
                raise _unkept("a number that is too large")
        case dict():
            for key, item in value.items():
                require_plain(key)
                require_plain(item)
        case list():
            for item in value:
                require_plain(item)


def _is_deep(raw: bytes) -> bool:
    """Whether brackets outside texts nest deeper than allowed. Never says no of a document that does.

    Works level by level in the regular expressions' own speed: a stranger's megabyte takes milliseconds.
    """
    brackets = _TEXT.sub(b"", raw).translate(None, _NO_BRACKETS)
    for _ in range(DEEPEST_JSON):
        before, brackets = len(brackets), _INNERMOST.sub(b"", brackets)
        if len(brackets) == before:  # nothing is left, or they do not match, which the parser says
            return False
    return bool(_INNERMOST.search(brackets))


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _unreadable(what: str) -> RequestUnreadable:
    return RequestUnreadable(
        f"the request {what}; nothing was changed", hint="send one JSON document in UTF-8"
    )


def _unkept(what: str) -> TextUnkept:
    return TextUnkept(f"the request holds {what}; nothing was changed", hint="leave it out")
