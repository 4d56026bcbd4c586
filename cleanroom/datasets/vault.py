"""The service's store of sealed tables: uploads that may be interrupted at any moment, and what they became.

Guarantee: the vault handles sealed bytes only and is never given a key. A table appears under its version with
exactly the announced size and SHA-256, or not at all. What is acknowledged is on the disk.
Layout: `incoming/` as `incoming_upload` has it, `sealed/<version>.sealed`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cleanroom.datasets.announced_upload import AnnouncedUpload, UploadProgress, require_vault_name
from cleanroom.datasets.incoming_upload import ANNOUNCEMENT, IncomingUpload, sync_folder
from cleanroom.errors import Conflict, NotFound, UploadBroken

_SEALED = ".sealed"


@dataclass(frozen=True)
class VaultLimits:
    """Bytes of one table, bytes of all that is stored or announced, and when an upload counts as given up."""

    largest_table_bytes: int = 64 * 1024**3
    largest_vault_bytes: int = 1024**4
    upload_expires_seconds: float = 24 * 3600.0


class Vault:
    """A folder of sealed tables. Several processes may use it at once."""

    def __init__(self, folder: Path, limits: VaultLimits | None = None) -> None:
        self._limits = limits or VaultLimits()
        self._incoming = folder / "incoming"
        self._sealed = folder / "sealed"
        for path in (folder, self._incoming, self._sealed):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def begin(self, upload_id: str, expected_bytes: int, expected_sha256: str) -> UploadProgress:
        """Announce an upload, or take up one that was announced alike. Conflict when announced differently."""
        announced = AnnouncedUpload(expected_bytes, expected_sha256)
        upload = self._upload(upload_id)
        if not upload.exists():
            self._require_room(expected_bytes)
        upload.announce(announced)
        return upload.progress()

    def append(self, upload_id: str, offset: int, chunks: Iterable[bytes]) -> UploadProgress:
        """Store bytes from `offset` on, which may repeat what has arrived but not leave a gap behind it.

        When this returns, all of `chunks` is on the disk. If `chunks` itself fails, what came before is kept.
        Raises UploadBroken, with the upload as long as before, for a gap or more bytes than were announced;
        Conflict while somebody else works on the upload; NotFound.
        """
        upload = self._upload(upload_id)
        with upload.locked():
            upload.append(offset, chunks)
            return upload.progress()

    def progress(self, upload_id: str) -> UploadProgress:
        """How far an upload is. NotFound when it was committed, abandoned, swept or never announced."""
        return self._upload(upload_id).progress()

    def commit(self, upload_id: str, version: str) -> Path:
        """Check size and SHA-256 and give the table its place; may be repeated after a crash.

        Raises UploadBroken while bytes are missing, which may still follow; UploadBroken, with the upload removed,
        when the SHA-256 is another; Conflict when the version is taken; NotFound.
        """
        upload, table = self._upload(upload_id), self._table(version)
        with upload.locked():
            # A commit that died between its last two steps has moved the part already.
            arrived = upload.part if upload.part.exists() or not table.exists() else table
            _require_whole(arrived, upload.announced())
            if _sha256(arrived) != upload.announced().expected_sha256:
                upload.remove()
                raise UploadBroken(
                    "what arrived has another SHA-256 than was announced; nothing was stored",
                    hint="start the upload again",
                )
            if arrived != table:
                _place(arrived, table)
            upload.remove()
        return table

    def abandon(self, upload_id: str) -> None:
        """Remove an upload and what arrived of it; one that is not there is none."""
        upload = self._upload(upload_id)
        with contextlib.suppress(NotFound), upload.locked():
            upload.remove()

    def sweep(self, now: float) -> int:
        """Remove uploads of which nothing was heard for too long, and return how many. `now`: seconds since 1970."""
        oldest = now - self._limits.upload_expires_seconds
        swept = 0
        for path in sorted(self._incoming.iterdir()):
            if path.name.startswith("."):  # an announcement that its writer did not live to finish
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime < oldest:
                        path.unlink()
            elif path.suffix == ANNOUNCEMENT:
                with contextlib.suppress(NotFound, Conflict):  # gone, or being written to, at this moment
                    swept += _remove_if_older(self._upload(path.stem), oldest)
        return swept

    def path(self, version: str) -> Path:
        """Where the sealed table of a version is. NotFound when it is not."""
        path = self._table(version)
        if not path.is_file():
            raise NotFound("there is no such table", hint="it was deleted, or its retention has ended")
        return path

    def versions(self) -> tuple[str, ...]:
        """Every version that is stored, in order of name."""
        return tuple(sorted(path.stem for path in self._sealed.glob(f"*{_SEALED}")))

    def delete(self, version: str) -> None:
        """Remove a version's sealed table; one that is not there is none."""
        self._table(version).unlink(missing_ok=True)
        sync_folder(self._sealed)

    def discard(self, version: str) -> None:
        """Remove a version's sealed table and whatever arrives of it, once its row is gone or has lost its keys.

        Never fails because of a request that still writes: what it leaves is sealed, and swept later.
        """
        with contextlib.suppress(Conflict):
            self.abandon(version)
        self.delete(version)

    def _upload(self, upload_id: str) -> IncomingUpload:
        return IncomingUpload(self._incoming, upload_id)

    def _table(self, version: str) -> Path:
        return self._sealed / f"{require_vault_name(version)}{_SEALED}"

    def _require_room(self, expected_bytes: int) -> None:
        largest = self._limits.largest_table_bytes
        if expected_bytes > largest:
            raise UploadBroken(
                f"{expected_bytes} bytes were announced and a sealed table may have {largest}; nothing was stored",
                hint="upload fewer rows or columns, or ask the operator for a higher limit",
            )
        if self._taken_bytes() + expected_bytes > self._limits.largest_vault_bytes:
            raise UploadBroken(
                "the service has no room for this table; nothing was stored",
                hint="delete versions that are no longer needed, or ask the operator for more room",
            )

    def _taken_bytes(self) -> int:
        """Stored or announced. What disappears while it is counted counts as gone."""
        taken = 0
        for path in self._sealed.glob(f"*{_SEALED}"):
            with contextlib.suppress(FileNotFoundError):
                taken += path.stat().st_size
        for path in self._incoming.glob(f"[!.]*{ANNOUNCEMENT}"):
            with contextlib.suppress(NotFound):
                taken += self._upload(path.stem).announced().expected_bytes
        return taken


def _require_whole(arrived: Path, announced: AnnouncedUpload) -> None:
    size = arrived.stat().st_size if arrived.exists() else 0
    if size != announced.expected_bytes:
        raise UploadBroken(
            f"{size} of {announced.expected_bytes} bytes have arrived; the table was not accepted",
            hint="ask for the upload's progress, send the rest, and commit again",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(part: Path, table: Path) -> None:
    """A link, because a rename would replace a table that has the name already."""
    try:
        os.link(part, table)
    except FileExistsError as error:
        if not os.path.samefile(part, table):
            raise Conflict(
                "a table of this version is stored already; nothing was changed",
                hint="commit the upload as a new version",
            ) from error
    sync_folder(table.parent)


def _remove_if_older(upload: IncomingUpload, oldest: float) -> bool:
    with upload.locked():
        is_old = upload.last_heard_of() < oldest
        if is_old:
            upload.remove()
        return is_old
