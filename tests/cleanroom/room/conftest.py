"""One service per module, on SQLite; tests that kill or count have rooms of their own in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cleanroom.room.acme_room import AcmeRoom
from tests.cleanroom.room.serving_process import ServingProcess


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServingProcess]:
    process = ServingProcess(tmp_path_factory.mktemp("service"), "--workers", "2")
    process.start()
    try:
        yield process
    finally:
        process.end()


@pytest.fixture(scope="module")
def room(service: ServingProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AcmeRoom]:
    folder: Path = tmp_path_factory.mktemp("room")
    founded = AcmeRoom.founded(service, folder)
    with founded.broker():
        yield founded
