"""The worker's side of conversations in a thread, behind the interface that enclaves have, with real attestations."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Mapping, Sequence

from cleanroom.worker.serving import serve
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.isolation import Isolation
from privacy.enclave.measurement import Measurement
from privacy.errors import EnclaveFailed
from privacy.party_keys import PartyKeys

MEASUREMENT = Measurement({0: b"\x11" * 48, 1: b"\x22" * 48, 2: b"\x33" * 48})
Frame = tuple[bytes, list[int]]


class _Ended(BaseException):
    """The host closed the enclave: a process would end here."""


class EnclaveThread:
    """One enclave; `sent` is everything that left it."""

    def __init__(self, platform: EmulatedPlatform) -> None:
        self.platform = platform
        self.keys = PartyKeys.generate("enclave")
        self.attestation: bytes | None = None
        self.sent: list[bytes] = []
        self.files: list[int] = []
        self.closed = threading.Event()
        self._in: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._out: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def send(self, message: bytes, files: Sequence[int] = ()) -> None:
        self._in.put((message, [os.dup(number) for number in files]))

    def receive(self, *, seconds: float) -> bytes:
        try:
            frame = self._out.get(timeout=seconds)
        except queue.Empty:
            frame = None
        if frame is None:
            raise EnclaveFailed("the enclave ended", hint="")
        return frame

    def close(self) -> None:
        self.closed.set()
        self._in.put(None)
        self._out.put(None)

    def join(self) -> None:
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            serve(_Inside(self, self._in, self._out))
        except _Ended:
            return
        self._out.put(None)


class _Inside:
    """What the worker sees of it."""

    def __init__(
        self,
        enclave: EnclaveThread,
        incoming: queue.SimpleQueue[Frame | None],
        outgoing: queue.SimpleQueue[bytes | None],
    ) -> None:
        self._enclave, self._in, self._out = enclave, incoming, outgoing

    @property
    def keys(self) -> PartyKeys:
        return self._enclave.keys

    def attest(self, nonce: bytes, user_data: bytes) -> bytes:
        public = self.keys.public
        self._enclave.attestation = self._enclave.platform.attest(
            MEASUREMENT,
            public_key=public.sealing + public.signing,
            user_data=user_data,
            nonce=nonce,
            module_id="thread",
        )
        return self._enclave.attestation

    def unseal(self, sealed: bytes, context: Mapping[str, object]) -> bytes:
        return self.keys.open_message(sealed, context)

    def receive(self) -> Frame:
        frame = self._in.get()
        if frame is None:
            raise _Ended
        self._enclave.files += frame[1]
        return frame

    def send(self, message: bytes) -> None:
        self._enclave.sent.append(message)
        self._out.put(message)


class ThreadBackend:
    """Starts them."""

    measurement = MEASUREMENT
    isolation = Isolation.NONE

    def __init__(self, platform: EmulatedPlatform) -> None:
        self.platform = platform
        self.root = platform.root
        self.started: list[EnclaveThread] = []
        self.closed = False

    def start(self) -> EnclaveThread:
        self.started.append(EnclaveThread(self.platform))
        return self.started[-1]

    def close(self) -> None:
        self.closed = True
