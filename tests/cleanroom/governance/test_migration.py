"""A database of the version that held wrapped keys, opened by this one."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from cleanroom.errors import Conflict
from cleanroom.governance.governance import Governance
from cleanroom.governance.store import open_store
from cleanroom.rules.analysis_rule import Mode
from privacy.party_keys import PartyKeys
from tests.cleanroom.governance.example_room import NOON, PEPPER, ExampleRoom, upload

WRAPPED = b"a data key, wrapped to the worker"
AS_BEFORE = (
    "ALTER TABLE dataset_versions DROP COLUMN key_commitment",
    "ALTER TABLE difference_states DROP COLUMN state_id",
    "ALTER TABLE difference_states DROP COLUMN pending_id",
    "ALTER TABLE difference_states DROP COLUMN pending_sealed",
    "ALTER TABLE difference_states ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0",
    "UPDATE alembic_version SET version_num = '0001'",
)


def made_older(url: str, version: str, *, releases: int) -> None:
    """The tables as the first version had them, with wrapped keys and a history sealed by its worker."""
    parsed = sa.make_url(url)
    is_postgres = parsed.get_backend_name() == "postgresql"
    engine = sa.create_engine(parsed.set(drivername="postgresql+psycopg") if is_postgres else parsed)
    wrapped = sa.Table(
        "wrapped_keys",
        sa.MetaData(),
        sa.Column("version", sa.String(200), primary_key=True),
        sa.Column("holder", sa.String(200), primary_key=True),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
    )
    with engine.begin() as connection:
        for statement in AS_BEFORE:
            connection.execute(sa.text(statement))
        wrapped.create(connection)
        connection.execute(wrapped.insert().values(version=version, holder="worker", wrapped=WRAPPED))
        states = sa.text("UPDATE difference_states SET sequence = :releases, sealed = :sealed")
        connection.execute(states, {"releases": releases, "sealed": b"by the old worker" * releases})
    engine.dispose()


def reopened(room: ExampleRoom, url: str) -> ExampleRoom:
    store = open_store(url)
    room.governance = Governance.of(store, pepper=PEPPER, service_keys=PartyKeys.generate("service"))
    return room


@pytest.fixture
def older(room: ExampleRoom, database_url: str) -> ExampleRoom:
    """With a table, before its first release."""
    room.put_rules("adv", "visits", dp={"epsilon_budget": 3})
    version = upload(room, "adv", "visits")
    room.governance.store.close()
    made_older(database_url, version.id, releases=0)
    return reopened(room, database_url)


def test_no_wrapped_key_is_left(older: ExampleRoom) -> None:
    names = older.governance.store.read(lambda session: sa.inspect(session.connection()).get_table_names())
    assert "wrapped_keys" not in names
    assert "dataset_versions" in names


def test_a_table_whose_key_no_broker_has_is_not_read_and_ends(older: ExampleRoom) -> None:
    datasets, adv = older.governance.datasets, older.principals["adv"]
    with pytest.raises(Conflict, match="no table"):
        datasets.ready(older.collaboration, ["visits"], now=NOON)
    (ended,) = older.governance.retention.end(NOON)
    assert ended.key_commitment == ""
    assert older.governance.audit.entries(adv, older.collaboration)[-1].action == "version destroyed"
    assert older.governance.retention.end(NOON) == ()

    upload(older, "adv", "visits")
    assert datasets.ready(older.collaboration, ["visits"], now=NOON)


def test_a_room_that_released_nothing_goes_on(older: ExampleRoom) -> None:
    assert older.governance.queries.state(older.collaboration).candidates == ()
    older.governance.queries.begin(older.query("visits", mode=Mode.THRESHOLD), now=NOON)


def test_what_was_released_before_is_not_taken_for_nothing(room: ExampleRoom, database_url: str) -> None:
    """Its history opens with a key that is no more: a number could be compared with none of them."""
    room.put_rules("adv", "visits", dp={"epsilon_budget": 3})
    version = upload(room, "adv", "visits")
    room.governance.store.close()
    made_older(database_url, version.id, releases=2)
    again = reopened(room, database_url)
    with pytest.raises(Conflict, match="nothing was charged"):
        again.governance.queries.begin(again.query("visits", mode=Mode.THRESHOLD), now=NOON)
    again.governance.queries.begin(again.query("visits"), now=NOON)  # noise needs no memory
