"""A table from the partner's disk into the room: sealed here, sent in parts, gone on with after a lost connection.

Guarantee: the key that opens it is in the owner's broker before the room can know of the table, and in no message.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO

from cleanroom.broker.broker_home import BrokerHome
from cleanroom.datasets.key_commitment import key_commitment
from cleanroom.datasets.sealed_table import SealedTable, TableContext
from cleanroom.datasets.table_sealing import TableSealing, seal_table
from cleanroom.errors import ServiceUnreachable
from cleanroom.governance.room_ids import new_version_id
from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.room_link import FIRST_PAUSE_SECONDS, TRIES, RoomLink
from cleanroom.rules.analysis_rule import RuleDocument
from cleanroom.service.dataset_bodies import UploadBody, VersionBody
from privacy.sealing import new_key
from privacy.signed_document import sign_document

CHUNK_BYTES = 1024 * 1024
SEALED_TABLE = "sealed table"


@dataclass(frozen=True)
class UploadProgressNote:
    """How far it is: rows sealed, then bytes sent."""

    rows_sealed: int
    bytes_sent: int
    bytes_in_all: int


@dataclass(frozen=True)
class UploadedTable:
    """What is in the room now; `dropped` are columns that the rules do not name and that never left."""

    version: VersionBody
    rows: int
    sealed_bytes: int
    dropped: tuple[str, ...]


Progress = Callable[[UploadProgressNote], None]


def say_nothing(note: UploadProgressNote) -> None:
    """Nobody watches."""


def upload_table(
    link: RoomLink, home: PartyHome, document: RuleDocument, source: Path, *, progress: Progress = say_nothing
) -> UploadedTable:
    """Seal `source` under the rules in force and upload it as the dataset's new version.

    Raises TableRefused with every problem of the table, and nothing has left then. An upload that fails is
    abandoned; a key that was kept for it opens nothing that the room reads.
    """
    room, key = home.room, new_key()
    context = TableContext(
        collaboration=room.collaboration,
        dataset=document.dataset,
        version=new_version_id(),
        owner=room.member,
        identity_tag=room.identity.tag,
    )
    with tempfile.TemporaryDirectory(prefix=".upload-", dir=home.folder) as folder:
        sealed = seal_table(
            source,
            Path(folder) / "table.sealed",
            TableSealing(document, context, date.today()),
            key=key,
            progress=lambda rows: progress(UploadProgressNote(rows, 0, 0)),
        )
        version = _send(link, home, sealed, key=key, progress=progress)
    manifest = sealed.manifest
    return UploadedTable(version, manifest.rows, manifest.sealed_bytes, sealed.dropped)


def _send(
    link: RoomLink, home: PartyHome, sealed: SealedTable, *, key: bytes, progress: Progress
) -> VersionBody:
    manifest = sealed.manifest
    context = manifest.context
    uploads = f"/v1/collaborations/{context.collaboration}/datasets/{context.dataset}/uploads"
    announced = {
        "version": context.version,
        "sealed_bytes": manifest.sealed_bytes,
        "sealed_sha256": manifest.sealed_sha256,
    }
    link.post(uploads, UploadBody, announced)
    place = f"{uploads}/{context.version}"
    _send_parts(link, place, sealed, progress)
    BrokerHome(home.broker).keep_key(manifest, key, now=datetime.now(UTC))
    completion = {
        "manifest": sign_document(SEALED_TABLE, manifest.to_plain(), home.keys),
        "key_commitment": key_commitment(context.version, key),
    }
    return link.post(f"{place}/complete", VersionBody, completion)


def _send_parts(link: RoomLink, place: str, sealed: SealedTable, progress: Progress) -> None:
    """Until all has arrived; after a lost connection the service says where to go on."""
    expected, failures, received = sealed.manifest.sealed_bytes, 0, 0
    while received < expected:
        try:
            with sealed.path.open("rb") as file:
                file.seek(received)
                chunks = _chunks(file, received, sealed, progress)
                received = link.put_part(
                    f"{place}/content", UploadBody, offset=received, chunks=chunks
                ).received_bytes
        except ServiceUnreachable:
            failures += 1
            if failures == TRIES:
                raise
            time.sleep(FIRST_PAUSE_SECONDS * 2**failures)
            received = link.get(place, UploadBody).received_bytes


def _chunks(file: BinaryIO, sent: int, sealed: SealedTable, progress: Progress) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk
        sent += len(chunk)
        progress(UploadProgressNote(sealed.manifest.rows, sent, sealed.manifest.sealed_bytes))
