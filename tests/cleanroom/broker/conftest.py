"""A room around a broker, new for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cleanroom.broker.broker_room import BrokerRoom


@pytest.fixture
def room(tmp_path: Path) -> Iterator[BrokerRoom]:
    room = BrokerRoom(tmp_path)
    yield room
    room.broker.close()
