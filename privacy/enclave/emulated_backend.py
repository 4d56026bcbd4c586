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
from pathlib import Path

from privacy.enclave.bytecode import Bytecode
from privacy.enclave.emulated_enclave import EmulatedEnclave
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.enclave_program import EnclaveProgram
from privacy.enclave.enclave_starter import EnclaveStarter
from privacy.enclave.laid_out import LaidOut
from privacy.enclave.measurement import Measurement
from privacy.enclave.measuring import MeasuredProgram
from privacy.enclave.sandbox_profile import Isolation, SandboxProfile
from privacy.errors import EnclaveUnavailable, InvalidSetting

START_SECONDS = 60.0


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
        self._laid_out = LaidOut(self._measured.files, profile, self._bytecode.folder)
        self._measured.require_unchanged()  # what was copied is what was measured
        errors = None if debug else subprocess.DEVNULL
        self._starter = EnclaveStarter(self._laid_out, program.module, errors=errors)
        self._waiting: queue.SimpleQueue[EmulatedEnclave] = queue.SimpleQueue()
        self._running: set[EmulatedEnclave] = set()
        self._lock = threading.Lock()
        self._refilling = threading.Lock()
        self._closed = False
        if warm:
            self._in_background(self._replenish if self._bytecode.is_done else self._warm_up)

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
        """One that waited, if it still lives, or a new one. Raises EnclaveUnavailable."""
        self._measured.require_unchanged()
        while True:
            try:
                enclave = self._waiting.get_nowait()
            except queue.Empty:
                enclave = self._launch()
                self._await_ready(enclave)
                return enclave
            if enclave.is_alive:
                with suppress(EnclaveUnavailable):  # it died while it waited: the next one, or a new one
                    self._await_ready(enclave)
                    return enclave
            enclave.close()

    def close(self) -> None:
        """End every enclave, and remove what was laid out for them."""
        with self._lock:
            self._closed = True
            left = tuple(self._running)
        for enclave in left:
            enclave.close()
        self._starter.close()
        self._laid_out.close()

    def _launch(self) -> EmulatedEnclave:
        process, channel = self._starter.start()
        enclave = EmulatedEnclave(process, channel, self._platform, self.measurement, self._ended)
        with self._lock:
            self._running.add(enclave)
            closed = self._closed
        if closed:
            enclave.close()
        return enclave

    def _await_ready(self, enclave: EmulatedEnclave) -> None:
        self._bytecode.learn(enclave.await_ready(START_SECONDS), self._laid_out.shown_file)

    def _ended(self, enclave: EmulatedEnclave) -> None:
        with self._lock:
            self._running.discard(enclave)
        if self._warm and not self._closed:
            self._in_background(self._replenish)

    def _replenish(self) -> None:
        """The next question finds its libraries loaded; where that fails, it starts an enclave itself, or says why."""
        with self._refilling, suppress(EnclaveUnavailable):
            self._measured.require_unchanged()
            while not self._closed and self.waiting < self._warm:
                self._waiting.put(self._launch())

    def _warm_up(self) -> None:
        """The first start shows what is imported; those that wait start with its bytecode."""
        with suppress(EnclaveUnavailable):
            self._measured.require_unchanged()
            first = self._launch()
            self._await_ready(first)
            self._bytecode.wait()
            first.close()

    def _in_background(self, task: Callable[[], None]) -> None:
        threading.Thread(target=task, name="enclave-refill", daemon=True).start()
