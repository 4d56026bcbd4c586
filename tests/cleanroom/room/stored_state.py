"""What the service keeps, read from its database directly, as its operator could."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class KeptMemory:
    """The sealed difference history in force, and the one that was prepared after it, if one was."""

    state_id: str | None
    sealed: bytes
    pending_id: str | None


def read_database(path: Path, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows of SQLite's file, in a view of its own."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def kept_memory(path: Path, collaboration: str) -> KeptMemory:
    """As it is now."""
    statement = "SELECT state_id, sealed, pending_id FROM difference_states WHERE collaboration = ?"
    (row,) = read_database(path, statement, collaboration)
    return KeptMemory(*row)


def moves(releases: list[dict[str, Any]]) -> dict[str, str]:
    """From which state every threshold release started, and which it left. No two share either."""
    told = [release["body"]["history"] for release in releases]
    made = {move["before"]: move["after"] for move in told if move["after"]}
    assert len(made) == sum(bool(move["after"]) for move in told), "two releases start from one state"
    assert len(set(made.values())) == len(made), "two releases left one state"
    return made


def chained(releases: list[dict[str, Any]]) -> list[str]:
    """Follow threshold releases from nothing on; every one must be met. The states, first to last."""
    following = moves(releases)
    states: list[str] = [""]
    while states[-1] in following:
        states.append(following[states[-1]])
    assert len(states) == len(following) + 1
    return states[1:]
