"""Raw table -> typed rows: days, unit codes and numbers, with every cell that does not fit named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmm_models.intake.column_cells import ColumnCells
from mmm_models.intake.nearest_name import nearest_name
from mmm_models.intake.panel_dates import NO_DAY, ParsedDays, parse_days
from mmm_models.intake.panel_numbers import EmptyCells, to_numbers
from mmm_models.intake.panel_report import Finding, Findings
from mmm_models.intake.raw_table import RawTable
from mmm_models.intake.silo_spec import SiloSpec

NATIONAL_UNIT = "national"


@dataclass(frozen=True, eq=False)
class PanelRows:
    """Rows of the source in typed form, arrays [row]. `numbers` lacks the columns the source lacks."""

    units: tuple[str, ...]
    unit_codes: NDArray[np.int64]  # index into units; -1 where the name is missing
    days: NDArray[np.int64]  # since 1970-01-01; NO_DAY where unreadable
    numbers: Mapping[str, NDArray[np.float64]]  # NaN where unreadable
    row_numbers: NDArray[np.int64]

    @property
    def placed(self) -> NDArray[np.bool_]:
        """Rows whose unit and day are known."""
        placed: NDArray[np.bool_] = (self.unit_codes >= 0) & (self.days != NO_DAY)
        return placed

    def select(self, keep: NDArray[np.bool_], units: tuple[str, ...]) -> PanelRows:
        """Only these rows; `units` are the names that remain, in the order they had."""
        position = {name: index for index, name in enumerate(units)}
        renumber = np.array([position.get(name, -1) for name in self.units] + [-1], dtype=np.int64)
        return PanelRows(
            units,
            renumber[self.unit_codes[keep]],
            self.days[keep],
            {name: values[keep] for name, values in self.numbers.items()},
            self.row_numbers[keep],
        )

    def cells(self, column: str) -> ColumnCells:
        return ColumnCells(column, self.row_numbers, self.numbers[column])


def type_rows(table: RawTable, spec: SiloSpec) -> tuple[PanelRows, Findings]:
    """Every row typed as far as it can be."""
    found = Findings(table.problems + _missing_columns(table, spec) + _no_rows(table), table.notes)
    days, date_findings = _days(table, spec)
    units, codes, unit_findings = _units(table, spec)
    numbers: dict[str, NDArray[np.float64]] = {}
    found += date_findings + unit_findings + _currencies(table, spec)
    for column in spec.number_columns:
        if column in table.frame:
            empty = _empty_cells(column, spec, numbers)
            numbers[column], in_column = to_numbers(table, column, spec.data, empty)
            found += in_column
    return PanelRows(units, codes, days, numbers, table.row_numbers), found


def _empty_cells(column: str, spec: SiloSpec, numbers: Mapping[str, NDArray[np.float64]]) -> EmptyCells:
    """Frequency has no meaning where nobody was reached; `number_columns` names reach before it."""
    channels = spec.all_channels.values()
    reach = [numbers[item.reach] for item in channels if item.frequency == column and item.reach in numbers]
    nobody = np.all([values == 0 for values in reach], axis=0) if reach else None
    return EmptyCells(any(column in item.columns for item in channels), nobody)


def _missing_columns(table: RawTable, spec: SiloSpec) -> tuple[Finding, ...]:
    wanted = dict.fromkeys((*spec.text_columns, *spec.number_columns))
    return tuple(
        Finding("missing_column", "the data have no such column", name, hint=_nearest(name, table.columns))
        for name in wanted
        if name not in table.columns
    )


def _no_rows(table: RawTable) -> tuple[Finding, ...]:
    if len(table.frame):
        return ()
    return (Finding("empty_file", "the data have no rows", hint="export the data again, or check the query"),)


def _nearest(name: str, columns: tuple[str, ...]) -> str:
    close = nearest_name(name, columns)
    return f"did you mean {close!r}?" if close else f"the data have: {', '.join(filter(None, columns[:20]))}"


def _days(table: RawTable, spec: SiloSpec) -> tuple[NDArray[np.int64], Findings]:
    column = spec.columns.week
    if column not in table.frame:
        return np.full(len(table.frame), NO_DAY), Findings()
    parsed = parse_days(table.frame[column], spec.data.date_format)
    shown = ColumnCells(column, table.row_numbers, table.frame[column].to_numpy(dtype=object))
    unreadable = (parsed.days == NO_DAY) & ~parsed.missing
    wanted = f" as {parsed.formats[0]}" if (parsed.days != NO_DAY).any() or spec.data.date_format else ""
    problems = shown.find("missing_date", parsed.missing, "empty cells", "fill them, or delete the rows")
    problems += shown.find(
        "unparsable_date",
        unreadable,
        f"dates that cannot be read{wanted}",
        "write dates as 2024-01-29, or set data.date_format",
    )
    if parsed.ambiguous:
        problems += _ambiguous(shown, parsed)
        return np.full(len(table.frame), NO_DAY), Findings(problems)
    return parsed.days, Findings(problems, _stated_format(column, parsed, spec))


def _ambiguous(shown: ColumnCells, parsed: ParsedDays) -> tuple[Finding, ...]:
    first, second = parsed.formats[:2]
    return shown.find(
        "ambiguous_date",
        parsed.days != NO_DAY,
        f"reads as {first} and as {second}",
        f"set data.date_format = '{first}' or '{second}'",
    )


def _stated_format(column: str, parsed: ParsedDays, spec: SiloSpec) -> tuple[Finding, ...]:
    read_as = parsed.formats[0]
    could_be_misread = not read_as.startswith(("%Y", "%G")) and ("%m" in read_as or "%y" in read_as)
    if spec.data.date_format or not could_be_misread:
        return ()
    return (Finding("date_format", f"dates were read as {read_as}", column),)


def _units(table: RawTable, spec: SiloSpec) -> tuple[tuple[str, ...], NDArray[np.int64], Findings]:
    column, n_rows = spec.columns.unit, len(table.frame)
    if not column:
        return (NATIONAL_UNIT,), np.zeros(n_rows, dtype=np.int64), Findings()
    if column not in table.frame:
        return (), np.full(n_rows, -1), Findings()
    codes, uniques = pd.factorize(table.frame[column])
    names = [str(value).strip() for value in uniques]
    units = tuple(dict.fromkeys(name for name in names if name))
    position = {name: index for index, name in enumerate(units)}
    renumber = np.array([position.get(name, -1) for name in names] + [-1], dtype=np.int64)
    codes = renumber[codes]
    shown = ColumnCells(column, table.row_numbers, table.frame[column].to_numpy(dtype=object))
    problems = shown.find(
        "missing_unit", codes < 0, "rows without a unit", "name the unit, or delete the rows"
    )
    merged = len([name for name in names if name]) - len(units)
    notes = (Finding("unit_spaces", f"{merged} unit names differ in spaces only and were merged", column),)
    return units, codes, Findings(problems, notes if merged else ())


def _currencies(table: RawTable, spec: SiloSpec) -> Findings:
    column = spec.columns.currency_column
    if not column or column not in table.frame:
        return Findings()
    cells = table.frame[column].astype("str").str.strip()
    counts = cells.value_counts()
    expected = spec.currency or str(counts.index[0]) if len(counts) else ""
    other = (cells != expected).to_numpy(dtype=bool)
    shown = ColumnCells(column, table.row_numbers, cells.to_numpy(dtype=object))
    message = f"rows in another currency than {expected}"
    return Findings(shown.find("mixed_currencies", other, message, "convert all money to one currency"))
