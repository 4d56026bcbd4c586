"""Enclaves emulated on this machine: processes in a sandbox, with a real enclave's interface, formats and refusals.

Guarantee: what `privacy/enclave/sandbox_profile.py` says of the isolation in force, against the program inside and
against other users of the machine. Not covered: the host's root, and whoever can read the platform's key.
"""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from privacy.enclave.bytecode import Bytecode
from privacy.enclave.emulated_enclave import EmulatedEnclave
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.enclave_program import EnclaveProgram
from privacy.enclave.enclave_starter import EnclaveStarter
from privacy.enclave.isolation import Isolation
from privacy.enclave.laid_out import LaidOut
from privacy.enclave.measurement import Measurement
from privacy.enclave.measuring import MeasuredProgram
from privacy.enclave.sandbox_profile import SandboxProfile
from privacy.errors import EnclaveUnavailable, InvalidSetting

START_SECONDS = 60.0
MOST_TRIES = 3


@dataclass(frozen=True)
class _Launched:
    """`touched`: how often the program's files had been touched before it loaded them."""

    enclave: EmulatedEnclave
    touched: int


class EmulatedBackend:
    """`TeeBackend` on this machine. Safe to use from several threads.

    warm: enclaves that wait with their libraries loaded; each serves one conversation and is replaced when it ends.
    debug: measured as zeros, and what a program prints on standard error is shown.
    bytecode_in: a folder that keeps compiled libraries from one run of the service to the next; to be protected like
    the platform's key, and so best one beside it.
    """

    def __init__(
        self,
        program: EnclaveProgram,
        platform: EmulatedPlatform,
        profile: SandboxProfile | None = None,
        *,
        warm: int = 0,
        debug: bool = False,
        bytecode_in: Path | None = None,
    ) -> None:
        """Measure the program. Raises EnclaveUnavailable; InvalidSetting for no isolation without debug."""
        profile = profile or SandboxProfile()
        if profile.isolation is Isolation.NONE and not debug:
            raise InvalidSetting(
                "an enclave without isolation is for debugging only", hint="set debug, or ask for isolation"
            )
        self._platform, self._profile = platform, profile
        self._warm, self._debug = warm, debug
        self._measured = MeasuredProgram(program, profile.manifest())
        # A program that is an ordinary user by its own doing could not reach a folder that is the service's alone.
        kept_in = bytecode_in if profile.isolation is Isolation.FULL else None
        self._bytecode = Bytecode.of(self._measured.measurement.code, kept_in)
        self._laid_out = LaidOut(
            self._measured.files, profile, self._bytecode.folder, digests=self._measured.own_digests
        )
        errors = None if debug else subprocess.DEVNULL
        self._starter = EnclaveStarter(self._laid_out, program.module, errors=errors)
        self._waiting: queue.SimpleQueue[_Launched] = queue.SimpleQueue()
        self._running: set[EmulatedEnclave] = set()
        self._lock = threading.Lock()
        self._refilling = threading.Lock()
        self._closed = False
        if warm:
            try:
                self._in_background(self._replenish if self._bytecode.is_done else self._warm_up)
            except BaseException:
                self.close()
                raise

    @property
    def measurement(self) -> Measurement:
        """Of the program, its libraries and the sandbox; zeros in debug mode."""
        return Measurement.debug() if self._debug else self._measured.measurement

    @property
    def root(self) -> bytes:
        """The emulated root's certificate (DER)."""
        return self._platform.root

    @property
    def isolation(self) -> Isolation:
        """What keeps enclaves apart."""
        return self._profile.isolation

    @property
    def waiting(self) -> int:
        """How many enclaves wait for a conversation."""
        return self._waiting.qsize()

    def start(self) -> EmulatedEnclave:
        """One that waited, if it still lives and its files were left alone, or a new one. Raises EnclaveUnavailable."""
        self._measured.require_unchanged()
        while not self._waiting.empty():
            # where it died while it waited, or another thread took it: the next one, or a new one
            with suppress(EnclaveUnavailable, queue.Empty):
                launched = self._waiting.get_nowait()
                if launched.enclave.is_alive and self._is_ready(launched):
                    return launched.enclave
                launched.enclave.close()
        for _ in range(MOST_TRIES):
            launched = self._launch()
            if self._is_ready(launched):
                return launched.enclave
        raise EnclaveUnavailable(
            "the program's files were touched while it loaded them; it read no data",
            hint="wait until the installation has ended, and try again",
        )

    def close(self) -> None:
        """End every enclave, and remove what was laid out for them."""
        with self._lock:
            self._closed = True
            left = tuple(self._running)
        for enclave in left:
            enclave.close()
        self._starter.close()
        self._laid_out.close()

    def _launch(self) -> _Launched:
        touched = self._measured.require_unchanged()
        process, channel = self._starter.start()
        enclave = EmulatedEnclave(process, channel, self._platform, self.measurement, self._ended)
        with self._lock:
            self._running.add(enclave)
            closed = self._closed
        if closed:
            enclave.close()
        return _Launched(enclave, touched)

    def _is_ready(self, launched: _Launched) -> bool:
        """Whether nobody touched its files while it loaded them, as libraries lie where others may: else it is closed.

        Raises EnclaveUnavailable when it did not load them, or they are not those that were measured.
        """
        imported = launched.enclave.await_ready(START_SECONDS)
        is_untouched = False
        try:
            is_untouched = self._measured.require_unchanged() == launched.touched
        finally:
            if not is_untouched:
                launched.enclave.close()
        if is_untouched:
            self._bytecode.learn(imported, self._laid_out.shown_file)
        return is_untouched

    def _ended(self, enclave: EmulatedEnclave) -> None:
        with self._lock:
            self._running.discard(enclave)
        if self._warm and not self._closed:
            self._in_background(self._replenish)

    def _replenish(self) -> None:
        """The next question finds its libraries loaded; where that fails, it starts an enclave itself, or says why."""
        with self._refilling, suppress(EnclaveUnavailable):
            while not self._closed and self.waiting < self._warm:
                self._waiting.put(self._launch())

    def _warm_up(self) -> None:
        """The first start shows what is imported; those that wait start with its bytecode."""
        with suppress(EnclaveUnavailable):
            first = self._launch()
            self._is_ready(first)
            self._bytecode.wait()
            first.enclave.close()

    def _in_background(self, task: Callable[[], None]) -> None:
        threading.Thread(target=task, name="enclave-refill", daemon=True).start()
