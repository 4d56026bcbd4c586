"""A key holder whose keys exist in an enclave only: started, spoken to, and its sealed files kept, from outside."""

import json
import os
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from privacy.enclave.emulated_backend import EmulatedBackend
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.enclave_program import EnclaveProgram
from privacy.enclave.resource_limits import ResourceLimits
from privacy.enclave.sandbox_profile import Isolation, SandboxProfile
from privacy.errors import EnclaveFailed, HolderGone, HolderUnusable
from privacy.flat_messages import decode_message, encode_message
from privacy.paillier.holder_enclave import Answered, Restore, StateFile
from privacy.paillier.holder_pipe import KINDS, Answer, Done, accepted
from privacy.sealing import new_key

PROGRAM = EnclaveProgram("Paillier key holder", "privacy.paillier.holder_enclave")
LIMITS = ResourceLimits(memory_bytes=4 * 2**30, spill_bytes=2**30, cpu_seconds=24 * 3600, threads=32)
MARKER, STATE_KEY, STATE, SEALED = "enclave.json", "state.key", "state", ".sealed"
ANSWER_SECONDS = 600.0  # a new key of many bits takes a while


def enclose(directory: Path, isolation: Isolation) -> None:
    """Make `directory` that of a key holder in an enclave. Raises HolderUnusable when it holds one already."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(directory.iterdir()):
        raise HolderUnusable(
            "there is a key holder already; nothing was changed", hint="choose a new directory"
        )
    _write(directory / STATE_KEY, new_key())
    _write(directory / MARKER, json.dumps({"isolation": isolation.value}).encode())


def is_enclosed(directory: Path) -> bool:
    """Whether the key holder of this directory lives in an enclave."""
    return (directory / MARKER).exists()


class EnclosedHolder:
    """As HolderProcess, over an enclave. One message at a time; safe to use from several threads."""

    def __init__(self, directory: Path) -> None:
        """Start it with the files it had. Raises EnclaveUnavailable, HolderGone for files that do not open."""
        isolation = Isolation(json.loads((directory / MARKER).read_bytes())["isolation"])
        self._state, self._lock = directory / STATE, Lock()
        self._backend = EmulatedBackend(
            PROGRAM, EmulatedPlatform.open(directory / "platform"), SandboxProfile(isolation, LIMITS)
        )
        self._enclave = self._backend.start()
        self._tell(Restore((directory / STATE_KEY).read_bytes(), self._files()), Done)

    def ask(self, message: Any, kind: type[Answer]) -> Answer:
        """The key holder's answer; its refusals are raised here. Raises HolderGone when it ended."""
        return self._tell(message, kind)

    def close(self) -> None:
        """End it."""
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tell(self, message: Any, kind: type[Answer]) -> Answer:
        with self._lock:
            try:
                self._enclave.send(encode_message(message))
                answered = decode_message(self._enclave.receive(seconds=ANSWER_SECONDS), (Answered,))
            except EnclaveFailed as error:
                raise HolderGone(
                    "the key holder's enclave ended without an answer; no sum was opened",
                    hint="start it again and resume the run; if it ends at once, its files or its state key "
                    "were changed: restore both from one backup",
                ) from error
            for file in answered.files:
                self._keep(file)
        return accepted(decode_message(answered.answer, KINDS), kind)

    def _files(self) -> tuple[StateFile, ...]:
        paths = sorted(self._state.rglob(f"*{SEALED}"))
        return tuple(
            StateFile(path.relative_to(self._state).as_posix().removesuffix(SEALED), path.read_bytes())
            for path in paths
        )

    def _keep(self, file: StateFile) -> None:
        path = self._state / f"{file.name}{SEALED}"
        if not path.resolve().is_relative_to(self._state.resolve()):
            raise HolderUnusable(
                "the enclave names a file elsewhere; it was not written", hint="start it again"
            )
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(path, file.sealed)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, for the owner's eyes only, and on the disk when this returns. Raises HolderUnusable."""
    draft = path.with_name(f".{path.name}.new")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise HolderUnusable(
            "the key holder's disk cannot be written; no sum was given",
            hint="free disk space or fix the permissions, then resume the run",
        ) from error
