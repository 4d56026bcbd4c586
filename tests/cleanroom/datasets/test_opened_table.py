"""What the worker loads is what was sealed, and whatever does not fit is refused in the same words."""

import dataclasses
import io
import math
import os
import uuid
from datetime import datetime
from hashlib import sha256
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cleanroom.datasets.opened_table import SealedSource, load_table
from cleanroom.datasets.sealed_table import SealedTable, StoredType
from cleanroom.datasets.vault import Vault
from cleanroom.errors import QueryFailed, SealedTableBroken
from privacy.identifiers import parse_token
from privacy.sealing import seal_bytes
from tests.cleanroom.datasets.visits import KEY, ROWS, TOKENS, context, document, not_utf8, parquet, sealed

BROKEN = "a sealed table does not open: another key, another table, or changed since it was sealed"


@pytest.fixture
def connection():
    """As the worker has it: nothing outside can be read or written."""
    with duckdb.connect(config={"enable_external_access": False, "threads": 1}) as opened:
        yield opened


@pytest.fixture
def table(tmp_path) -> SealedTable:
    return sealed(tmp_path)


def source(table: SealedTable, key: bytes = KEY, **changes: Any) -> SealedSource:
    file = io.BytesIO(table.path.read_bytes())
    return SealedSource(file, dataclasses.replace(table.manifest, **changes), key)


def load(connection, opened: SealedSource, *columns: str) -> None:
    load_table(opened, connection, name="visits", columns=columns or tuple(ROWS))


def refused(connection, opened: SealedSource) -> None:
    with pytest.raises(SealedTableBroken) as refusal:
        load(connection, opened)
    assert (str(refusal.value), refusal.value.__cause__) == (BROKEN, None)
    assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,)


def test_a_table_is_loaded_with_native_types(connection, table):
    load(connection, source(table))

    types = {name: kind for name, kind, *_ in connection.execute("DESCRIBE visits").fetchall()}
    assert types == {
        "person": "UUID",
        "campaign": "VARCHAR",
        "spend": "DOUBLE",
        "seen": "TIMESTAMP",
        "order_id": "VARCHAR",
    }
    people = [uuid.UUID(bytes=parse_token(token).person) for token in TOKENS]
    assert connection.execute("SELECT * FROM visits").fetchall() == list(
        zip(people, *(ROWS[name] for name in ("campaign", "spend", "seen", "order_id")), strict=True)
    )


def test_a_table_that_went_through_the_vault_opens(connection, table, tmp_path):
    vault = Vault(tmp_path / "vault")
    vault.begin("up-1", table.manifest.sealed_bytes, table.manifest.sealed_sha256)
    vault.append("up-1", 0, [table.path.read_bytes()])
    with vault.commit("up-1", "ver-a").open("rb") as file:
        load(connection, SealedSource(file, table.manifest, KEY))

    assert connection.execute("SELECT sum(spend) FROM visits").fetchone() == (1.5 + 2.25,)


def test_only_the_asked_columns_are_loaded_in_the_asked_order(connection, table):
    load(connection, source(table), "seen", "person")

    assert [row[0] for row in connection.execute("DESCRIBE visits").fetchall()] == ["seen", "person"]
    assert connection.execute("SELECT min(seen) FROM visits").fetchone() == (datetime(2026, 1, 2, 3, 4, 5),)


def test_a_table_is_native_and_nothing_else_is_left(connection, table):
    load(connection, source(table))

    assert connection.execute("SELECT table_name FROM duckdb_tables()").fetchall() == [("visits",)]
    assert connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall() == []


def test_a_table_of_several_row_groups_is_loaded_whole(connection, tmp_path):
    rows = 300_000
    token = TOKENS[0][:-6]
    columns = {"person": [f"{token}{number:06x}" for number in range(rows)], "spend": list(range(rows))}
    keep = {name: document().columns[name] for name in columns}
    path = parquet(tmp_path, **{**dict.fromkeys(ROWS), **columns})
    table = sealed(tmp_path, path, document().model_copy(update={"columns": keep}))
    load(connection, source(table), "person", "spend")

    found = connection.execute(
        "SELECT count(DISTINCT person), sum(spend), typeof(any_value(spend)) FROM visits"
    )
    assert found.fetchone() == (rows, rows * (rows - 1) // 2, "BIGINT")


@pytest.mark.parametrize("field", ["collaboration", "dataset", "version", "owner"])
def test_a_table_of_another_place_does_not_open(connection, table, field):
    refused(connection, source(table, context=context(**{field: "other"})))


@pytest.mark.parametrize(
    "changes",
    [
        {"context": context(identity_tag="00000000")},
        {"rows": 4},
        {"sealed_bytes": 1},
        {"sealed_sha256": "0" * 64},
        {"columns": {"person": StoredType.IDENTITY}},
        {"columns": {**dict.fromkeys(ROWS, StoredType.TEXT), "person": StoredType.IDENTITY}},
    ],
)
def test_a_table_with_another_manifest_does_not_open(connection, table, changes):
    opened = source(table, **changes)
    with pytest.raises(SealedTableBroken, match=BROKEN):
        load(connection, opened, "person")


@pytest.mark.parametrize("key", [b"\xff" * 32, b"short", b""])
def test_another_key_does_not_open_a_table(connection, table, key):
    refused(connection, source(table, key))


@pytest.mark.parametrize("position", [0, 20, 100, -1])
def test_a_changed_byte_is_noticed(connection, table, position):
    content = bytearray(table.path.read_bytes())
    content[position] ^= 1
    table.path.write_bytes(content)

    refused(connection, source(table))
    refused(connection, source(table, sealed_sha256=sha256(content).hexdigest()))


@pytest.mark.parametrize(
    "change", [lambda content: content[:-1], lambda content: content + b"\0", lambda _: b""]
)
def test_a_cut_or_lengthened_file_does_not_open(connection, table, change):
    table.path.write_bytes(change(table.path.read_bytes()))

    refused(connection, source(table))


def test_a_file_is_read_from_its_beginning_wherever_it_stands(connection, table):
    opened = source(table)
    opened.file.seek(100)
    load(connection, opened)

    assert connection.execute("SELECT count(*) FROM visits").fetchone() == (3,)


def test_a_closed_file_does_not_open(connection, table):
    opened = source(table)
    opened.file.close()

    refused(connection, opened)


def test_what_is_no_file_does_not_open(connection, table):
    """Whoever hands over a descriptor may hand over any."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb"):
        refused(connection, SealedSource(pipe, table.manifest, KEY))


def resealed(table: SealedTable, rows: pa.Table) -> SealedSource:
    """What an owner could seal with a program of its own, under a manifest that fits the bytes."""
    file = io.BytesIO()
    pq.write_table(rows, file)
    content = seal_bytes(KEY, file.getvalue(), context().sealing())
    table.path.write_bytes(content)
    return source(table, rows=len(rows), sealed_bytes=len(content), sealed_sha256=sha256(content).hexdigest())


def canonical(people: list[bytes | None], spend: list[float]) -> pa.Table:
    stored = pa.ExtensionArray.from_storage(pa.uuid(), pa.array(people, pa.binary(16)))
    empty = pa.nulls(len(people), pa.string())
    seen = pa.nulls(len(people), pa.timestamp("us"))
    return pa.table({"person": stored, "campaign": empty, "spend": spend, "seen": seen, "order_id": empty})


def test_what_an_owner_sealed_by_itself_opens_when_it_is_sound(connection, table):
    load(connection, resealed(table, canonical([b"\1" * 16, b"\2" * 16], [1.0, 2.0])))

    assert connection.execute("SELECT sum(spend) FROM visits").fetchone() == (3.0,)


@pytest.mark.parametrize(
    "people, spend",
    [
        ([b"\1" * 16, None], [1.0, 2.0]),
        ([b"\1" * 16, b"\2" * 16], [1.0, math.nan]),
        ([b"\1" * 16, b"\2" * 16], [-math.inf, 1.0]),
    ],
)
def test_people_missing_and_numbers_that_are_none_do_not_get_in(connection, table, people, spend):
    refused(connection, resealed(table, canonical(people, spend)))


def test_text_that_is_not_utf8_does_not_get_in(connection, table):
    rows = canonical([b"\1" * 16, b"\2" * 16], [1.0, 2.0])

    refused(connection, resealed(table, rows.set_column(1, "campaign", not_utf8(2))))


def test_sealed_bytes_that_are_no_parquet_do_not_open(connection, table):
    content = seal_bytes(KEY, b"person,spend", context().sealing())
    table.path.write_bytes(content)

    refused(connection, source(table, sealed_bytes=len(content), sealed_sha256=sha256(content).hexdigest()))


@pytest.mark.parametrize("name, columns", [("visits", ["email"]), ("visits", []), ('v"; DROP', ["person"])])
def test_what_the_table_does_not_have_is_not_asked_of_it(connection, table, name, columns):
    with pytest.raises(QueryFailed):
        load_table(source(table), connection, name=name, columns=columns)


def test_a_table_that_does_not_fit_into_memory_says_so_and_leaves_nothing(tmp_path):
    rows = 300_000
    columns = {"person": TOKENS[:1] * rows, "order_id": [f"{number:064x}" for number in range(rows)]}
    keep = {name: document().columns[name] for name in columns}
    path = parquet(tmp_path, **{**dict.fromkeys(ROWS), **columns})
    table = sealed(tmp_path, path, document().model_copy(update={"columns": keep}))
    with duckdb.connect(config={"memory_limit": "15MB", "temp_directory": "", "threads": 1}) as small:
        with pytest.raises(QueryFailed, match="does not fit into the worker's memory"):
            load(small, source(table), "person", "order_id")
        assert small.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,)


def test_the_key_does_not_print(table):
    assert KEY.hex() not in repr(source(table))
    assert repr(KEY) not in repr(source(table))
