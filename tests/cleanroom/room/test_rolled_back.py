"""An operator who puts an older database in place: what owners committed to since is missed; nothing is released."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cleanroom.room.acme_room import BY_REGION, NORTH, PEOPLE, AcmeRoom, other_question
from tests.cleanroom.room.serving_process import ServingProcess
from tests.cleanroom.room.stored_state import chained, read_database

pytestmark = pytest.mark.slow
REGIONS = [["north", NORTH], ["south", PEOPLE - NORTH]]


@pytest.fixture
def own_room(tmp_path: Path) -> Iterator[AcmeRoom]:
    process = ServingProcess(tmp_path / "service", "--workers", "1")
    process.start()
    try:
        yield AcmeRoom.founded(process, tmp_path)
    finally:
        process.end()


def copied(room: AcmeRoom, name: str) -> Path:
    """The database as it is, of a service that was stopped; it runs again then."""
    room.service.end()
    place = room.service.data.parent / name
    shutil.copyfile(room.service.database, place)
    room.service.start()
    return place


def put_back(room: AcmeRoom, copy: Path) -> None:
    room.service.end()
    for file in room.service.data.glob("room.db*"):
        file.unlink()
    shutil.copyfile(copy, room.service.database)
    room.service.start()


def asked(room: AcmeRoom, sql: str) -> list[list[object]]:
    with room.broker():
        return room.ask(sql)


def test_a_restored_older_database_releases_nothing_until_the_newest_is_back(own_room: AcmeRoom) -> None:
    assert asked(own_room, BY_REGION) == REGIONS
    older = copied(own_room, "older.db")
    assert asked(own_room, other_question(1)) == [[PEOPLE]]
    newest = copied(own_room, "newest.db")

    put_back(own_room, older)
    with own_room.broker():
        refused = own_room.post(other_question(2))
    assert (refused.status_code, refused.json()["error"]["code"]) == (500, "state_rolled_back")
    states = read_database(own_room.service.database, "SELECT state, failure FROM queries ORDER BY asked")
    assert states == [("released", ""), ("failed", "state_rolled_back")]

    put_back(own_room, newest)
    assert asked(own_room, other_question(2)) == [[PEOPLE]]
    assert len(chained(own_room.releases())) == 3


def test_a_memory_emptied_in_the_database_is_missed_too(own_room: AcmeRoom) -> None:
    """Otherwise a number could be compared with none of those that were released before."""
    fresh = copied(own_room, "fresh.db")
    assert asked(own_room, BY_REGION) == REGIONS

    put_back(own_room, fresh)
    with own_room.broker():
        refused = own_room.post(BY_REGION)
    assert refused.json()["error"]["code"] == "state_rolled_back"
