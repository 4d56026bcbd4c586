"""One column of cells -> numbers; what cannot be read as one is named by kind."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmm_models.intake.column_cells import ColumnCells
from mmm_models.intake.csv_table import MISSING_WORDS
from mmm_models.intake.panel_report import Finding, Findings
from mmm_models.intake.raw_table import RawTable
from mmm_models.intake.silo_tables import DataSpec

MAX_VALUE = 1e15  # beyond any budget or audience; larger values are mistyped and overflow sums of squares
_GROUPED = re.compile(r"[+-]?\d{1,3}([,. '\u00a0\u2019]\d{3})+([.,]\d+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True, eq=False)
class EmptyCells:
    """What an empty cell of a column may mean; without anything, it is a problem."""

    is_media: bool = False  # then the silo file may have empty cells read as zero
    zero_where: NDArray[np.bool_] | None = None  # [row], rows in which the column has no meaning


def to_numbers(
    table: RawTable, column: str, data: DataSpec, empty: EmptyCells | None = None
) -> tuple[NDArray[np.float64], Findings]:
    """float64 per row, NaN where a cell holds no finite number; every kind of such cell is a problem."""
    empty = empty or EmptyCells()
    cells = table.frame[column]
    if pd.api.types.is_numeric_dtype(cells.dtype):  # booleans count as 0 and 1
        values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
        text = np.zeros(len(cells), dtype=bool)
    else:
        values, text = _read_text(cells, data)
    shown = ColumnCells(column, table.row_numbers, cells.to_numpy(dtype=object))
    missing = np.isnan(values) & ~text
    problems = _text_problems(shown, text)
    infinite, absurd = np.isinf(values), np.isfinite(values) & (np.abs(values) > MAX_VALUE)
    problems += shown.find("not_finite", infinite, "infinite values", "replace them by finite numbers")
    problems += shown.find(
        "too_large", absurd, f"values beyond {MAX_VALUE:g}", "correct them, or use a larger unit"
    )
    values = np.where(infinite | absurd, np.nan, values)
    if empty.zero_where is not None:
        values = np.where(missing & empty.zero_where, 0.0, values)
        missing &= ~empty.zero_where
    if empty.is_media and data.empty_media == "zero":
        notes = shown.find("empty_media", missing, "empty cells were read as 0")
        return np.where(missing, 0.0, values), Findings(problems, notes)
    nothing_ran = ", or set data.empty_media = 'zero' if nothing ran" if empty.is_media else ""
    hint = f"fill them{nothing_ran}, or delete the rows: short gaps are filled as data.fill_gaps says"
    return values, Findings(problems + shown.find("missing_value", missing, "empty cells", hint))


def _read_text(cells: pd.Series, data: DataSpec) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Numbers of a column pandas left as text or objects, and which cells are neither number nor empty."""
    as_text = cells.astype("str").str.strip()
    empty = (cells.isna() | as_text.isin(MISSING_WORDS)).to_numpy(dtype=bool)
    if data.thousands:
        as_text = as_text.str.replace(data.thousands, "", regex=False)
    if data.decimal != ".":
        as_text = as_text.str.replace(data.decimal, ".", regex=False)
    as_text = as_text.mask(as_text.str.lower() == "true", "1").mask(as_text.str.lower() == "false", "0")
    values = pd.to_numeric(as_text, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(empty, np.nan, values), np.isnan(values) & ~empty


def _text_problems(shown: ColumnCells, text: NDArray[np.bool_]) -> tuple[Finding, ...]:
    if not text.any():
        return ()
    words = [str(value).strip() if bad else "" for value, bad in zip(shown.values, text, strict=True)]
    grouped = np.array([bool(_GROUPED.fullmatch(word)) for word in words])
    comma = np.array([bool(_DECIMAL_COMMA.fullmatch(word)) for word in words]) & ~grouped
    return (
        *shown.find(
            "thousands_separator",
            grouped,
            "numbers with thousands separators",
            "set data.thousands (and data.decimal = ',' if the comma is the decimal sign)",
        ),
        *shown.find("decimal_comma", comma, "numbers with a decimal comma", "set data.decimal = ','"),
        *shown.find(
            "text_value",
            text & ~grouped & ~comma,
            "text where a number belongs",
            "write a number; turn a category into columns of 0 and 1",
        ),
    )
