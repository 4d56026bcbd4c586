"""A sealed table opened inside the worker: checked, decrypted in memory, loaded into DuckDB.

Guarantee: what is loaded is, byte for byte, what the manifest's owner sealed for this place; every identity is there
and every measure is finite. Nothing readable touches a disk. Whatever does not fit gives one and the same refusal.
Memory: the Parquet bytes, a batch of rows, and DuckDB's table of the asked columns. Not covered: swap and core dumps.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, cast

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from cleanroom.datasets.sealed_table import SealedTableManifest, StoredType, table_broken
from cleanroom.errors import QueryFailed
from cleanroom.rules.analysis_rule import NAME
from privacy.errors import PrivacyError
from privacy.sealing import open_sealed

_BATCH_ROWS = 128 * 1024
_ARRIVING = "arriving_rows"


@dataclass(frozen=True)
class SealedSource:
    """A sealed file open for reading, the manifest it must fit, and the key that opens it, which never prints.

    The file belongs to whoever opened it and must be seekable: it is read from its beginning.
    """

    file: BinaryIO
    manifest: SealedTableManifest
    key: bytes = field(repr=False)


def load_table(
    source: SealedSource, connection: duckdb.DuckDBPyConnection, *, name: str, columns: Sequence[str]
) -> None:
    """Create the table `name` with these columns, in this order; identities are of DuckDB's type UUID.

    Raises SealedTableBroken, always in the same words, when file, key and manifest do not belong together;
    QueryFailed when memory does not suffice. Either way there is no table then.
    """
    _require_known(source.manifest, name, columns)
    try:
        with pq.ParquetFile(pa.BufferReader(pa.py_buffer(_plaintext(source))), pre_buffer=False) as file:
            _require_fit(file, source.manifest)
            _load(file, source.manifest, connection, name=name, columns=columns)
    except (MemoryError, pa.ArrowMemoryError, duckdb.OutOfMemoryException):
        raise _too_large() from None
    except (PrivacyError, _Unfit, pa.ArrowException, duckdb.Error, OSError, ValueError):
        # Without a cause: what an engine says of a table may quote it.
        raise table_broken() from None


class _Unfit(Exception):
    """The table is not as its manifest says."""


class _HashedFile:
    """Reads through from a file, once from top to end, and knows the SHA-256 of what went by."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, position: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(position, whence)

    def read(self, size: int) -> bytes:
        content = self._file.read(size)
        self.digest.update(content)
        return content


def _plaintext(source: SealedSource) -> memoryview:
    """The Parquet bytes. One pass over the file, so that it cannot change between check and use."""
    manifest, file = source.manifest, source.file
    file.seek(0)
    hashed = _HashedFile(file)
    content = open_sealed(cast(BinaryIO, hashed), source.key, manifest.context.sealing())
    if file.tell() != manifest.sealed_bytes or hashed.digest.hexdigest() != manifest.sealed_sha256:
        raise _Unfit
    return content


def _require_known(manifest: SealedTableManifest, name: str, columns: Sequence[str]) -> None:
    if not NAME.fullmatch(name) or not columns or not set(columns) <= manifest.columns.keys():
        raise QueryFailed(
            "the query asks for a column that the table does not have; nothing was opened",
            hint="compare the query with the dataset's declared columns",
        )


def _require_fit(file: pq.ParquetFile, manifest: SealedTableManifest) -> None:
    schema = file.schema_arrow
    found = {field.name: field.type for field in schema}
    if found != {name: kind.arrow for name, kind in manifest.columns.items()} or len(found) != len(schema):
        raise _Unfit
    if file.metadata.num_rows != manifest.rows:
        raise _Unfit


def _load(
    file: pq.ParquetFile,
    manifest: SealedTableManifest,
    connection: duckdb.DuckDBPyConnection,
    *,
    name: str,
    columns: Sequence[str],
) -> None:
    schema = pa.schema([pa.field(column, manifest.columns[column].arrow) for column in columns])
    arriving = pa.RecordBatchReader.from_batches(schema, _checked_batches(file, schema))
    connection.register(_ARRIVING, arriving)
    try:
        connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM {_ARRIVING}')
    finally:
        connection.unregister(_ARRIVING)


def _checked_batches(file: pq.ParquetFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in file.iter_batches(_BATCH_ROWS, columns=schema.names):
        ordered = batch.select(schema.names)
        ordered.validate(full=True)  # a Parquet reader takes any bytes for text
        for values in ordered.columns:
            _require_sound(values)
        yield ordered.cast(schema)


def _require_sound(values: pa.Array) -> None:
    """An owner's own machine checked this; the worker relies on it and so looks itself."""
    if values.type == StoredType.IDENTITY.arrow and values.null_count:
        raise _Unfit
    if values.type == StoredType.DECIMAL.arrow and not pc.all(pc.is_finite(values)).as_py():
        raise _Unfit


def _too_large() -> QueryFailed:
    return QueryFailed(
        "a table does not fit into the worker's memory; nothing was released",
        hint="ask for fewer columns, or ask the operator for a larger worker",
    )
