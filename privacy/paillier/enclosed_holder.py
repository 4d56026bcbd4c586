"""A key holder whose keys exist in an enclave only: started, spoken to, and its sealed files kept, from outside."""

import json
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from privacy.enclave.emulated_backend import EmulatedBackend
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.enclave_program import EnclaveProgram
from privacy.enclave.isolation import Isolation
from privacy.enclave.resource_limits import ResourceLimits
from privacy.enclave.sandbox_profile import SandboxProfile
from privacy.errors import EnclaveFailed, HolderGone, HolderUnusable
from privacy.flat_messages import decode_message, encode_message
from privacy.paillier.holder_enclave import AllRestored, Answered, Restore
from privacy.paillier.holder_pipe import KINDS, Answer, Done, accepted
from privacy.paillier.kept_files import KeptFiles, write_whole
from privacy.sealing import new_key

PROGRAM = EnclaveProgram("Paillier key holder", "privacy.paillier.holder_enclave")
LIMITS = ResourceLimits(memory_bytes=4 * 2**30, spill_bytes=2**30, cpu_seconds=24 * 3600, threads=32)
MARKER, STATE_KEY, STATE = "enclave.json", "state.key", "state"
ANSWER_SECONDS = 600.0  # a new key of many bits takes a while


def enclose(directory: Path, isolation: Isolation) -> None:
    """Make `directory` that of a key holder in an enclave. Raises HolderUnusable when it holds one already."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(directory.iterdir()):
        raise HolderUnusable(
            "there is a key holder already; nothing was changed", hint="choose a new directory"
        )
    write_whole(directory / STATE_KEY, new_key())
    write_whole(directory / MARKER, json.dumps({"isolation": isolation.value}).encode())


def is_enclosed(directory: Path) -> bool:
    """Whether the key holder of this directory lives in an enclave."""
    return (directory / MARKER).exists()


class EnclosedHolder:
    """As HolderProcess, over an enclave. One message at a time; safe to use from several threads."""

    def __init__(self, directory: Path) -> None:
        """Start it with the files it had.

        Raises EnclaveUnavailable, or HolderUnusable for files that do not belong together or are in use; nothing
        stays open then.
        """
        isolation = Isolation(json.loads((directory / MARKER).read_bytes())["isolation"])
        profile, self._lock = SandboxProfile(isolation, LIMITS), Lock()
        with ExitStack() as opened:
            # Inside they lie in the spill folder: what it could not hold is not kept.
            files = KeptFiles(directory / STATE, most_bytes=LIMITS.spill_bytes)
            self._files = opened.enter_context(closing(files))
            backend = EmulatedBackend(PROGRAM, EmulatedPlatform.open(directory / "platform"), profile)
            self._enclave = opened.enter_context(closing(backend)).start()
            self._restore((directory / STATE_KEY).read_bytes())
            self._opened = opened.pop_all()

    def ask(self, message: Any, kind: type[Answer]) -> Answer:
        """The key holder's answer; its refusals are raised here. Raises HolderGone when it ended."""
        return self._tell(message, kind)

    def close(self) -> None:
        """End it."""
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _restore(self, state_key: bytes) -> None:
        """One message a file: together they may be longer than a message can be."""
        self._tell(Restore(state_key, self._files.index), Done)
        for name in self._files.names:
            self._tell(self._files.read(name), Done)
        self._tell(AllRestored(), Done)

    def _tell(self, message: Any, kind: type[Answer]) -> Answer:
        with self._lock:
            try:
                self._enclave.send(encode_message(message))
                answered = decode_message(self._enclave.receive(seconds=ANSWER_SECONDS), (Answered,))
            except EnclaveFailed as error:
                raise HolderGone(
                    "the key holder's enclave ended without an answer; no sum was opened",
                    hint="start it again and resume the run",
                ) from error
            try:
                self._files.keep(answered.files)
            except BaseException:
                self._enclave.close()  # it takes them for kept, and would give the answer when it is asked again
                raise
        return accepted(decode_message(answered.answer, KINDS), kind)
