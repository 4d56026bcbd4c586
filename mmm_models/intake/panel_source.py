"""Where a silo's rows come from: a CSV or Parquet file, or a database query."""

from __future__ import annotations

import gzip
import os
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import sqlalchemy
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from mmm_models.errors import SourceUnreadable
from mmm_models.intake.csv_table import parse_csv
from mmm_models.intake.raw_table import FIRST_DATA_ROW, RawTable
from mmm_models.intake.silo_spec import SiloSpec

_TEXT_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")


def read_table(spec: SiloSpec) -> RawTable:
    """The rows `spec` points to. Raises `SourceUnreadable`, never with a password in its text."""
    if not spec.data.path:
        return _read_database(spec)
    name = spec.data.path.lower()
    if name.endswith(".parquet"):
        return _read_parquet(spec)
    if name.endswith(_TEXT_ENDINGS):
        return parse_csv(_decoded(_file_bytes(spec.data_path), spec), spec)
    raise SourceUnreadable(
        f"{spec.data.path} is neither CSV nor Parquet",
        code="unsupported_format",
        hint="save it as .csv, .csv.gz or .parquet",
    )


def _file_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix.lower() == ".gz" else content
    except FileNotFoundError as error:
        raise _not_found(path) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise SourceUnreadable(f"{path.name} is not a whole gzip file", code="damaged_file") from error
    except OSError as error:
        raise SourceUnreadable(f"{path.name} cannot be read: {error.strerror}", code="unreadable") from error


def _not_found(path: Path) -> SourceUnreadable:
    return SourceUnreadable(
        f"{path} does not exist", code="file_not_found", hint="data.path is relative to the silo file"
    )


def _decoded(content: bytes, spec: SiloSpec) -> str:
    encoding = spec.data.encoding
    try:
        return content.decode(
            "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
        )
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        utf16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
        guess = "utf-16" if utf16 else "cp1252"
        raise SourceUnreadable(
            f"line {line} is not {encoding} text",
            code="bad_encoding",
            hint=f"set data.encoding, probably to {guess!r}, or save the file as UTF-8",
        ) from error


def _read_parquet(spec: SiloSpec) -> RawTable:
    try:
        with pyarrow.parquet.ParquetFile(spec.data_path) as file:
            header = tuple(file.schema_arrow.names)
            wanted = [
                name for name in dict.fromkeys((*spec.text_columns, *spec.number_columns)) if name in header
            ]
            frame = file.read(columns=wanted).to_pandas(ignore_metadata=True)
    except FileNotFoundError as error:
        raise _not_found(spec.data_path) from error
    except (pyarrow.ArrowException, OSError) as error:
        raise SourceUnreadable(
            f"{spec.data.path} is not a readable Parquet file", code="damaged_file"
        ) from error
    return _without_lines(frame, header)


def _read_database(spec: SiloSpec) -> RawTable:
    url = _database_url(spec)
    shown = url.render_as_string(hide_password=True)
    try:
        engine = sqlalchemy.create_engine(url)
        try:
            with engine.connect() as connection:
                frame = pd.read_sql_query(sqlalchemy.text(spec.data.query), connection)
        finally:
            engine.dispose()
    except (ImportError, NoSuchModuleError) as error:
        raise SourceUnreadable(
            f"no driver for {url.drivername} is installed",
            code="database_driver",
            hint="pip install the driver the URL names, e.g. 'psycopg[binary]' for postgresql+psycopg",
        ) from error
    except (SQLAlchemyError, OSError) as error:
        reason = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
        if url.password:
            reason = reason.replace(str(url.password), "***")
        raise SourceUnreadable(
            f"{shown}: {reason}", code="database_error", hint="check the URL, the network and the query"
        ) from None  # the original error may print the password
    header = tuple(map(str, frame.columns))
    return _without_lines(frame.loc[:, ~frame.columns.duplicated()], header)


def _database_url(spec: SiloSpec) -> sqlalchemy.URL:
    """The URL; an SQLite file is relative to the silo file, and must exist (SQLite would create it)."""
    text = spec.data.url.get_secret_value() or os.environ.get(spec.data.url_env, "")
    if not text:
        raise SourceUnreadable(
            f"environment variable {spec.data.url_env} is not set",
            code="database_url",
            hint="put the URL there",
        )
    try:
        url = sqlalchemy.make_url(text)
    except (ArgumentError, ValueError):
        raise SourceUnreadable(
            "the database URL cannot be parsed",
            code="database_url",
            hint="e.g. postgresql+psycopg://user:password@host/db",
        ) from None
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        path = spec.directory / url.database
        if not path.is_file():
            raise _not_found(path)
        return url.set(database=str(path))
    return url


def _without_lines(frame: pd.DataFrame, columns: tuple[str, ...]) -> RawTable:
    return RawTable(frame, np.arange(len(frame), dtype=np.int64) + FIRST_DATA_ROW, columns)
