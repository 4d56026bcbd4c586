"""Numbers used once: what shows that an attestation was made after it was asked for."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from privacy.enclave.attestation_document import attestation_refused

NONCE_BYTES = 32


class NonceBook:
    """Nonces given out and not yet spent. Safe to use from several threads; forgotten when the process ends.

    A nonce lives `seconds`. At most `most` are kept: one more takes the place of the oldest, so that whoever asks for
    many loses its own requests and costs no memory.
    """

    def __init__(
        self, *, seconds: float = 300.0, most: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds, self._most, self._clock = seconds, most, clock
        self._ends: dict[bytes, float] = {}  # in the order of issue, so the first ends first
        self._lock = threading.Lock()

    def issue(self) -> bytes:
        """32 new random bytes."""
        nonce = os.urandom(NONCE_BYTES)
        with self._lock:
            self._forget_ended()
            while len(self._ends) >= self._most:
                del self._ends[next(iter(self._ends))]
            self._ends[nonce] = self._clock() + self._seconds
        return nonce

    def spend(self, nonce: bytes) -> None:
        """Take the nonce out. Raises AttestationRefused when it was not issued here, has ended or was spent."""
        with self._lock:
            self._forget_ended()
            if self._ends.pop(nonce, None) is None:
                raise attestation_refused()

    def __len__(self) -> int:
        with self._lock:
            self._forget_ended()
            return len(self._ends)

    def _forget_ended(self) -> None:
        now = self._clock()
        while self._ends and self._ends[first := next(iter(self._ends))] <= now:
            del self._ends[first]
