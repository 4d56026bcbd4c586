"""The three tables of a replay, as files: hashed under a throw-away key, changed where a fixture asks for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from cleanroom.errors import CorpusInvalid
from cleanroom.rules.analysis_rule import RuleDocument

TABLES = ("exposures", "conversions", "crm")
_COMPARED = re.compile(r"(?:\w+\.)?(\w+)\s*=\s*'([^']{1,100})'")


def read_tables(folder: Path, documents: Mapping[str, RuleDocument]) -> dict[str, pa.Table]:
    """Every dataset's Parquet file in `folder`. Raises CorpusInvalid naming all that are missing or unfit."""
    problems = []
    tables = {}
    for name, document in documents.items():
        path = folder / f"{name}.parquet"
        try:
            with pq.ParquetFile(path) as file:
                found = pa.Table.from_batches(list(file.iter_batches()), file.schema_arrow)
            # Some engines declare columns without NULL as never NULL; rows of a fixture may have some.
            tables[name] = found.cast(pa.schema([field.with_nullable(True) for field in found.schema]))
        except (OSError, pa.ArrowException):
            problems.append(f"{path.name} is missing or no Parquet file")
            continue
        missing = sorted(set(document.columns) - set(tables[name].column_names))
        if missing:
            problems.append(f"{path.name} lacks {', '.join(missing)}")
    if problems:
        raise CorpusInvalid(
            f"{folder} does not hold the tables: {'; '.join(problems)}",
            hint="it needs exposures.parquet, conversions.parquet and crm.parquet with the columns of their rules",
        )
    return tables


def target_of(tables: Mapping[str, pa.Table], documents: Mapping[str, RuleDocument]) -> str:
    """An identity that is really there, for queries that name one: the rarest person of the crm table, or the first."""
    name = "crm" if "crm" in documents else next(iter(documents))
    crm = tables[name]
    identity = documents[name].identity
    others = [name for name in crm.column_names if name != identity]
    counted = crm.group_by(others).aggregate([(identity, "count"), (identity, "min")])
    rarest = counted.sort_by(f"{identity}_count").slice(0, 1)
    return str(rarest.column(f"{identity}_min")[0].as_py())


def attackers_list(
    sql: str, tables: Mapping[str, pa.Table], document: RuleDocument, size: int
) -> pa.Table | None:
    """The crm table with `size` people of the exposures table under the segment that a query names.

    None when the query compares no column of the crm table with a literal.
    """
    named = [(column, literal) for column, literal in _COMPARED.findall(sql) if column in document.columns]
    if not named or "exposures" not in tables:
        return None
    column, literal = named[0]
    crm = tables["crm"]
    people = tables["exposures"].column(document.identity).unique().slice(0, size)
    rows = {name: pa.nulls(len(people), crm.schema.field(name).type) for name in crm.column_names}
    rows[document.identity] = pa.array(people.to_pylist(), crm.schema.field(document.identity).type)
    rows[column] = pa.array([literal] * len(people), crm.schema.field(column).type)
    return pa.concat_tables([crm, pa.table(rows, schema=crm.schema)])
