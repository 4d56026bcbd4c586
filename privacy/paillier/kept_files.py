"""An enclosed key holder's sealed files on its disk, as the untrusted side keeps them."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from privacy.errors import HolderUnusable, MalformedMessage
from privacy.flat_messages import decode_message, encode_message
from privacy.paillier.state_files import INDEX, StateFile, is_state_name

SEALED, PENDING, LOCK = ".sealed", "pending.json", "lock"
PAGE_BYTES = 4096  # a file takes at least this much of a file system


@dataclass(frozen=True)
class Pending:
    """What is being written: all of it, also when a crash comes between."""

    files: tuple[StateFile, ...]


class KeptFiles:
    """Files of known names only, of `most_bytes` together; each counts for a page more, which bounds their number.

    What is kept together is on the disk whole or not at all, also after a crash: the index fits no mixture. Nobody else
    keeps files there meanwhile: two key holders would give two answers.
    """

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        """Finishes what a crash interrupted. Raises HolderUnusable, also while the folder is in use."""
        self._folder, self._most = folder, most_bytes
        self._lock = _locked(folder)
        try:
            self._sizes = _sizes(folder)
            if (folder / PENDING).exists():
                self._apply(_pending((folder / PENDING).read_bytes()))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let others have the folder."""
        self._lock.close()

    @property
    def names(self) -> tuple[str, ...]:
        """All but the index, in order."""
        return tuple(sorted(set(self._sizes) - {INDEX}))

    @property
    def index(self) -> bytes:
        """The sealed index, empty before the first file."""
        return self._path(INDEX).read_bytes() if INDEX in self._sizes else b""

    def read(self, name: str) -> StateFile:
        """One file."""
        return StateFile(name, self._path(name).read_bytes())

    def keep(self, files: tuple[StateFile, ...]) -> None:
        """On the disk when this returns. Raises HolderUnusable, for names of no key holder's with nothing written."""
        if not files:
            return
        self._require_fitting(files)
        write_whole(self._folder / PENDING, encode_message(Pending(files)))
        self._apply(files)

    def _require_fitting(self, files: tuple[StateFile, ...]) -> None:
        if not all(_is_known(file.name) for file in files):
            raise HolderUnusable(
                "the enclave names a file that no key holder has; nothing was written", hint="start it again"
            )
        sizes = self._sizes | {file.name: len(file.sealed) + PAGE_BYTES for file in files}
        if sum(sizes.values()) > self._most:
            raise HolderUnusable(
                f"the key holder's files would take more than {self._most} bytes; no sum was given",
                hint="make a new key holder and start new runs with it; keep this one's folder for its runs",
            )

    def _apply(self, files: tuple[StateFile, ...]) -> None:
        try:
            for file in files:
                path = self._path(file.name)
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_whole(path, file.sealed)
                self._sizes[file.name] = len(file.sealed) + PAGE_BYTES
            (self._folder / PENDING).unlink()
        except OSError as error:
            raise _unwritable() from error

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{SEALED}"


def write_whole(path: Path, content: bytes) -> None:
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
        raise _unwritable() from error


def _locked(folder: Path) -> BinaryIO:
    """The folder is held while this is open. Raises HolderUnusable."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.fdopen(os.open(folder / LOCK, os.O_WRONLY | os.O_CREAT, 0o600), "wb")
    except OSError as error:
        raise _unwritable() from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise HolderUnusable(
            "this key holder runs already; nothing was changed",
            hint="end the client that runs it, then try again",
        ) from error
    return lock


def _sizes(folder: Path) -> dict[str, int]:
    return {
        name: path.stat().st_size + PAGE_BYTES
        for path in folder.rglob(f"*{SEALED}")
        if _is_known(name := path.relative_to(folder).as_posix().removesuffix(SEALED))
    }


def _is_known(name: str) -> bool:
    return name == INDEX or is_state_name(name)


def _pending(content: bytes) -> tuple[StateFile, ...]:
    """As `keep` wrote it. Raises HolderUnusable."""
    try:
        files: tuple[StateFile, ...] = decode_message(content, (Pending,)).files
    except MalformedMessage as error:
        raise _damaged() from error
    if not all(_is_known(file.name) for file in files):
        raise _damaged()
    return files


def _damaged() -> HolderUnusable:
    return HolderUnusable(
        "what the key holder was writing when it ended is damaged; no sum was opened",
        hint="undo the change to its folder; without it, make a new key holder",
    )


def _unwritable() -> HolderUnusable:
    return HolderUnusable(
        "the key holder's disk cannot be written; no sum was given",
        hint="free disk space or fix the permissions, then resume the run",
    )
