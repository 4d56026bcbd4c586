"""A small table of visits, its owner's document, and the way from there to a sealed file."""

from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from cleanroom.datasets.sealed_table import SealedTable, TableContext
from cleanroom.datasets.table_sealing import TableSealing, seal_table
from cleanroom.errors import TableRefused
from cleanroom.rules.analysis_rule import RuleDocument
from privacy.identifiers import IdentifierKind, IdentifierRule, IdentityKey

KEY = bytes(range(32))
IDENTITY = IdentityKey(b"\x07" * 32, IdentifierKind.EMAIL, IdentifierRule.UID2)
CREATED = date(2026, 3, 31)
TOKENS = IDENTITY.tokens(["ann@example.com", "bo@example.com", "cy@example.com"])
ROWS = {
    "person": TOKENS,
    "campaign": ["spring", None, "autumn"],
    "spend": [1.5, 2.25, None],
    "seen": [datetime(2026, 1, 2, 3, 4, 5), None, datetime(2026, 2, 3)],
    "order_id": ["o-1", "o-2", None],
}


def document(**changes: object) -> RuleDocument:
    """Five columns, one of each role, unless `changes` says otherwise."""
    columns = {
        "person": {"role": "identity"},
        "campaign": {"role": "dimension"},
        "spend": {"role": "measure"},
        "seen": {"role": "time"},
        "order_id": {"role": "reference"},
        **changes,
    }
    return RuleDocument.of({"dataset": "visits", "columns": columns})


def context(**changes: str) -> TableContext:
    fields = {
        "collaboration": "col-a",
        "dataset": "visits",
        "version": "ver-a",
        "owner": "acme",
        "identity_tag": IDENTITY.tag,
    }
    return TableContext(**{**fields, **changes})


def sealing(rules: RuleDocument | None = None) -> TableSealing:
    return TableSealing(rules or document(), context(), CREATED)


def parquet(folder: Path, **changes: object) -> Path:
    """The rows as a Parquet file, with columns replaced or added, or left out when None."""
    columns = {name: values for name, values in {**ROWS, **changes}.items() if values is not None}
    pq.write_table(pa.table(columns), folder / "visits.parquet")
    return folder / "visits.parquet"


def not_utf8(count: int) -> pa.StringArray:
    """Texts of one byte that begins nothing in UTF-8, as a careless Parquet writer may store them."""
    offsets = pa.array(range(count + 1), pa.int32()).buffers()[1]
    return pa.StringArray.from_buffers(count, offsets, pa.py_buffer(b"\xff" * count))


def csv(folder: Path, text: str | None = None) -> Path:
    """The text as a CSV file; without a text, the rows as Arrow writes them."""
    path = folder / "visits.csv"
    if text is None:
        pa_csv.write_csv(pa.table(ROWS), path)
    else:
        path.write_text(text, encoding="utf-8")
    return path


def sealed(folder: Path, source: Path | None = None, rules: RuleDocument | None = None) -> SealedTable:
    return seal_table(source or parquet(folder), folder / "visits.sealed", sealing(rules), key=KEY)


def refused(folder: Path, source: Path, rules: RuleDocument | None = None) -> dict[str, str]:
    """Code -> message of every reason; nothing was left behind."""
    before = sorted(folder.iterdir())
    with pytest.raises(TableRefused) as refusal:
        sealed(folder, source, rules)
    assert sorted(folder.iterdir()) == before
    assert all(reason.fix for reason in refusal.value.reasons)
    return {reason.code: reason.message for reason in refusal.value.reasons}
