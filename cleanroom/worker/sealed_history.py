"""What a collaboration has released so far, between two queries: sealed under a key that only its owners have.

A state's id is random. Its lineage names, for every owner, the states from the last one that this owner is known to
have committed to up to the newest that its data took part in. An owner's broker tells with each grant what it has
committed to; a state is taken only if it comes after that, for every owner that is involved.

Guarantee: without the state key nothing but a length shows; an older state, one of a branch that an involved owner
    does not know, or one of another collaboration is refused.
Not covered: an owner that works together with the service. It has the key and can write any history, and read from
    it what people whose tokens it knows added to releases; what it cannot do is open another owner's tables. Releases
    without an owner's data bind nobody of whom they hold nothing.
"""

from __future__ import annotations

import json
import secrets
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cleanroom.errors import QueryFailed, StateRolledBack
from cleanroom.release.history import History
from cleanroom.worker.job import SealedState
from cleanroom.worker.key_exchange import STATE_ID
from privacy.canonical_json import canonical_json
from privacy.errors import PrivacyError
from privacy.sealing import new_key, open_bytes, seal_bytes

SMALLEST_STATE = 64 * 1024
MOST_CANDIDATES = 8
ID_BYTES = 32
_LENGTH = struct.Struct(">Q")

Lineage = Mapping[str, tuple[str, ...]]
Committed = Mapping[str, str | None]  # involved owner -> the newest state that its broker knows of


@dataclass(frozen=True)
class StatePlace:
    """Which collaboration's states, and the key that they are sealed under, which never prints."""

    collaboration: str
    key: bytes = field(repr=False)

    def context(self, state_id: str) -> dict[str, str]:
        """What one state's seal is bound to."""
        return {"purpose": "difference state", "collaboration": self.collaboration, "id": state_id}


@dataclass(frozen=True)
class KnownState:
    """An opened state; `id` is None before the first release."""

    id: str | None
    history: History = field(repr=False)
    lineage: Lineage = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lineage", MappingProxyType(dict(self.lineage)))

    @property
    def is_full(self) -> bool:
        """Whether it holds as many numbers as can be checked against each other."""
        return min(self.history.room_left().values(), default=1) <= 0

    def follows(self, committed: Committed) -> bool:
        """Whether no involved owner has committed to a state that this one does not come after, or is."""
        return all(
            state is None or state in self.lineage.get(owner, ()) for owner, state in committed.items()
        )


def open_state(
    place: StatePlace, candidates: Sequence[tuple[str, bytes]], committed: Committed
) -> KnownState:
    """The newest candidate that fits what the involved owners committed to; `candidates` come oldest first.

    Without any candidate, an empty history, if no involved owner has committed to a state. Raises StateRolledBack.
    """
    if not candidates and all(state is None for state in committed.values()):
        return KnownState(None, History.new(new_key()))
    for state_id, sealed in reversed(candidates[-MOST_CANDIDATES:]):
        known = _opened(place, state_id, sealed)
        if known is not None and known.follows(committed):
            return known
    raise StateRolledBack(
        "the record of earlier releases does not open, or is older than what owners committed to; nothing was released",
        hint="find out what was put back, the service's database or an owner's broker, and restore its newest copy",
    )


def seal_state(place: StatePlace, base: KnownState, committed: Committed, after: History) -> SealedState:
    """The state after a release that `committed`'s owners took part in.

    Its bytes are others every time, whether or not the history grew, and their number is a power of two from 64 KiB
    on. Not covered: whoever sees the service's database sees when that number doubles, which says how much was
    released in all, roughly.
    """
    state_id = secrets.token_hex(ID_BYTES)
    lineage = dict(base.lineage)
    for owner, state in committed.items():
        known = base.lineage.get(owner, ())
        start = 0 if state is None else known.index(state)
        lineage[owner] = (*known[start:], state_id)
    content = _padded(_written(lineage, after))
    return SealedState(base.id, state_id, seal_bytes(place.key, content, place.context(state_id)))


def _opened(place: StatePlace, state_id: str, sealed: bytes) -> KnownState | None:
    """None for what is not a state of this place under this id: another candidate may be."""
    if not STATE_ID.fullmatch(state_id):
        return None
    try:
        content = open_bytes(place.key, sealed, place.context(state_id))
        lineage, history = _read(_unpadded(content))
    except (PrivacyError, QueryFailed, struct.error, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return KnownState(state_id, history, lineage)


def _written(lineage: Lineage, history: History) -> bytes:
    text = canonical_json(lineage)
    return _LENGTH.pack(len(text)) + text + history.to_bytes()


def _read(content: bytes) -> tuple[Lineage, History]:
    (length,) = _LENGTH.unpack_from(content)
    end = _LENGTH.size + length
    lineage = {owner: tuple(ids) for owner, ids in json.loads(content[_LENGTH.size : end]).items()}
    return lineage, History.from_bytes(content[end:])


def _padded(content: bytes) -> bytes:
    """Length, content, zeros. The seal adds a constant number of bytes."""
    size = max(SMALLEST_STATE, 1 << (_LENGTH.size + len(content) - 1).bit_length())
    return (_LENGTH.pack(len(content)) + content).ljust(size, b"\0")


def _unpadded(content: bytes) -> bytes:
    (length,) = _LENGTH.unpack_from(content)
    return content[_LENGTH.size : _LENGTH.size + length]
