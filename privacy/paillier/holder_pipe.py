"""Frames between the key holder's process and whoever started it: four bytes of length, then JSON.

No pickle: a frame holds only the flat messages listed here. Bytes travel as base64.
"""

import base64
import json
from dataclasses import dataclass, fields, is_dataclass
from typing import IO, Any

from privacy.errors import MalformedMessage
from privacy.masks.secure_aggregation import KeyAdvert, KeyRoster
from privacy.paillier.aggregation import HolderAdvert, OpenedSum, OpenRequest

LENGTH_BYTES = 4
LARGEST_FRAME = 2**30


@dataclass(frozen=True)
class Create:
    """Make the key holder's keys where there are none; answered by Introduced."""

    modulus_bits: int
    min_silos: int
    insecure: bool


@dataclass(frozen=True)
class Introduce:
    """Who are you? Answered by Introduced."""


@dataclass(frozen=True)
class Introduced:
    """The key that silos pin, and the process that holds the private one."""

    public_key: bytes
    process_id: int


@dataclass(frozen=True)
class Pin:
    """Trust this silo's public key (base64) from now on; answered by Done."""

    silo: str
    public_key: str


@dataclass(frozen=True)
class Offer:
    """Join that run; answered by HolderAdvert."""

    run_id: str


@dataclass(frozen=True)
class Done:
    """Nothing to say."""


@dataclass(frozen=True)
class Refused:
    """An error's class, sentence and hint."""

    error: str
    message: str
    hint: str


_KINDS = {
    kind.__name__: kind
    for kind in (
        Create, Introduce, Introduced, Pin, Offer, Done, Refused,
        KeyAdvert, KeyRoster, HolderAdvert, OpenRequest, OpenedSum,
    )
}  # fmt: skip


def write_frame(stream: IO[bytes], message: Any) -> None:
    """Send one message."""
    content = json.dumps(_plain(message)).encode()
    stream.write(len(content).to_bytes(LENGTH_BYTES, "big") + content)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Any:
    """The next message. EOFError when the other side is gone, MalformedMessage for anything else."""
    length = int.from_bytes(_exactly(stream, LENGTH_BYTES), "big")
    if length > LARGEST_FRAME:
        raise _malformed()
    try:
        return _message(json.loads(_exactly(stream, length)))
    except (ValueError, KeyError, TypeError) as error:
        raise _malformed() from error


def _exactly(stream: IO[bytes], count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError
    return content


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        content = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
        return {"kind": type(value).__name__, **content}
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _message(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_message(item) for item in value)
    if not isinstance(value, dict):
        return value
    if set(value) == {"bytes"}:
        return base64.b64decode(value["bytes"], validate=True)
    content = {name: _message(item) for name, item in value.items() if name != "kind"}
    return _KINDS[value["kind"]](**content)


def _malformed() -> MalformedMessage:
    return MalformedMessage(
        "the message is not one that the key holder's process knows; it was not used",
        silos=(),
        hint="run the same version of this software on both sides",
    )
