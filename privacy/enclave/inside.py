"""What a program inside an enclave has: its own keys, one channel to the host, attestation, and nothing else.

    enclave = InsideEnclave.enter()
    message, files = enclave.receive()
    document = enclave.attest(nonce, user_data)
    key = enclave.unseal(sealed, context)
    enclave.send(answer)

The keys are made inside, after the lockdown, and die with the process.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from privacy.enclave.attestation_request import AttestationRequest
from privacy.enclave.channel import Channel, ChannelBroken, Frame, Kind
from privacy.enclave.lockdown import lock_down
from privacy.party_keys import PartyKeys

KEYS_NAME = "enclave"


class InsideEnclave:
    """The enclave as the program in it sees it. For one thread."""

    def __init__(self, channel: Channel, spill_folder: Path | None) -> None:
        """`spill_folder`: the only place to write to, in memory, so that nothing there reaches the host's disk.

        None in reduced isolation where the kernel gives no such place: nothing can be written then.
        """
        self._channel, self.spill_folder = channel, spill_folder
        self._waiting: deque[Frame] = deque()
        self.keys = PartyKeys.generate(KEYS_NAME)

    @classmethod
    def enter(cls) -> InsideEnclave:
        """Lock the process down, make its keys and tell the host that it is ready.

        To be called once, by the main program, after everything it needs was imported: later there is less to read.
        """
        folder, number = sys.argv[1], int(sys.argv[2])
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=number)
        spill_folder = lock_down(folder)
        enclave = cls(Channel(end, takes_files=True), spill_folder)
        threading.Thread(target=_end_with_the_host, args=(number,), daemon=True).start()
        enclave._send(Kind.READY, "\n".join(_imported_files()).encode())
        return enclave

    @property
    def public_key(self) -> bytes:
        """What is attested: the X25519 key that messages are sealed to, then the Ed25519 key that signs, 64 bytes."""
        public = self.keys.public
        return public.sealing + public.signing

    def attest(self, nonce: bytes, user_data: bytes) -> bytes:
        """A document of the platform on this program, its public key, `nonce` and `user_data`."""
        self._send(Kind.ATTEST, AttestationRequest(self.public_key, user_data, nonce).to_bytes())
        while (frame := self._next()).kind is not Kind.ATTESTED:
            self._waiting.append(frame)
        return frame.content

    def unseal(self, sealed: bytes, context: Mapping[str, object]) -> bytes:
        """What was sealed to the attested key for this context. Raises SealBroken."""
        return self.keys.open_message(sealed, context)

    def receive(self) -> tuple[bytes, list[int]]:
        """The host's next message, and the files that came along, open for reading. The process ends with the host."""
        frame = self._waiting.popleft() if self._waiting else self._next()
        return frame.content, list(frame.files)

    def send(self, message: bytes) -> None:
        """A message to the host: what is in it has left the enclave."""
        self._send(Kind.MESSAGE, message)

    def _send(self, kind: Kind, content: bytes) -> None:
        try:
            self._channel.send(kind, content)
        except ChannelBroken:
            os._exit(0)

    def _next(self) -> Frame:
        try:
            return self._channel.receive()
        except ChannelBroken:  # nobody is left to serve
            os._exit(0)


def _imported_files() -> list[str]:
    """What the host compiles for the next enclave, so that it starts faster."""
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return sorted({file for file in files if isinstance(file, str)})


def _end_with_the_host(number: int) -> None:
    """Whatever the program is at: nobody is left to take its answer once the other end is closed."""
    hang_up = select.poll()
    hang_up.register(number, select.POLLRDHUP)
    hang_up.poll()
    os._exit(0)
