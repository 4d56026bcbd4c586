"""Frames between the key holder's process and whoever started it: four bytes of length, then JSON.

No pickle: a frame holds only the flat messages listed here.
"""

from dataclasses import dataclass
from typing import IO, Any, TypeVar

from privacy import errors
from privacy.done_or_refused import Done as Done
from privacy.done_or_refused import Refused as Refused
from privacy.errors import PrivacyError
from privacy.flat_messages import decode_message, encode_message, malformed_message
from privacy.masks.secure_aggregation import KeyAdvert, KeyRoster
from privacy.paillier.aggregation import HolderAdvert, OpenedSum, OpenRequest

Answer = TypeVar("Answer")
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


KINDS = (
    Create, Introduce, Introduced, Pin, Offer, Done, Refused,
    KeyAdvert, KeyRoster, HolderAdvert, OpenRequest, OpenedSum,
)  # fmt: skip


def write_frame(stream: IO[bytes], message: Any) -> None:
    """Send one message."""
    content = encode_message(message)
    stream.write(len(content).to_bytes(LENGTH_BYTES, "big") + content)
    stream.flush()


def read_frame(stream: IO[bytes]) -> Any:
    """The next message. EOFError when the other side is gone, MalformedMessage for anything else."""
    length = int.from_bytes(_exactly(stream, LENGTH_BYTES), "big")
    if length > LARGEST_FRAME:
        raise malformed_message()
    return decode_message(_exactly(stream, length), KINDS)


def accepted(answer: Any, kind: type[Answer]) -> Answer:
    """The key holder's answer, of the kind that was asked for; its refusals are raised here.

    Those with more than a sentence come as their root.
    """
    if isinstance(answer, Refused):
        error = getattr(errors, answer.error, PrivacyError)
        is_simple = isinstance(error, type) and issubclass(error, PrivacyError)
        if not is_simple or error.__init__ is not PrivacyError.__init__:
            error = PrivacyError
        raise error(answer.message, hint=answer.hint)
    if not isinstance(answer, kind):
        raise malformed_message()
    return answer


def _exactly(stream: IO[bytes], count: int) -> bytes:
    content = stream.read(count)
    if len(content) < count:
        raise EOFError
    return content
