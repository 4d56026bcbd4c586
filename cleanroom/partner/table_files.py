"""A partner's own table, CSV or Parquet, read and rewritten a piece at a time.

All columns of a CSV file are texts: a postcode keeps its zero, and nothing is guessed. Errors never show Arrow's own
words, which quote cells.
"""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from cleanroom.errors import TableRefused

BATCH_ROWS = 64 * 1024
_CSV_BLOCK_BYTES = 1024 * 1024  # Arrow reads some thirty blocks ahead


@dataclass(frozen=True)
class TableSource:
    """An open table: its columns, and its rows in order, to be read once."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


@contextlib.contextmanager
def open_table(path: Path) -> Iterator[TableSource]:
    """Read `path`, whose ending .csv or .parquet says what it is. Raises TableRefused, also while rows are read."""
    with _refusing_for(path):
        match path.suffix.lower():
            case ".csv":
                file = _csv_reader(path)
                schema, batches = file.schema, iter(file)
            case ".parquet":
                file = pq.ParquetFile(path)
                schema, batches = file.schema_arrow, file.iter_batches(batch_size=BATCH_ROWS)
            case _:
                raise _unknown_ending(path)
    with file:
        yield TableSource(_unique_names(schema).remove_metadata(), _guarded(path, batches))


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


@contextlib.contextmanager
def _refusing_for(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        # without `from`: Arrow's message quotes the row it stumbled over
        raise TableRefused(
            f"{path.name} cannot be read as a table; nothing was written",
            hint="a CSV file needs UTF-8, commas, one header line and as many cells in every line",
        ) from None


def _guarded(path: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    while True:
        with _refusing_for(path):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _csv_reader(path: Path) -> pa_csv.CSVStreamingReader:
    parsing = pa_csv.ParseOptions(newlines_in_values=True)
    reading = pa_csv.ReadOptions(block_size=_CSV_BLOCK_BYTES)
    with pa_csv.open_csv(path, read_options=reading, parse_options=parsing) as guessed:
        names = guessed.schema.names
    texts = pa_csv.ConvertOptions(
        column_types={name: pa.string() for name in names}, strings_can_be_null=False
    )
    return pa_csv.open_csv(path, read_options=reading, parse_options=parsing, convert_options=texts)


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
