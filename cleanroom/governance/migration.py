"""Brings a database to this version's tables; the steps travel with the package."""

from __future__ import annotations

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

MIGRATIONS = Path(__file__).with_name("migrations")
# Alembic keeps the step it is at in a global.
_ONE_AT_A_TIME = threading.Lock()
_LOCK = 6_017_242_026  # any number that no other user of the database takes


def migrate(engine: Engine) -> None:
    """All steps in one transaction, one process at a time."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    begin = engine.execution_options(room_begin="BEGIN IMMEDIATE")
    with _ONE_AT_A_TIME, begin.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
