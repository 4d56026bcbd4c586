"""One running emulated enclave, from the host's side: a process, a channel, and the platform that attests for it."""

from __future__ import annotations

import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Sequence

from privacy.enclave.attestation_request import AttestationRequest
from privacy.enclave.channel import Channel, ChannelBroken, Frame, Kind
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.measurement import Measurement
from privacy.errors import EnclaveFailed, EnclaveUnavailable, InvalidSetting

SEND_SECONDS = 30.0
MOST_DOCUMENTS = 16  # a signature each: nobody inside needs more


class EmulatedEnclave:
    """`Enclave` for a process of this machine."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        channel: Channel,
        platform: EmulatedPlatform,
        measurement: Measurement,
        ended: Callable[[EmulatedEnclave], None],
    ) -> None:
        """`ended` is called once, when it has been closed."""
        self._process, self._channel = process, channel
        self._platform, self._measurement, self._ended = platform, measurement, ended
        self._module = f"emulated-{secrets.token_hex(8)}"
        self._documents = 0
        self._attestation: bytes | None = None
        self._reading, self._writing, self._ending = threading.Lock(), threading.Lock(), threading.Lock()
        self._is_closed = False

    @property
    def attestation(self) -> bytes | None:
        """The last attestation document made for it, or None before the first."""
        return self._attestation

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    def await_ready(self, seconds: float) -> bytes:
        """Wait until its program is locked down; what it had imported by then, one path a line.

        Raises EnclaveUnavailable: it is closed then.
        """
        frame = None
        try:
            with self._reading:
                frame = self._channel.receive(seconds=seconds)
        except ChannelBroken:
            pass
        if frame is None or frame.kind is not Kind.READY:
            self.close()
            raise EnclaveUnavailable(
                "the enclave's program did not start; it read no data",
                hint="start the service in debug mode, which shows what it says",
            )
        return frame.content

    def send(self, message: bytes, files: Sequence[int] = ()) -> None:
        """A message and open files. Raises EnclaveFailed when it ended or does not read."""
        self._send(Kind.MESSAGE, message, files)

    def receive(self, *, seconds: float) -> bytes:
        """Its next message. Raises EnclaveFailed when it ends, takes longer, or sends too much; it is closed then."""
        deadline = time.monotonic() + seconds
        while True:
            frame = self._next(deadline - time.monotonic())
            if frame.kind is Kind.MESSAGE:
                return frame.content
            self._attest(frame)

    def close(self) -> None:
        """End it, whatever it is at."""
        with self._ending:
            if self._is_closed:
                return
            self._is_closed = True
            self._process.kill()  # with it go all processes of its sandbox
            self._channel.end()
            with self._reading, self._writing:  # whoever reads or writes has been woken
                self._channel.close()
            self._process.wait()
        self._ended(self)

    def _next(self, seconds: float) -> Frame:
        try:
            with self._reading:
                return self._channel.receive(seconds=seconds)
        except ChannelBroken as error:
            self.close()
            raise _failed() from error

    def _send(self, kind: Kind, content: bytes, files: Sequence[int] = ()) -> None:
        try:
            with self._writing:
                self._channel.send(kind, content, files, seconds=SEND_SECONDS)
        except (ChannelBroken, ValueError) as error:  # gone, or more than a frame holds
            self.close()
            raise _failed() from error

    def _attest(self, frame: Frame) -> None:
        try:
            if frame.kind is not Kind.ATTEST or self._documents >= MOST_DOCUMENTS:
                raise ValueError("no request for attestation, or one too many")
            asked = AttestationRequest.of(frame.content)
            document = self._platform.attest(
                self._measurement,
                public_key=asked.public_key,
                user_data=asked.user_data,
                nonce=asked.nonce,
                module_id=self._module,
            )
        except (ValueError, RecursionError, InvalidSetting) as error:
            self.close()
            raise _failed() from error
        self._documents += 1
        self._attestation = document
        self._send(Kind.ATTESTED, document)


def _failed() -> EnclaveFailed:
    """One for every cause: how a program ends must not tell anything of what it read."""
    return EnclaveFailed(
        "the enclave took too long, ended, or gave no proper answer; nothing of it was used",
        hint="ask for less at once, or ask the operator for more time and memory",
    )
