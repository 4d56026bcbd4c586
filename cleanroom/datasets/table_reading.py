"""A partner's CSV or Parquet file in batches of rows, with memory that does not grow with the file.

CSV: UTF-8, a heading line, fields separated by comma, semicolon or tab. Every field is read as text, an empty
one as missing: what it means is decided by the column's declared role, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from cleanroom.datasets.table_problems import Problem, ProblemTally
from cleanroom.errors import Reason, TableRefused

BATCH_ROWS = 128 * 1024
_CSV_BLOCK = 4 * 1024 * 1024
_PARQUET_BUFFER = 1024 * 1024
_PARQUET_MAGIC = b"PAR1"
_HEADING_LIMIT = 1024 * 1024


class TableUnreadable(Exception):
    """The rest of the file cannot be read; whoever reads it adds that to what else is wrong."""


@dataclass
class TableFile:
    """A file that can be read once, from the top; `broken_rows` counts CSV rows of the wrong length so far."""

    path: Path
    schema: pa.Schema
    is_parquet: bool
    broken_rows: int = field(default=0, init=False)

    @classmethod
    def open(cls, path: Path) -> TableFile:
        """Look at the headings. Raises TableRefused when the file cannot be opened, or is neither CSV nor Parquet."""
        try:
            with path.open("rb") as file:
                is_parquet = file.read(4) == _PARQUET_MAGIC
            schema = pq.read_schema(path) if is_parquet else _csv_schema(path)
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise TableRefused(
                f"{path.name} cannot be opened: {error.strerror}; nothing was read",
                hint="check the path and its permissions",
                reasons=[Reason("unreadable", f"it cannot be opened: {error.strerror}", "check the path")],
            ) from None
        except (OSError, pa.ArrowException, UnicodeError):
            tally = ProblemTally()
            tally.add("", Problem.UNREADABLE)
            raise tally.refusal() from None
        return cls(path, schema, is_parquet)

    def batches(self, columns: Iterable[str]) -> Iterator[pa.RecordBatch]:
        """The named columns, BATCH_ROWS rows at a time; the last batch may be shorter.

        Raises TableUnreadable at the first place that is damaged or is not UTF-8.
        """
        wanted = list(columns)
        batches = self._parquet_batches(wanted) if self.is_parquet else self._csv_batches(wanted)
        try:
            yield from _evenly(batches)
        except (OSError, pa.ArrowException):
            raise TableUnreadable from None  # Arrow's own words quote the row it stumbled over

    def _parquet_batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(self.path, buffer_size=_PARQUET_BUFFER, pre_buffer=False) as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=columns):
                batch.validate(full=True)  # a Parquet reader takes any bytes for text
                yield batch

    def _csv_batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        reader = pa_csv.open_csv(
            self.path,
            read_options=pa_csv.ReadOptions(block_size=_CSV_BLOCK),
            parse_options=pa_csv.ParseOptions(
                delimiter=_delimiter(self.path),
                newlines_in_values=True,
                invalid_row_handler=self._count_broken_row,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types={name: pa.string() for name in columns},
                include_columns=columns,
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
        with reader:
            yield from reader

    def _count_broken_row(self, row: pa_csv.InvalidRow) -> str:
        self.broken_rows += 1
        return "skip"  # so that all of them are counted; the table is refused in the end


def _csv_schema(path: Path) -> pa.Schema:
    """Every heading, as text."""
    with path.open("rb") as file:
        heading = file.readline(_HEADING_LIMIT)
    options = pa_csv.ParseOptions(delimiter=_delimiter(path))
    names = pa_csv.read_csv(pa.BufferReader(heading), parse_options=options).column_names
    return pa.schema([pa.field(name, pa.string()) for name in names])


def _delimiter(path: Path) -> str:
    """Whichever of the three separators the heading line has most of."""
    with path.open("rb") as file:
        heading = file.readline(_HEADING_LIMIT)
    return max(",;\t", key=lambda separator: heading.count(separator.encode()))


def _evenly(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of exactly BATCH_ROWS, the last one excepted."""
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= BATCH_ROWS:
            whole = _joined(waiting)
            yield whole.slice(0, BATCH_ROWS)
            rows -= BATCH_ROWS
            waiting = [whole.slice(BATCH_ROWS)] if rows else []
    if rows:
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)
