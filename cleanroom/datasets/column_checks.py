"""One check per role: a batch of a column comes in as the file has it and goes out as it is stored.

What a check does not accept it counts in the tally and gives back as missing; a table with anything in its tally
is never stored, so no value is ever changed silently.
"""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from cleanroom.datasets.column_types import as_texts, fits_role, is_text, is_whole_number, without_dictionary
from cleanroom.datasets.identity_tokens import read_tokens
from cleanroom.datasets.number_texts import read_numbers
from cleanroom.datasets.sealed_table import StoredType
from cleanroom.datasets.table_problems import LONGEST_TEXT, MOST_DISTINCT_VALUES, Problem, ProblemTally
from cleanroom.datasets.time_texts import keep_usual_years, read_times
from cleanroom.rules.analysis_rule import Column, Role

# Unicode's control characters, and its two line separators.
_CONTROL_CHARACTERS = r"[\p{Cc}\x{2028}\x{2029}]"


class ColumnCheck(Protocol):
    """Checks and converts one column, batch by batch."""

    stored: StoredType
    repeats: bool  # whether few different values are expected, so that a dictionary pays

    def convert(self, values: pa.Array) -> pa.Array:
        """As many values, of type `stored`."""


def check_for(name: str, column: Column, kind: pa.DataType, *, tag: str, tally: ProblemTally) -> ColumnCheck:
    """The check of the column `name`, which the file holds as `kind`; unfit types are counted here."""
    if not fits_role(kind, column.role):
        tally.add(name, Problem.COLUMN_TYPE)
        return _Unfit()
    match column.role:
        case Role.IDENTITY:
            return _IdentityCheck(name, tag, tally)
        case Role.MEASURE:
            return _MeasureCheck(name, kind, tally)
        case Role.TIME:
            return _TimeCheck(name, tally)
        case Role.REFERENCE:
            return _TextCheck(name, tally)
        case Role.DIMENSION:
            return _DimensionCheck(name, column.values, tally)


class _Unfit:
    """A column whose type says enough; its values are not looked at."""

    stored = StoredType.TEXT
    repeats = False

    def convert(self, values: pa.Array) -> pa.Array:
        return pa.nulls(len(values), pa.string())


class _IdentityCheck:
    stored = StoredType.IDENTITY
    repeats = False

    def __init__(self, name: str, tag: str, tally: ProblemTally) -> None:
        self._name, self._tag, self._tally = name, tag, tally

    def convert(self, values: pa.Array) -> pa.Array:
        return read_tokens(as_texts(values), self._tag, self._name, self._tally)


class _MeasureCheck:
    """Whole numbers stay whole where the file's own type says so."""

    repeats = False

    def __init__(self, name: str, kind: pa.DataType, tally: ProblemTally) -> None:
        self.stored = StoredType.WHOLE if is_whole_number(kind) else StoredType.DECIMAL
        self._name, self._tally = name, tally

    def convert(self, values: pa.Array) -> pa.Array:
        plain = without_dictionary(values)
        numbers = (
            read_numbers(as_texts(plain))
            if is_text(plain.type)
            else pc.cast(plain, self.stored.arrow, safe=False)
        )
        if self.stored is StoredType.DECIMAL:
            numbers = pc.if_else(pc.is_finite(numbers), numbers, None)
        self._tally.add_rows(self._name, Problem.NOT_A_NUMBER, numbers.null_count - plain.null_count)
        return numbers


class _TimeCheck:
    stored = StoredType.TIME
    repeats = True

    def __init__(self, name: str, tally: ProblemTally) -> None:
        self._name, self._tally = name, tally

    def convert(self, values: pa.Array) -> pa.Array:
        plain = without_dictionary(values)
        times = keep_usual_years(read_times(as_texts(plain)) if is_text(plain.type) else plain)
        self._tally.add_rows(self._name, Problem.NOT_A_TIME, times.null_count - plain.null_count)
        return times


class _TextCheck:
    """Short texts without control characters. Each distinct text of a batch is looked at once."""

    stored = StoredType.TEXT
    repeats = False

    def __init__(self, name: str, tally: ProblemTally) -> None:
        self._name, self._tally = name, tally

    def convert(self, values: pa.Array) -> pa.Array:
        texts = as_texts(values)
        encoded = pc.dictionary_encode(texts)
        distinct = encoded.dictionary
        self._count(encoded, pc.greater(pc.utf8_length(distinct), LONGEST_TEXT), Problem.TOO_LONG)
        controls = pc.match_substring_regex(distinct, _CONTROL_CHARACTERS)
        self._count(encoded, controls, Problem.CONTROL_CHARACTER)
        self._look_at(encoded)
        return texts

    def _count(self, encoded: pa.DictionaryArray, is_bad: pa.BooleanArray, problem: Problem) -> None:
        if pc.any(is_bad).as_py():
            rows = pc.sum(pc.take(is_bad, encoded.indices)).as_py()
            self._tally.add_rows(self._name, problem, rows)

    def _look_at(self, encoded: pa.DictionaryArray) -> None:
        """For what else a subclass asks."""


class _DimensionCheck(_TextCheck):
    """Also: declared values only, where values are declared; and not a different value in every row."""

    def __init__(self, name: str, values: tuple[str, ...], tally: ProblemTally) -> None:
        super().__init__(name, tally)
        self.repeats = True
        self._values = pa.array(values, pa.string())
        self._seen: set[str] = set()

    def _look_at(self, encoded: pa.DictionaryArray) -> None:
        if len(self._values):
            unlisted = pc.invert(pc.is_in(encoded.dictionary, self._values))
            self._count(encoded, unlisted, Problem.UNLISTED_VALUE)
        elif len(self._seen) <= MOST_DISTINCT_VALUES:
            self._seen.update(encoded.dictionary.to_pylist())
            if len(self._seen) > MOST_DISTINCT_VALUES:
                self._tally.add(self._name, Problem.TOO_MANY_VALUES)
