"""What can be wrong with a partner's table, and the tally that reports all of it at once, never a value."""

from __future__ import annotations

from collections import Counter
from enum import Enum

from cleanroom.errors import Reason, TableRefused

LONGEST_TEXT = 200
MOST_DISTINCT_VALUES = 100_000
FIRST_YEAR, LAST_YEAR = 1900, 2199


class Problem(Enum):
    """(code, what is said of a column or of rows in it, what makes it right)."""

    COLUMN_MISSING = ("column_missing", "is missing", "add it, or declare the dataset without it")
    COLUMN_TWICE = ("column_twice", "stands there twice", "keep one of them")
    COLUMN_TYPE = (
        "column_type",
        "is stored as a type that its role cannot have",
        "store people and dimensions as text, measures as numbers, times as dates or timestamps",
    )
    ROW_LENGTH = (
        "row_length",
        "more or fewer fields than there are headings",
        "quote fields that hold separators",
    )
    IDENTITY_MISSING = ("identity_missing", "no person", "leave out rows without a person")
    IDENTITY_OTHER_KEY = (
        "identity_other_key",
        "tokens made with another key or rule",
        "run `mixroom room hash` again, with this collaboration's invitation",
    )
    IDENTITY_EMAIL = (
        "identity_email",
        "what looks like a plain e-mail address",
        "run `mixroom room hash` first",
    )
    IDENTITY_PHONE = (
        "identity_phone",
        "what looks like a plain phone number",
        "run `mixroom room hash` first",
    )
    IDENTITY_PLAIN_HASH = (
        "identity_plain_hash",
        "what looks like a hash without a key, which is a dictionary look-up away from the address",
        "run `mixroom room hash` first, on the addresses themselves",
    )
    IDENTITY_NO_TOKEN = ("identity_no_token", "no token", "run `mixroom room hash` first")
    NOT_A_NUMBER = (
        "not_a_number",
        "no finite number",
        "write numbers as 1234.5, and leave the field empty where there is none",
    )
    NOT_A_TIME = (
        "not_a_time",
        f"no date or time of the years {FIRST_YEAR} to {LAST_YEAR}",
        "write times as 2026-03-31 or 2026-03-31T13:45:00Z",
    )
    TOO_LONG = (
        "too_long",
        f"text of more than {LONGEST_TEXT} characters",
        "shorten it, or leave the column out",
    )
    CONTROL_CHARACTER = ("control_character", "line breaks or control characters in a text", "remove them")
    UNLISTED_VALUE = (
        "unlisted_value",
        "a value that is not among the declared public ones",
        "declare the value, or replace it in the table",
    )
    TOO_MANY_VALUES = (
        "too_many_values",
        f"has more than {MOST_DISTINCT_VALUES:,} different values and is probably an identifier",
        "declare it as a reference, or make it coarser",
    )
    NO_ROWS = ("no_rows", "has no rows", "check the export")
    UNREADABLE = (
        "unreadable",
        "cannot be read: it is damaged, not UTF-8, or neither CSV nor Parquet",
        "export it again as UTF-8 CSV with headings, or as Parquet",
    )

    def __init__(self, code: str, what: str, fix: str) -> None:
        self.code = code
        self.what = what
        self.fix = fix


class ProblemTally:
    """How many rows of which column have which problem. Counts leave the partner's machine nowhere."""

    def __init__(self) -> None:
        self._rows: Counter[tuple[str, Problem]] = Counter()
        self._whole: dict[tuple[str, Problem], None] = {}

    def __bool__(self) -> bool:
        return bool(self._rows or self._whole)

    def add_rows(self, column: str, problem: Problem, rows: int) -> None:
        """`rows` more rows have `problem` in `column`; the column is "" when it is the row itself."""
        if rows:
            self._rows[column, problem] += rows

    def add(self, column: str, problem: Problem) -> None:
        """The column as a whole, or the table when it is "", has `problem`."""
        self._whole[column, problem] = None

    def reasons(self) -> tuple[Reason, ...]:
        """One per column and problem: first what concerns whole columns, then rows, as they were found."""
        whole = [
            Reason(problem.code, f"{_named(column)} {problem.what}", problem.fix)
            for column, problem in self._whole
        ]
        rows = [
            Reason(
                problem.code,
                f"{_named(column)}: {count:,} row{'s'[: count != 1]} with {problem.what}",
                problem.fix,
            )
            for (column, problem), count in self._rows.items()
        ]
        return (*whole, *rows)

    def require_none(self) -> None:
        """Raise TableRefused with everything found, if anything was."""
        if self:
            raise self.refusal()

    def refusal(self) -> TableRefused:
        """Everything found, as one error."""
        reasons = self.reasons()
        return TableRefused(
            f"the table has {len(reasons)} problem{'s'[: len(reasons) != 1]}; nothing was sealed",
            hint=reasons[0].fix,
            reasons=reasons,
        )


def _named(column: str) -> str:
    return f"column {column}" if column else "the table"
