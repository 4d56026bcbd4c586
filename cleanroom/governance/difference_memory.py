"""What workers remember of a collaboration's releases: the state in force, and the one prepared for the next release.

A state is sealed under a key that the owners have and the service has not. It is kept as prepared before any owner's
broker is asked to commit to it, so that whatever an owner committed to is here when a process dies in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from cleanroom.errors import Conflict, NotFound, StateMoved
from cleanroom.governance.tables import DifferenceStateRow

LOST = "lost"  # of releases before 0002: sealed under the key of a worker that is no more


@dataclass(frozen=True)
class PreparedState:
    """What a worker will remember once its release is out, made from the state `base` (None: from nothing)."""

    base: str | None
    id: str
    sealed: bytes = field(repr=False)


@dataclass(frozen=True)
class DifferenceState:
    """The states that a worker may start from, as (id, sealed), oldest first."""

    collaboration: str
    candidates: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the candidates."""
        return tuple(state_id for state_id, _ in self.candidates)


def memory(session: Session, collaboration: str) -> DifferenceState:
    """As it is now. Raises NotFound."""
    row = _row(session, collaboration)
    candidates = []
    if row.state_id is not None:
        candidates.append((row.state_id, row.sealed))
    if row.pending_id is not None:
        candidates.append((row.pending_id, row.pending_sealed or b""))
    return DifferenceState(collaboration, tuple(candidates))


def prepare_state(session: Session, collaboration: str, state: PreparedState, seen: tuple[str, ...]) -> None:
    """Keep a state beside the one in force. Raises StateMoved unless the memory is as the worker has seen it.

    A state that was prepared before and that this one is made from is in force from now on: an owner may have
    committed to it.
    """
    row = _row(session, collaboration)
    if memory(session, collaboration).ids != seen:
        raise _moved()
    if row.pending_id is not None and state.base == row.pending_id:
        row.state_id, row.sealed = row.pending_id, row.pending_sealed or b""
    if state.base != row.state_id:
        raise _moved()
    row.pending_id, row.pending_sealed = state.id, state.sealed


def move_state(session: Session, collaboration: str, state_id: str) -> None:
    """A prepared state is in force. Raises StateMoved when it is not the one that was prepared last."""
    row = _row(session, collaboration)
    if row.pending_id != state_id:
        raise _moved()
    row.state_id, row.sealed = state_id, row.pending_sealed or b""
    row.pending_id, row.pending_sealed = None, None


def require_memory(session: Session, collaboration: str) -> None:
    """Raise Conflict when earlier releases cannot be remembered: nothing new may be compared with nothing."""
    if _row(session, collaboration).state_id == LOST:
        raise Conflict(
            "what this collaboration released under an earlier version is sealed under a key that is no more; "
            "nothing was charged",
            hint="found a new collaboration for questions without noise",
        )


def _row(session: Session, collaboration: str) -> DifferenceStateRow:
    row = session.get(DifferenceStateRow, collaboration)
    if row is None:
        raise NotFound("there is no such collaboration", hint="check the collaboration's id")
    return row


def _moved() -> StateMoved:
    return StateMoved(
        "another query of the collaboration came first; nothing was stored",
        hint="run the query again on the newer state; its charge stands",
    )
