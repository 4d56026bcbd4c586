"""The rollback counter: the newest difference state that this party committed to, per collaboration.

The file also names the newest line of the release log that it knows of. The two are written one after the other, so
each shows when the other was put back: a register that is older than the log's commits, a log that lacks the
register's line. The party's own machine refuses to go on then, and a worker accepts no state older than the register's.

Not covered: register and log put back together, to the same moment. The other owners' registers still notice.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cleanroom.broker.charge_book import ChargeBook
from cleanroom.broker.private_files import read_private, write_private
from cleanroom.errors import HomeUnusable, StateMoved, StateRolledBack
from privacy.ledger.chained_line import Record

FORMAT = "mixroom-state-register/1"


@dataclass(frozen=True)
class CommittedState:
    """The state committed to, and the one before it (None: it was the first)."""

    id: str
    previous: str | None


@dataclass(frozen=True)
class _Register:
    """`sequence` and `digest`: of the newest known line of the log; -1 before the first."""

    sequence: int
    digest: str
    committed: dict[str, CommittedState]


class StateRegister:
    """The file at `path`. Only the running broker writes it."""

    def __init__(self, path: Path) -> None:
        """Raises HomeUnusable when the file is damaged. One that is not there yet is empty."""
        self._path = path
        self._register = _read(path)

    def committed(self, collaboration: str) -> str | None:
        """The newest committed state's id; None before the first."""
        state = self._register.committed.get(collaboration)
        return None if state is None else state.id

    def commit(self, collaboration: str, *, previous: str | None, following: str) -> None:
        """`following` in place of `previous`, on the disk once this returns. StateMoved when it is another one now."""
        if self.committed(collaboration) != previous or following == previous:
            raise StateMoved(
                "another state was committed meanwhile; nothing was changed", hint="run the query again"
            )
        committed = {**self._register.committed, collaboration: CommittedState(following, previous)}
        self._write(replace(self._register, committed=committed))

    def note(self, record: Record) -> None:
        """The log has come this far, on the disk once this returns."""
        self._write(replace(self._register, sequence=record.sequence, digest=record.digest))

    def require_agreement(self, book: ChargeBook) -> dict[str, CommittedState]:
        """The commits that the log lacks, because a crash came between the two. Raises StateRolledBack."""
        register = self._register
        if register.sequence < 0 and (book.released or book.committed):
            raise _rolled_back(self._path, "is missing, and the log says that there was one")
        if register.sequence >= 0 and book.digests[register.sequence :][:1] != [register.digest]:
            raise _rolled_back(self._path.parent, "holds a log that lacks what was written to it")
        unlogged = {}
        for collaboration in {*register.committed, *book.committed}:
            known, logged = register.committed.get(collaboration), book.committed.get(collaboration)
            if known is not None and known.id != logged and known.previous == logged:
                unlogged[collaboration] = known
            elif known is None or known.id != logged:
                raise _rolled_back(self._path, "is older than the log, or of another home")
        return unlogged

    def _write(self, register: _Register) -> None:
        plain = {"format": FORMAT, **asdict(register)}
        write_private(self._path, json.dumps(plain, indent=1).encode() + b"\n")
        self._register = register


def _read(path: Path) -> _Register:
    try:
        plain = json.loads(read_private(path))
        if plain["format"] != FORMAT:
            raise ValueError("another format")
        committed = {name: CommittedState(**state) for name, state in plain["committed"].items()}
        return _Register(int(plain["sequence"]), str(plain["digest"]), committed)
    except FileNotFoundError:
        return _Register(-1, "", {})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise HomeUnusable(
            f"{path} is damaged; no key was released",
            hint="restore the newest copy of the broker's whole folder",
        ) from error


def _rolled_back(path: Path, what: str) -> StateRolledBack:
    return StateRolledBack(
        f"{path} {what}: what was released since would be forgotten; no key was released",
        hint="restore the newest copy of the broker's whole folder, log included, from one moment",
    )
