"""Messages of any size over a channel whose frames are bounded: a full difference history can be larger than one.

A frame starts with one byte: 1 when more of the message follows, 0 when it is the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

PIECE_BYTES = 32 * 1024 * 1024
MOST_MESSAGE_BYTES = 512 * 1024 * 1024


class MessageTooLarge(Exception):
    """The other side sends more than any message has, or a frame without its first byte."""


def frames_of(message: bytes) -> Iterator[bytes]:
    """The message in order; an empty one is one frame."""
    view = memoryview(message)
    for start in range(0, max(1, len(view)), PIECE_BYTES):
        piece = view[start : start + PIECE_BYTES]
        yield bytes([start + PIECE_BYTES < len(view)]) + piece


def message_from(receive: Callable[[], bytes]) -> bytes:
    """The next message, of the frames that `receive` gives one by one. Raises MessageTooLarge."""
    content = bytearray()
    while True:
        frame = receive()
        content += frame[1:]
        if not frame or frame[0] > 1 or len(content) > MOST_MESSAGE_BYTES:
            raise MessageTooLarge
        if not frame[0]:
            return bytes(content)
