"""One upload on its way into the vault: announced, written in parts, interrupted at any moment, taken up again.

`<upload>.json` is the announcement, and the lock of whoever works on the upload; `<upload>.part` is what arrived.
The announcement comes first and goes last, so no part is ever without one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from cleanroom.datasets.announced_upload import AnnouncedUpload, UploadProgress, require_vault_name
from cleanroom.errors import Conflict, NotFound, UploadBroken

ANNOUNCEMENT, PART = ".json", ".part"


class IncomingUpload:
    """The upload called `name` in `folder`, whether or not it is there."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._announcement = folder / f"{require_vault_name(name)}{ANNOUNCEMENT}"
        self.part = folder / f"{name}{PART}"

    def exists(self) -> bool:
        """Whether it was announced and is neither committed nor gone."""
        return self._announcement.exists()

    def announce(self, announced: AnnouncedUpload) -> None:
        """Write the announcement, whole or not at all. Conflict when another one is there already."""
        draft = self._folder / f".{self._announcement.name}.{os.urandom(8).hex()}"
        try:
            with draft.open("xb") as file:
                file.write(json.dumps(asdict(announced)).encode())
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(draft, self._announcement)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(self._folder)
        if self.announced() != announced:
            raise Conflict(
                "an upload of this name with another size or SHA-256 is under way; nothing was changed",
                hint="abandon that upload, or use a new name",
            )

    def announced(self) -> AnnouncedUpload:
        """What was announced. Raises NotFound."""
        try:
            return AnnouncedUpload(**json.loads(self._announcement.read_bytes()))
        except FileNotFoundError as error:
            raise _not_there() from error

    def progress(self) -> UploadProgress:
        """How much has arrived. Raises NotFound."""
        expected = self.announced().expected_bytes
        try:
            return UploadProgress(self.part.stat().st_size, expected)
        except FileNotFoundError:
            return UploadProgress(0, expected)

    def last_heard_of(self) -> float:
        """Seconds since 1970. Raises NotFound."""
        times = [path.stat().st_mtime for path in (self._announcement, self.part) if path.exists()]
        if not times:
            raise _not_there()
        return max(times)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else appends, commits or removes. Conflict when somebody does right now, NotFound."""
        try:
            descriptor = os.open(self._announcement, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise _not_there() from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._require_still_there(descriptor)
            yield
        except BlockingIOError as error:
            raise Conflict(
                "another request is working on this upload; nothing was changed",
                hint="wait for it, then ask for the upload's progress",
            ) from error
        finally:
            os.close(descriptor)

    def append(self, offset: int, chunks: Iterable[bytes]) -> None:
        """Under the lock: write from `offset` on, at most to the announced end, and force it to the disk.

        If `chunks` fails, what came before is kept. Otherwise a failure leaves the part as long as it was.
        """
        limit = self.announced().expected_bytes
        descriptor = os.open(self.part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            before = os.fstat(descriptor).st_size
            try:
                _require_no_gap(offset, before)
                for chunk in chunks:
                    _require_within(offset + len(chunk), limit)
                    _write(descriptor, chunk, offset)
                    offset += len(chunk)
            except UploadBroken:
                os.ftruncate(descriptor, before)
                raise
            finally:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self) -> None:
        """Under the lock: nothing of it stays."""
        self.part.unlink(missing_ok=True)
        self._announcement.unlink(missing_ok=True)
        sync_folder(self._folder)

    def _require_still_there(self, descriptor: int) -> None:
        """Who held the lock before may have removed the upload, and somebody may have announced a new one."""
        try:
            is_same = os.path.samestat(self._announcement.stat(), os.fstat(descriptor))
        except FileNotFoundError:
            is_same = False
        if not is_same:
            raise _not_there()


def sync_folder(folder: Path) -> None:
    """Make names given or removed in `folder` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(descriptor: int, chunk: bytes, offset: int) -> None:
    view = memoryview(chunk)
    try:
        while view:
            written = os.pwrite(descriptor, view, offset)
            view, offset = view[written:], offset + written
    except OSError as error:
        raise UploadBroken(
            "the service could not store this part; what was stored before it is kept",
            hint="try again later; the operator may have to make room",
        ) from error


def _require_no_gap(offset: int, received: int) -> None:
    if not 0 <= offset <= received:
        raise UploadBroken(
            f"a part starts at byte {offset}, but {received} bytes have arrived; nothing was stored",
            hint="ask for the upload's progress and go on from there",
        )


def _require_within(end: int, limit: int) -> None:
    if end > limit:
        raise UploadBroken(
            f"more than the {limit} announced bytes arrive; this part was not stored",
            hint="abandon the upload and announce the table as it is",
        )


def _not_there() -> NotFound:
    return NotFound(
        "there is no such upload: it was committed, abandoned, has expired or was never announced",
        hint="announce the upload again",
    )
