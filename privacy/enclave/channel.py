"""The one way into an enclave and out of it: frames over a connected pair of local sockets.

Frame: one byte of kind, eight bytes of length (big endian), the content. Descriptors of open files travel into the
enclave only, with the frame's first bytes: the host reads in a way in which the kernel drops those sent to it.
Each kind has its own greatest length, refused before any content is read.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

MOST_BYTES = 64 * 1024 * 1024
MOST_FILES = 64
MOST_REQUEST_BYTES = 8 * 1024  # of attestation: three fields in hex
MOST_READY_BYTES = 4 * 1024 * 1024  # names of the files imported
MOST_DOCUMENT_BYTES = 32 * 1024
_HEADER = struct.Struct(">BQ")
_SHORTEST_WAIT = 0.001


class Kind(IntEnum):
    """What a frame is."""

    READY = 1  # enclave: the program has loaded and is locked down
    MESSAGE = 2  # both: between the program and whoever uses it
    ATTEST = 3  # enclave: asks for a document
    ATTESTED = 4  # host: the document


_KINDS = {int(kind): kind for kind in Kind}
_MOST_BYTES = {
    Kind.READY: MOST_READY_BYTES,
    Kind.MESSAGE: MOST_BYTES,
    Kind.ATTEST: MOST_REQUEST_BYTES,
    Kind.ATTESTED: MOST_DOCUMENT_BYTES,
}


@dataclass(frozen=True)
class Frame:
    """A frame received, with the files that came along."""

    kind: Kind
    content: bytes
    files: tuple[int, ...] = ()


class ChannelBroken(Exception):
    """The other side closed, took too long, or sent what is no frame; nothing more can be read."""


class Channel:
    """One end. `takes_files`: the enclave's; the host's must never accept any. Not for two readers at a time."""

    def __init__(self, end: socket.socket, *, takes_files: bool = False) -> None:
        self._end = end
        self._takes_files = takes_files

    def send(
        self, kind: Kind, content: bytes, files: Sequence[int] = (), *, seconds: float | None = None
    ) -> None:
        """Raises ChannelBroken when the other side is gone or does not read within `seconds` (None: waits)."""
        if len(content) > _MOST_BYTES[kind] or len(files) > MOST_FILES:
            raise ValueError(
                f"a frame of this kind holds at most {_MOST_BYTES[kind]} bytes and {MOST_FILES} files"
            )
        try:
            self._wait_at_most(seconds)
            header = _HEADER.pack(kind, len(content))
            if files:
                sent = socket.send_fds(self._end, [header], list(files))
                header = header[sent:]
            self._end.sendall(header + content)
        except OSError as error:  # timeouts are such errors too
            raise ChannelBroken from error

    def receive(self, *, seconds: float | None = None) -> Frame:
        """The next frame. Raises ChannelBroken; `seconds` (None: waits) is for the whole frame."""
        deadline = None if seconds is None else time.monotonic() + seconds
        header = bytearray(_HEADER.size)
        files = self._fill(memoryview(header), deadline, takes_files=self._takes_files)
        kind, length = _HEADER.unpack(header)
        if kind not in _KINDS or length > _MOST_BYTES[_KINDS[kind]]:
            raise ChannelBroken
        content = bytearray(length)
        self._fill(memoryview(content), deadline)
        return Frame(_KINDS[kind], bytes(content), files)

    def end(self) -> None:
        """Nothing more in either direction: whoever waits at either end is woken."""
        try:
            self._end.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other side was faster
            return

    def close(self) -> None:
        """Give the descriptor back; nobody may be reading or writing then."""
        self._end.close()

    def fileno(self) -> int:
        """The descriptor."""
        return self._end.fileno()

    def _fill(
        self, view: memoryview, deadline: float | None, *, takes_files: bool = False
    ) -> tuple[int, ...]:
        files: list[int] = []
        try:
            while view:
                self._wait_at_most(None if deadline is None else deadline - time.monotonic())
                if takes_files and not files:
                    content, files, flags, _ = socket.recv_fds(self._end, len(view), MOST_FILES)
                    view[: len(content)] = content
                    count = 0 if flags & socket.MSG_CTRUNC else len(content)
                else:
                    count = self._end.recv_into(view)
                if not count:
                    raise ChannelBroken
                view = view[count:]
        except OSError as error:
            raise ChannelBroken from error
        return tuple(files)

    def _wait_at_most(self, seconds: float | None) -> None:
        if seconds is None:
            return  # as it was made: waiting. The lockdown leaves no way to change that.
        if seconds <= 0:
            raise TimeoutError
        self._end.settimeout(max(seconds, _SHORTEST_WAIT))
