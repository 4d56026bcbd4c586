"""The key holder inside an enclave: its files are in the enclave's memory, and leave it sealed before any answer does.

The state key seals them, file by file, with an index of all. Whoever keeps the key holder's folder hands in key and
files at each start; a key broker would give that key to this program's measurement only. So what parses strangers'
ciphertexts reaches no disk and no network, and no other process has to hold the private key.
Not covered: whoever has the state key (in the emulation a file beside the sealed ones, so whoever controls the account
that keeps them, or reads that folder or a backup of it) and so can open them; the host's root; the whole folder put
back to an earlier state, with which sums answered since could be answered again.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privacy.enclave.inside import InsideEnclave
from privacy.errors import HolderUnusable, MalformedMessage, PrivacyError
from privacy.flat_messages import decode_message, encode_message, malformed_message
from privacy.paillier.holder_answers import answer_as
from privacy.paillier.holder_home import HolderHome
from privacy.paillier.holder_pipe import KINDS, Done, Refused
from privacy.paillier.state_files import SealedState, StateFile, digest_of, is_state_name, require_all

HOME = "key-holder"


@dataclass(frozen=True)
class Restore:
    """Host to enclave, first of all: the key that seals files, and their index; empty for a new key holder.

    It and each file after it is answered by Answered(Done), or by a refusal, after which the enclave ends.
    """

    state_key: bytes
    index: bytes


@dataclass(frozen=True)
class AllRestored:
    """Host to enclave, after the last file."""


@dataclass(frozen=True)
class Answered:
    """Enclave to host: files to be on the disk before the answer, a message of `holder_pipe`, is given."""

    files: tuple[StateFile, ...]
    answer: bytes


TO_RESTORE = (Restore, StateFile, AllRestored)


class EnclosedHome:
    """The key holder's folder inside, and which of its files the host has as they are."""

    def __init__(self, folder: Path, restore: Restore) -> None:
        """Raises HolderUnusable for an index that this key did not seal."""
        self._folder, self._sealed = folder, SealedState(restore.state_key)
        self._known = self._sealed.open_index(restore.index)
        self.home = HolderHome(folder, alone=True)
        folder.mkdir(mode=0o700)

    def restore(self, file: StateFile) -> None:
        """One file as it was. Raises HolderUnusable for one that the index has not."""
        content = self._sealed.open(file, self._known)
        path = self._folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.write_bytes(content)

    def require_all(self) -> None:
        """Every file is there. Raises HolderUnusable."""
        require_all(self._digests(), self._known)

    def answer(self, message: Any) -> Answered:
        """The key holder's answer, with what changed on the way to it, and then the index."""
        answer = answer_as(self.home, message)
        found = self._digests()
        changed = sorted(name for name, digest in found.items() if self._known.get(name) != digest)
        self._known = found
        files = [self._sealed.seal(name, (self._folder / name).read_bytes()) for name in changed]
        if files:
            files.append(self._sealed.seal_index(found))
        return Answered(tuple(files), encode_message(answer))

    def _digests(self) -> dict[str, str]:
        names = (path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*"))
        return {name: digest_of((self._folder / name).read_bytes()) for name in names if is_state_name(name)}


def serve(enclave: InsideEnclave) -> None:
    """Answer messages until the host ends the conversation. Files that do not open end the process."""
    try:
        home = _restored(enclave)
    except PrivacyError as error:
        _say(enclave, Refused.of(error))
        return
    while True:
        content, _ = enclave.receive()
        enclave.send(encode_message(home.answer(_read(content))))


def _restored(enclave: InsideEnclave) -> EnclosedHome:
    """The key holder as the host kept it. Raises HolderUnusable, also where only a disk could take its files."""
    restore = _next(enclave)
    if enclave.spill_folder is None:
        raise HolderUnusable(
            "this system gives the sandbox no memory to keep files in, and the private key goes to no disk in clear",
            hint="use full isolation, or allow namespaces of users; or make a key holder without an enclave",
        )
    if not isinstance(restore, Restore):
        raise malformed_message()
    home = EnclosedHome(enclave.spill_folder / HOME, restore)
    _say(enclave, Done())
    while isinstance(message := _next(enclave), StateFile):
        home.restore(message)
        _say(enclave, Done())
    home.require_all()
    _say(enclave, Done())
    return home


def _next(enclave: InsideEnclave) -> Any:
    content, _ = enclave.receive()
    return decode_message(content, TO_RESTORE)


def _say(enclave: InsideEnclave, answer: Any) -> None:
    enclave.send(encode_message(Answered((), encode_message(answer))))


def _read(content: bytes) -> Any:
    try:
        return decode_message(content, KINDS)
    except MalformedMessage as error:
        return error


if __name__ == "__main__":
    serve(InsideEnclave.enter())
