"""CSV text -> raw table: delimiter, stray fields, blank lines and row names are settled before pandas."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmm_models.errors import SourceUnreadable
from mmm_models.intake.panel_report import MAX_EXAMPLES, Example, Finding
from mmm_models.intake.raw_table import RawTable
from mmm_models.intake.silo_spec import SiloSpec

MISSING_WORDS = ("", "NA", "N/A", "n/a", "na", "NaN", "nan", "null", "NULL", "None", "#N/A", "-")
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, eq=False)
class _Records:
    """Shape of the file: header names, and fields and line number of every record after it."""

    header: tuple[str, ...]
    widths: NDArray[np.int64]
    lines: NDArray[np.int64]


def parse_csv(text: str, spec: SiloSpec) -> RawTable:
    """The columns `spec` names. Raises `SourceUnreadable` when the text is no table with a header."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    blank_lead = len(text) - len(text.lstrip("\n"))
    text = text.strip("\n")
    if not text.strip():
        raise SourceUnreadable("the file is empty", code="empty_file", hint="export the data again")
    wanted = dict.fromkeys((*spec.text_columns, *spec.number_columns))
    delimiter = spec.data.delimiter or _likely_delimiter(text, wanted)
    records = _scan(text, delimiter, blank_lead)
    _refuse_wrong_delimiter(records.header, delimiter)
    if not len(records.widths):
        raise SourceUnreadable(
            "the file has a header and no rows", code="empty_file", hint="export the data again"
        )
    header = _with_row_names(records)
    malformed = (records.widths > 0) & (records.widths != len(header))
    keep = (records.widths > 0) & ~malformed
    frame = _parse(text, header, delimiter, spec)
    if len(frame) != len(keep):
        raise SourceUnreadable(
            "quotes in the file do not match up", code="malformed_csv", hint="export the data again"
        )
    return RawTable(
        frame=frame[keep].reset_index(drop=True),
        row_numbers=records.lines[keep],
        columns=header,
        problems=_duplicate_headers(header, wanted) + _malformed_rows(records, malformed, len(header)),
        notes=_blank_rows(records),
    )


def _likely_delimiter(text: str, wanted: dict[str, None]) -> str:
    """The delimiter that finds most of the wanted columns in the header, then most fields."""
    first = text.split("\n", 1)[0]

    def score(delimiter: str) -> tuple[int, int]:
        names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter))]
        return len(set(names) & set(wanted)), len(names)

    return max(_DELIMITERS, key=score)


def _scan(text: str, delimiter: str, blank_lead: int) -> _Records:
    """Count fields per record; a record of nothing but empty fields counts 0."""
    first_line = blank_lead + 1
    if '"' in text:
        reader = csv.reader(io.StringIO(text), delimiter=delimiter)
        header = next(reader)
        pairs = [(len(r) if any(map(str.strip, r)) else 0, reader.line_num + blank_lead) for r in reader]
        widths, lines = [width for width, _ in pairs], [line for _, line in pairs]
    else:
        head, *body = text.split("\n")
        header = head.split(delimiter)
        empty = delimiter + " \t"
        widths = [line.count(delimiter) + 1 if line.strip(empty) else 0 for line in body]
        lines = list(range(first_line + 1, first_line + 1 + len(body)))
    names = tuple(name.strip() for name in header)
    return _Records(names, np.array(widths, dtype=np.int64), np.array(lines, dtype=np.int64))


def _refuse_wrong_delimiter(header: tuple[str, ...], delimiter: str) -> None:
    others = [other for other in _DELIMITERS if other != delimiter and other in header[0]]
    if len(header) == 1 and others:
        raise SourceUnreadable(
            f"the header is one column when split at {delimiter!r}, and holds {others[0]!r}",
            code="wrong_delimiter",
            hint=f"set data.delimiter = {others[0]!r}, or leave it out",
        )


def _with_row_names(records: _Records) -> tuple[str, ...]:
    """R writes row names without a header for them: every record then has one field more than the header."""
    filled = records.widths[records.widths > 0]
    if len(filled) and (filled == len(records.header) + 1).all():
        return ("", *records.header)
    return records.header


def _parse(text: str, header: tuple[str, ...], delimiter: str, spec: SiloSpec) -> pd.DataFrame:
    """Only the wanted columns; names and dates stay text (a unit may be called NA or 007)."""
    names, numbers = set(spec.text_columns), set(spec.number_columns)
    position = {name: index for index, name in reversed(list(enumerate(header))) if name in names | numbers}
    if not position:
        return pd.DataFrame(index=range(len(text.split("\n")) - 1))
    try:
        frame = pd.read_csv(
            io.StringIO(text),
            sep=delimiter,
            header=0,
            names=[str(index) for index in range(len(header))],
            usecols=[str(index) for index in sorted(position.values())],
            index_col=False,
            dtype={str(index): str for name, index in position.items() if name in names},
            keep_default_na=False,
            na_values={
                str(index): list(MISSING_WORDS) for name, index in position.items() if name in numbers
            },
            decimal=spec.data.decimal,
            thousands=spec.data.thousands or None,
            skip_blank_lines=False,
            low_memory=False,
        )
    except pd.errors.ParserError as error:
        raise SourceUnreadable(f"the file is no CSV table: {error}", code="malformed_csv") from error
    return frame.rename(columns={str(index): name for name, index in position.items()})


def _duplicate_headers(header: tuple[str, ...], wanted: dict[str, None]) -> tuple[Finding, ...]:
    repeated = [name for name in wanted if header.count(name) > 1]
    return tuple(
        Finding(
            "duplicate_column",
            f"the header names it {header.count(name)} times",
            name,
            hint="rename one of them",
        )
        for name in repeated
    )


def _malformed_rows(records: _Records, malformed: NDArray[np.bool_], width: int) -> tuple[Finding, ...]:
    where = np.flatnonzero(malformed)
    if not len(where):
        return ()
    examples = [Example(int(records.lines[i]), f"{records.widths[i]} fields") for i in where[:MAX_EXAMPLES]]
    return (
        Finding(
            "malformed_row",
            f"these rows do not have the {width} fields of the header; they were not checked further",
            rows=len(where),
            examples=tuple(examples),
            hint="quote fields that contain the delimiter, and write numbers without thousands separators",
        ),
    )


def _blank_rows(records: _Records) -> tuple[Finding, ...]:
    blank = records.lines[records.widths == 0]
    if not len(blank):
        return ()
    examples = tuple(Example(int(line), "blank") for line in blank[:MAX_EXAMPLES])
    return (Finding("blank_row", "blank rows were skipped", rows=len(blank), examples=examples),)
