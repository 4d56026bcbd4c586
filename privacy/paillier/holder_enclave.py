"""The key holder inside an enclave: its files are in the enclave's memory, and leave it sealed before any answer does.

The state key seals them, file by file. Whoever keeps the key holder's folder hands in key and files at each start; a
key broker would give that key to this program's measurement only. So no other process ever holds the private key, and
what parses strangers' ciphertexts reaches no disk and no network.
Not covered: whoever has the state key (in the emulation a file beside the sealed ones) and so can open them; the
host's root; files put back to earlier ones.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privacy.enclave.inside import InsideEnclave
from privacy.errors import MalformedMessage
from privacy.flat_messages import decode_message, encode_message
from privacy.paillier.holder_answers import answer_as
from privacy.paillier.holder_home import HolderHome
from privacy.paillier.holder_pipe import KINDS, Done
from privacy.sealing import open_bytes, seal_bytes

HOME = "key-holder"


@dataclass(frozen=True)
class StateFile:
    """One sealed file; `name` is its path below the key holder's folder."""

    name: str
    sealed: bytes


@dataclass(frozen=True)
class Restore:
    """Host to enclave, first of all: the key that seals files, and all there are. Answered by Answered(Done)."""

    state_key: bytes
    files: tuple[StateFile, ...]


@dataclass(frozen=True)
class Answered:
    """Enclave to host: files to be on the disk before the answer, a message of `holder_pipe`, is given."""

    files: tuple[StateFile, ...]
    answer: bytes


def file_context(name: str) -> dict[str, object]:
    """What a sealed file is bound to."""
    return {"purpose": "key holder state", "name": name}


class EnclosedHome:
    """The key holder's folder inside, and which of its files the host has as they are."""

    def __init__(self, folder: Path, restored: Restore) -> None:
        """Raises SealBroken for files that this key did not seal."""
        self._folder, self._key = folder, restored.state_key
        self.home = HolderHome(folder, alone=True)
        folder.mkdir(mode=0o700)
        for file in restored.files:
            path = folder / file.name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            path.write_bytes(open_bytes(self._key, file.sealed, file_context(file.name)))
        self._known = self._digests()

    def answer(self, message: Any) -> Answered:
        """The key holder's answer, with what changed on the way to it."""
        answer = answer_as(self.home, message)
        found = self._digests()
        changed = sorted(name for name, digest in found.items() if self._known.get(name) != digest)
        self._known = found
        return Answered(tuple(self._sealed(name) for name in changed), encode_message(answer))

    def _sealed(self, name: str) -> StateFile:
        content = (self._folder / name).read_bytes()
        return StateFile(name, seal_bytes(self._key, content, file_context(name)))

    def _digests(self) -> dict[str, bytes]:
        files = (path for path in self._folder.rglob("*") if path.is_file())
        return {
            path.relative_to(self._folder).as_posix(): hashlib.sha256(path.read_bytes()).digest()
            for path in files
        }


def serve(enclave: InsideEnclave) -> None:
    """Answer messages until the host ends the conversation. Files that do not open end the process."""
    content, _ = enclave.receive()
    home = EnclosedHome(Path(enclave.spill_folder) / HOME, decode_message(content, (Restore,)))
    enclave.send(encode_message(Answered((), encode_message(Done()))))
    while True:
        content, _ = enclave.receive()
        enclave.send(encode_message(home.answer(_read(content))))


def _read(content: bytes) -> Any:
    try:
        return decode_message(content, KINDS)
    except MalformedMessage as error:
        return error


if __name__ == "__main__":
    serve(InsideEnclave.enter())
