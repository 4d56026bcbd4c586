"""Starts the process of an emulated enclave, with two descriptors and nothing else of the service."""

from __future__ import annotations

import os
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

from privacy.enclave.channel import Channel
from privacy.enclave.laid_out import LaidOut
from privacy.enclave.yielding import yield_processor, yielding_memory
from privacy.errors import EnclaveUnavailable


class EnclaveStarter:
    """Starts all processes from one thread that lasts: a sandbox ends with the thread that started it."""

    def __init__(self, laid_out: LaidOut, module: str, *, errors: int | None) -> None:
        """`errors`: where standard error goes; None: to that of the service."""
        self._laid_out, self._module, self._errors = laid_out, module, errors
        self._thread = ThreadPoolExecutor(1, "enclave-starter", initializer=yield_processor)

    def start(self) -> tuple[subprocess.Popen[bytes], Channel]:
        """A process and the host's end of its channel. Raises EnclaveUnavailable."""
        try:
            return self._thread.submit(self._start).result()
        except (OSError, RuntimeError) as error:  # no memory, no descriptors, or the interpreter is ending
            raise EnclaveUnavailable(
                "the enclave's process could not be started", hint="look at the machine's free memory"
            ) from error

    def close(self) -> None:
        """Start no more."""
        self._thread.shutdown(wait=False)

    def _start(self) -> tuple[subprocess.Popen[bytes], Channel]:
        host, inside = socket.socketpair()
        with inside, open(self._laid_out.filter_path, "rb") as first_filter:
            try:
                command, environment = self._laid_out.command(
                    self._module, inside.fileno(), first_filter.fileno()
                )
                if self._laid_out.is_wrapped:  # else the program does that itself
                    command = yielding_memory(command)
                wrapper_reads = (first_filter.fileno(),) if self._laid_out.is_wrapped else ()
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._errors,
                    env=environment,
                    cwd=os.sep,
                    pass_fds=(inside.fileno(), *wrapper_reads),
                    start_new_session=True,
                )
            except BaseException:
                host.close()
                raise
        return process, Channel(host)
