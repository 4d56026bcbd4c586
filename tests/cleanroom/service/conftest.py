"""One service for all tests here; each test founds a collaboration of its own in it."""

from collections.abc import Iterator

import pytest

from tests.cleanroom.service.running_room import RunningRoom, running_room


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRoom]:
    with running_room(tmp_path_factory.mktemp("service")) as room:
        yield room
