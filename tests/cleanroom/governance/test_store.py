"""The database: migrated, whole or unchanged, owner-only."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url, select, text
from sqlalchemy.orm import Session

from cleanroom.errors import ProposalInvalid, StoreUnavailable
from cleanroom.governance.store import open_store
from cleanroom.governance.tables import IdempotencyRow, Table
from tests.cleanroom.conftest import PostgresServer
from tests.cleanroom.governance.example_room import NOON


def row(key: str) -> IdempotencyRow:
    return IdempotencyRow(principal="p", key=key, request_digest="d", created=NOON)


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(database_url: str) -> None:
    open_store(database_url).close()
    url = make_url(database_url)
    engine = create_engine(url.set(drivername="postgresql+psycopg") if "postgres" in database_url else url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
    engine.dispose()


def test_a_database_opens_again_with_what_it_held(database_url: str) -> None:
    store = open_store(database_url)
    store.write(lambda session: session.add(row("kept")))
    store.close()
    again = open_store(database_url)
    assert again.read(lambda session: session.get_one(IdempotencyRow, ("p", "kept")).created) == NOON
    again.close()


def test_work_that_raises_changes_nothing(database_url: str) -> None:
    store = open_store(database_url)

    def work(session: Session) -> None:
        session.add(row("lost"))
        session.flush()
        raise StoreUnavailable("stop")

    with pytest.raises(StoreUnavailable):
        store.write(work)
    assert store.read(lambda session: session.get(IdempotencyRow, ("p", "lost"))) is None
    store.close()


def test_a_newer_versions_database_is_refused_and_left_as_it_is(database_url: str) -> None:
    store = open_store(database_url)
    store.write(lambda session: session.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    store.close()
    with pytest.raises(StoreUnavailable, match="another version"):
        open_store(database_url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/name", "no address", ""])
def test_an_address_that_is_none_or_forgets_charges_is_refused(url: str) -> None:
    with pytest.raises(StoreUnavailable):
        open_store(url)


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(StoreUnavailable) as refused:
        open_store("postgresql://room:hunter2@127.0.0.1:1/room")
    assert "hunter2" not in str(refused.value) + refused.value.hint


def test_the_sqlite_file_is_for_its_owner_only_durable_and_overwrites_what_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "inner" / "room.db"
    store = open_store(f"sqlite:///{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
    values = store.read(
        lambda session: [session.execute(text(f"PRAGMA {name}")).scalar() for name in pragmas]
    )
    assert values == ["wal", 2, 1, 1]  # 2 is FULL
    store.close()


def test_a_writer_that_waits_too_long_is_told_to_try_again(database_url: str) -> None:
    patient, hasty = open_store(database_url), open_store(database_url, busy_seconds=0.2)

    def work(_: Session) -> None:
        with pytest.raises(StoreUnavailable, match="busy"):
            hasty.write(lambda session: session.add(row("second")))

    patient.write(work)
    hasty.write(lambda session: session.add(row("second")))
    patient.close()
    hasty.close()


def test_work_is_done_again_when_postgresql_asks_for_it(postgres_server: PostgresServer) -> None:
    store = open_store(postgres_server.new_database())
    runs: list[int] = []

    def work(session: Session) -> None:
        runs.append(len(runs))
        session.add(row(f"run {len(runs)}"))
        session.flush()
        if len(runs) < 3:  # serialization_failure, as if another writer had been faster
            session.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$"))

    store.write(work)
    assert store.read(lambda session: session.scalars(select(IdempotencyRow.key)).all()) == ["run 3"]
    store.close()


@pytest.mark.parametrize("key", ["a\0b", "\ud800", "plain"])
def test_a_text_that_cannot_be_stored_is_refused_with_other_words_than_a_failure(
    database_url: str, key: str
) -> None:
    store = open_store(database_url)
    if key == "plain" or (key == "a\0b" and store.dialect == "sqlite"):
        store.write(lambda session: session.add(row(key)))
        assert store.read(lambda session: session.get(IdempotencyRow, ("p", key))) is not None
    else:
        with pytest.raises(ProposalInvalid):
            store.write(lambda session: session.add(row(key)))
        with pytest.raises(ProposalInvalid):
            store.read(lambda session: session.get(IdempotencyRow, ("p", key)))
    store.close()


def test_a_number_that_cannot_be_stored_is_refused_too(database_url: str) -> None:
    store = open_store(database_url)
    query = select(IdempotencyRow).where(IdempotencyRow.status > 2**70)
    with pytest.raises(ProposalInvalid):
        store.read(lambda session: session.scalars(query).all())
    store.close()
