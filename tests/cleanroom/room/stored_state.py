"""What the service keeps, read from its database directly, as its operator could."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanroom.worker.worker_home import history_digest


@dataclass(frozen=True)
class KeptHistory:
    """The sealed difference history and how many releases it has seen."""

    collaboration: str
    sequence: int
    sealed: bytes

    @property
    def digest(self) -> str:
        """As releases name it."""
        return history_digest(self.collaboration, self.sequence, self.sealed)


def read_database(path: Path, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Rows of SQLite's file, in a view of its own."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def kept_history(path: Path, collaboration: str) -> KeptHistory:
    """The newest."""
    statement = "SELECT sequence, sealed FROM difference_states WHERE collaboration = ?"
    ((sequence, sealed),) = read_database(path, statement, collaboration)
    return KeptHistory(collaboration, sequence, sealed)


def chained(collaboration: str, releases: list[dict[str, Any]]) -> list[str]:
    """Follow threshold releases from the empty history on; every one must be met. The digests, first to last."""
    moves = [release["body"]["history"] for release in releases]
    following = {move["before"]: move["after"] for move in moves if move["after"]}
    assert len(following) == sum(bool(move["after"]) for move in moves), "two releases start from one history"
    digests = [history_digest(collaboration, 0, b"")]
    while digests[-1] in following:
        digests.append(following[digests[-1]])
    assert len(digests) == len(following) + 1
    assert len(set(digests)) == len(digests)
    return digests
