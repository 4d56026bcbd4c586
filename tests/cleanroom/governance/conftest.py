"""Rooms on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cleanroom.governance.example_room import ExampleRoom


@pytest.fixture
def empty_room(database_url: str) -> Iterator[ExampleRoom]:
    """The service, with nobody in it."""
    room = ExampleRoom.open(database_url)
    yield room
    room.governance.store.close()


@pytest.fixture
def room(database_url: str) -> Iterator[ExampleRoom]:
    """A collaboration with its founder, the owner `adv`."""
    founded = ExampleRoom.founded(database_url)
    yield founded
    founded.governance.store.close()
