"""What a trusted execution environment gives the programs of this project, whichever one it is.

A backend starts enclaves that all run the one program whose measurement it shows. A program inside asks for
attestation documents and holds the private halves of the keys in them (`privacy/enclave/inside.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from privacy.enclave.isolation import Isolation
from privacy.enclave.measurement import Measurement


class Enclave(Protocol):
    """One running enclave, which serves one conversation. Every wait has an end; errors never say what ran inside.

    What a host learns of it: its messages, when they come, and attestation documents, of which 2 KB each are the
    program's to choose (key, user data, nonce) and which the emulation limits to 16.
    """

    @property
    def attestation(self) -> bytes | None:
        """The last attestation document made for it, or None before the first."""

    def send(self, message: bytes, files: Sequence[int] = ()) -> None:
        """A message, with descriptors of files open for reading, which the caller keeps and closes.

        Raises EnclaveFailed when it ended, does not read, or the message is too long.
        """

    def receive(self, *, seconds: float) -> bytes:
        """Its next message. Raises EnclaveFailed when it ends, takes longer than `seconds`, or sends too much.

        It is closed then: there is no second try with the same enclave.
        """

    def close(self) -> None:
        """End it, whatever it is at. May be called again, and from any thread."""


class TeeBackend(Protocol):
    """Starts enclaves of one program."""

    @property
    def measurement(self) -> Measurement:
        """What is measured of every enclave started here."""

    @property
    def root(self) -> bytes:
        """The certificate (DER) that its attestation documents lead to."""

    @property
    def isolation(self) -> Isolation:
        """What keeps it apart from the host."""

    def start(self) -> Enclave:
        """An enclave that waits for its first message. Raises EnclaveUnavailable with what to do about it."""

    def close(self) -> None:
        """End every enclave; none can be started afterwards."""
