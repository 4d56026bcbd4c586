"""A partner's own table, CSV or Parquet, read and rewritten a piece at a time.

What is read is what sealing reads too, so a table that can be hashed can be uploaded. Errors never show Arrow's own
words, which quote cells.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from cleanroom.datasets.table_reading import TableFile, TableUnreadable
from cleanroom.errors import TableRefused


@dataclass(frozen=True)
class TableSource:
    """An open table: its columns, and its rows in order, to be read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


@contextlib.contextmanager
def open_table(path: Path) -> Iterator[TableSource]:
    """Read `path` as sealing reads it (`TableFile`). Raises TableRefused, also while rows are read."""
    file = TableFile.open(path)
    with contextlib.closing(_whole_rows(file)) as batches:
        yield TableSource(_unique_names(file.schema).remove_metadata(), batches)


@contextlib.contextmanager
def new_table(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.RecordBatch], None]]:
    """Give a function that writes batches; the file appears, whole and for its owner only, when the block ends well.

    An error leaves nothing, and an older file of that name as it was. Raises TableRefused.
    """
    if path.suffix.lower() not in {".csv", ".parquet"}:
        raise _unknown_ending(path)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _unwritable(path) from error
    os.close(descriptor)
    part = Path(name)
    try:
        with _writer(part, path.suffix.lower(), schema) as writer:
            yield writer.write_batch
        _make_durable(part)
        part.replace(path)
    except OSError as error:
        raise _unwritable(path) from error
    finally:
        part.unlink(missing_ok=True)


def _whole_rows(file: TableFile) -> Generator[pa.RecordBatch, None, None]:
    try:
        yield from file.batches(file.schema.names)
    except TableUnreadable:
        raise TableRefused(
            f"{file.path.name} cannot be read as a table; nothing was written",
            hint="export it as UTF-8 CSV with one header line, or as Parquet",
        ) from None
    if file.broken_rows:
        raise TableRefused(
            f"{file.broken_rows:,} rows of {file.path.name} have more or fewer cells than its header; nothing was "
            "written",
            hint="quote cells that hold separators",
        )


def _writer(part: Path, ending: str, schema: pa.Schema) -> pa_csv.CSVWriter | pq.ParquetWriter:
    if ending == ".csv":
        return pa_csv.CSVWriter(part, schema)
    return pq.ParquetWriter(part, schema, compression="zstd")


def _make_durable(part: Path) -> None:
    descriptor = os.open(part, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unique_names(schema: pa.Schema) -> pa.Schema:
    if len(set(schema.names)) != len(schema.names):
        raise TableRefused(
            "two columns have one name; nothing was written", hint="rename one of them in the table's header"
        )
    return schema


def _unknown_ending(path: Path) -> TableRefused:
    return TableRefused(
        f"{path.name} is neither .csv nor .parquet", hint="export the table as CSV or Parquet"
    )


def _unwritable(path: Path) -> TableRefused:
    return TableRefused(
        f"{path.name} cannot be written; nothing was changed",
        hint="choose a file in an existing folder with free space",
    )
