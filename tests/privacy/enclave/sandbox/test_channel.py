"""Frames over a pair of sockets: whole or refused, and never waited for longer than asked."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.enclave.attestation_document import MOST_NONCE_BYTES, MOST_USER_DATA_BYTES
from privacy.enclave.attestation_request import AttestationRequest
from privacy.enclave.channel import (
    MOST_BYTES,
    MOST_DOCUMENT_BYTES,
    MOST_FILES,
    MOST_READY_BYTES,
    MOST_REQUEST_BYTES,
    Channel,
    ChannelBroken,
    Kind,
)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    first, second = socket.socketpair()
    with first, second:
        yield first, second


def test_frames_arrive_in_order_with_their_kinds(ends: tuple[socket.socket, socket.socket]) -> None:
    here, there = map(Channel, ends)
    here.send(Kind.MESSAGE, b"first")
    here.send(Kind.ATTESTED, b"")

    frames = [there.receive(seconds=1) for _ in range(2)]

    assert [(frame.kind, frame.content, frame.files) for frame in frames] == [
        (Kind.MESSAGE, b"first", ()),
        (Kind.ATTESTED, b"", ()),
    ]


def test_files_arrive_only_where_they_are_taken(
    ends: tuple[socket.socket, socket.socket], tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("content")
    host, enclave = Channel(ends[0]), Channel(ends[1], takes_files=True)
    open_before = len(os.listdir("/proc/self/fd"))
    with (tmp_path / "a").open("rb") as file:
        host.send(Kind.MESSAGE, b"in", [file.fileno()])
        enclave.send(Kind.MESSAGE, b"out", [file.fileno()])

    into, out = enclave.receive(seconds=1), host.receive(seconds=1)

    assert (into.content, out.content, out.files) == (b"in", b"out", ())
    assert os.read(into.files[0], 100) == b"content"
    os.close(into.files[0])
    assert len(os.listdir("/proc/self/fd")) == open_before


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x02",
        b"\x02" + (5).to_bytes(8, "big") + b"four",
        b"\x00" + bytes(8),
        b"\x05" + bytes(8),
        b"\x02" + (MOST_BYTES + 1).to_bytes(8, "big"),
        b"\x02" + b"\xff" * 8,
        b"\x01" + (MOST_READY_BYTES + 1).to_bytes(8, "big"),
        b"\x03" + (MOST_REQUEST_BYTES + 1).to_bytes(8, "big"),
        b"\x04" + (MOST_DOCUMENT_BYTES + 1).to_bytes(8, "big"),
    ],
)
def test_what_is_no_whole_frame_breaks_the_channel(
    ends: tuple[socket.socket, socket.socket], sent: bytes
) -> None:
    ends[0].sendall(sent)
    ends[0].shutdown(socket.SHUT_WR)

    with pytest.raises(ChannelBroken):
        Channel(ends[1]).receive(seconds=5)


def test_request_for_attestation_is_short_and_refused_before_it_is_read(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """The largest there can be fits: AWS's limits for nonce and user data, and this project's key."""
    largest = AttestationRequest(bytes(64), bytes(MOST_USER_DATA_BYTES), bytes(MOST_NONCE_BYTES)).to_bytes()
    here, there = map(Channel, ends)
    here.send(Kind.ATTEST, largest)
    assert there.receive(seconds=1).content == largest

    ends[0].sendall(b"\x03" + (8 * 1024 + 1).to_bytes(8, "big"))
    with pytest.raises(ChannelBroken):  # nothing of it was sent: it is not waited for
        there.receive()


@given(st.binary(max_size=60))
def test_any_bytes_are_a_frame_or_break_the_channel(sent: bytes) -> None:
    first, second = socket.socketpair()
    with first, second:
        first.sendall(sent)
        first.shutdown(socket.SHUT_WR)
        try:
            frame = Channel(second).receive(seconds=5)
        except ChannelBroken:
            return
        assert sent.startswith(bytes([frame.kind]) + len(frame.content).to_bytes(8, "big") + frame.content)


def test_sender_of_single_bytes_does_not_stretch_the_time_limit(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ended = threading.Event()

    def trickle() -> None:
        ends[0].sendall(b"\x02" + (10**6).to_bytes(8, "big"))
        for _ in range(300):
            if not ended.wait(0.02):
                ends[0].sendall(b"x")

    sender = threading.Thread(target=trickle)
    sender.start()
    started = time.monotonic()
    try:
        with pytest.raises(ChannelBroken):
            Channel(ends[1]).receive(seconds=0.2)
        assert 0.2 <= time.monotonic() - started < 4
    finally:
        ended.set()
        sender.join()


def test_reader_that_does_not_read_does_not_hold_the_sender(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    with pytest.raises(ChannelBroken):
        Channel(ends[0]).send(Kind.MESSAGE, b"x" * 10_000_000, seconds=0.2)


@pytest.mark.parametrize(("size", "files"), [(MOST_BYTES + 1, 0), (0, MOST_FILES + 1)])
def test_sender_keeps_to_the_limits_too(
    ends: tuple[socket.socket, socket.socket], size: int, files: int
) -> None:
    with pytest.raises(ValueError, match="at most"):
        Channel(ends[0]).send(Kind.MESSAGE, bytes(size), [0] * files)
