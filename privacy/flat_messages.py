"""Dataclasses as JSON and back, for pipes between processes that do not trust each other: types are checked exactly.

A message is a frozen dataclass of str, int, float, bool, bytes, other such dataclasses, and tuples of these. Bytes
travel as base64. No pickle: only the kinds that the reader lists can come out.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, get_args, get_origin, get_type_hints

from privacy.errors import MalformedMessage, PrivacyError

KIND = "kind"


def encode_message(message: Any) -> bytes:
    """One message for `decode_message`."""
    return json.dumps({KIND: type(message).__name__, **_plain_fields(message)}).encode()


def decode_message(content: bytes, kinds: Iterable[type]) -> Any:
    """A message of one of these kinds. Raises MalformedMessage for anything else; what is in it does not show."""
    known = {kind.__name__: kind for kind in kinds}
    try:
        value = json.loads(content)
        kind = known[value.pop(KIND)]
        return _typed(value, kind)
    # A message's own checks (PrivacyError) are no reason to say more to whoever sent it.
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, PrivacyError) as error:
        raise malformed_message() from error


def malformed_message() -> MalformedMessage:
    """The refusal of whatever is not a message that the reader knows."""
    return MalformedMessage(
        "the message is not one that this process knows; it was not used",
        silos=(),
        hint="run the same version of this software on both sides",
    )


def _plain_fields(message: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(message, field.name)) for field in fields(message)}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return _plain_fields(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _typed(value: Any, kind: Any) -> Any:
    if is_dataclass(kind):
        hints = _hints(kind)  # type: ignore[arg-type]
        if type(value) is not dict or set(value) != set(hints):
            raise TypeError
        return kind(**{name: _typed(value[name], hint) for name, hint in hints.items()})  # type: ignore[operator]
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        if type(value) is not list:
            raise TypeError
        return tuple(_typed(entry, item) for entry in value)
    if kind is bytes:
        return base64.b64decode(value, validate=True)
    if type(value) is not kind:
        raise TypeError
    return value


@lru_cache(maxsize=256)
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}
