"""A partner's table, checked against its declared columns and sealed on the partner's own machine.

Guarantee: nothing is kept but declared columns; identities are stored as keyed tokens only; nothing that leaves
the file this writes is readable without its key. A table with any problem is not sealed at all.
Memory does not grow with the table. Not covered: who sealed it; the owner signs the manifest for that.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

from cleanroom.datasets.column_checks import ColumnCheck, check_for
from cleanroom.datasets.sealed_table import SealedTable, SealedTableManifest, StoredType, TableContext
from cleanroom.datasets.table_problems import Problem, ProblemTally
from cleanroom.datasets.table_reading import BATCH_ROWS, TableFile, TableUnreadable
from cleanroom.errors import TableRefused
from cleanroom.rules.analysis_rule import RuleDocument
from privacy.canonical_json import digest_of
from privacy.sealing import SealingWriter


@dataclass(frozen=True)
class TableSealing:
    """What a table is sealed for: its owner's document, its place, and the day."""

    document: RuleDocument
    context: TableContext
    created: date

    def __post_init__(self) -> None:
        if self.context.dataset != self.document.dataset:
            raise ValueError("the document is of another dataset")


def seal_table(
    source: Path,
    destination: Path,
    sealing: TableSealing,
    *,
    key: bytes,
    progress: Callable[[int], None] = lambda rows: None,
) -> SealedTable:
    """Check `source` (CSV or Parquet) and write it, sealed under `key`, to `destination`, which it replaces.

    `progress` is told the rows done so far. Raises TableRefused with everything that is wrong; then, as after any
    other failure, `destination` is as it was.
    """
    file = TableFile.open(source)
    tally = ProblemTally()
    checks = _checks(file, sealing, tally)
    with _written_whole(destination) as draft:
        measured = _MeasuredFile(draft)
        with SealingWriter(cast(BinaryIO, measured), key, sealing.context.sealing()) as writer:
            rows = _write_rows(file, checks, tally, writer=writer, progress=progress)
            tally.require_none()
    manifest = SealedTableManifest(
        context=sealing.context,
        rows=rows,
        sealed_bytes=measured.bytes,
        sealed_sha256=measured.digest.hexdigest(),
        columns={name: check.stored for name, check in checks.items()},
        policy_digest=digest_of(sealing.document.canonical()),
        created=sealing.created,
        nonce=secrets.token_hex(16),
    )
    dropped = tuple(name for name in file.schema.names if name not in sealing.document.columns)
    return SealedTable(destination, manifest, dropped)


class _MeasuredFile:
    """Writes through to a file; knows how many bytes went by, and their SHA-256."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.bytes = 0
        self.digest = hashlib.sha256()

    def write(self, content: bytes | memoryview) -> int:
        self.digest.update(content)
        self.bytes += len(content)
        return self._file.write(content)


def _checks(file: TableFile, sealing: TableSealing, tally: ProblemTally) -> dict[str, ColumnCheck]:
    """For every declared column that is there exactly once."""
    checks: dict[str, ColumnCheck] = {}
    for name, column in sealing.document.columns.items():
        found = file.schema.names.count(name)
        if found == 1:
            kind = file.schema.field(name).type
            checks[name] = check_for(name, column, kind, tag=sealing.context.identity_tag, tally=tally)
        else:
            tally.add(name, Problem.COLUMN_TWICE if found else Problem.COLUMN_MISSING)
    return checks


def _write_rows(
    file: TableFile,
    checks: Mapping[str, ColumnCheck],
    tally: ProblemTally,
    *,
    writer: SealingWriter,
    progress: Callable[[int], None],
) -> int:
    """How many rows there are. Looks at all of them, and stops writing at the first problem."""
    rows = 0
    schema = pa.schema([pa.field(name, check.stored.arrow) for name, check in checks.items()])
    with contextlib.closing(_parquet_writer(writer, schema, checks)) as parquet:
        try:
            for batch in file.batches(checks):
                columns = [check.convert(batch.column(name)) for name, check in checks.items()]
                if not tally:
                    parquet.write_batch(pa.record_batch(columns, schema=schema), row_group_size=BATCH_ROWS)
                rows += batch.num_rows
                progress(rows)
        except TableUnreadable:
            tally.add("", Problem.UNREADABLE)
    tally.add_rows("", Problem.ROW_LENGTH, file.broken_rows)
    if not rows and not tally:
        tally.add("", Problem.NO_ROWS)
    return rows


def _parquet_writer(
    writer: SealingWriter, schema: pa.Schema, checks: Mapping[str, ColumnCheck]
) -> pq.ParquetWriter:
    """Tokens are random: neither compression nor a dictionary would do anything but take time."""
    return pq.ParquetWriter(
        writer,
        schema,
        compression={
            name: "none" if check.stored is StoredType.IDENTITY else "zstd" for name, check in checks.items()
        },
        compression_level={
            name: 1 for name, check in checks.items() if check.stored is not StoredType.IDENTITY
        },
        use_dictionary=[name for name, check in checks.items() if check.repeats],
        write_statistics=False,
    )


@contextlib.contextmanager
def _written_whole(destination: Path) -> Iterator[BinaryIO]:
    """A new file for the owner's eyes that takes its name when all is written, or disappears."""
    draft = destination.with_name(f".{destination.name}.{os.urandom(4).hex()}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(destination)
    except OSError as error:
        raise TableRefused(
            f"the sealed table cannot be written: {error.strerror or 'the disk refused it'}; nothing was sealed",
            hint="choose a folder that exists and has room for the table",
        ) from None
    finally:
        draft.unlink(missing_ok=True)
