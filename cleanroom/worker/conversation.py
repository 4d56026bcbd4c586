"""What the service and a worker say to each other, in order, and in which form. Nothing else passes between them.

    service: a job, the owners' nonces; open files of the sealed tables, in the job's order   -> JobMessage
    worker:  what it asks keys for, and the attestation document that vouches for it           -> StatementMessage
    service: every owner's grant, sealed for the worker                                        -> texts "grants"
    worker:  the state that its release leads to, and its wish that owners commit to it        -> StateMessage
    service: every owner's confirmation                                                        -> texts "confirmations"
    worker:  the signed release                                                                -> "release"

Without a history (noised or presented anew) the two messages about states are left out. In place of any of its
messages the worker may send a refusal: one of a few codes in words that hold no data. Each message is one JSON object.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from cleanroom.errors import KeyRefused, QueryFailed, RoomError, SealedTableBroken, StateRolledBack
from cleanroom.worker.job import Job, SealedState
from cleanroom.worker.statement import MOST_TABLES, nonces_from, plain_nonces
from privacy.canonical_json import canonical_json
from privacy.errors import NotCanonical

Value = TypeVar("Value")
_REFUSALS = {kind.code: kind for kind in (QueryFailed, SealedTableBroken, KeyRefused, StateRolledBack)}
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)


@dataclass(frozen=True)
class JobMessage:
    """What opens the conversation. What the job may use is not the service's to say: a limit just met would tell."""

    job: Job
    nonces: Mapping[str, bytes]

    def to_bytes(self) -> bytes:
        """As it travels. Raises QueryFailed when the job holds anything but JSON values."""
        plain = {"job": self.job.to_plain(), "nonces": plain_nonces(self.nonces)}
        try:
            return canonical_json(plain)
        except NotCanonical as error:
            raise unreadable() from error

    @classmethod
    def of(cls, content: bytes) -> JobMessage:
        """Raises QueryFailed for anything that `to_bytes` does not write."""
        plain = _parts(content, {"job", "nonces"})
        try:
            nonces = nonces_from(plain["nonces"])
        except _UNREADABLE:
            raise unreadable() from None
        return cls(Job.of(plain["job"]), nonces)


@dataclass(frozen=True)
class StatementMessage:
    """What the worker asks keys for; the host reads both only to carry them to brokers."""

    statement: Mapping[str, Any]
    attestation: bytes

    def to_bytes(self) -> bytes:
        """As it travels."""
        return _written({"statement": dict(self.statement), "attestation": _text(self.attestation)})

    @classmethod
    def of(cls, content: bytes) -> StatementMessage:
        """Raises QueryFailed, or the refusal that came in its place."""
        plain = _parts(content, {"statement", "attestation"})
        try:
            return cls(dict(_mapping(plain["statement"])), _bytes(plain["attestation"]))
        except _UNREADABLE:
            raise unreadable() from None


@dataclass(frozen=True)
class StateMessage:
    """The next state, sealed, and the signed document that asks owners to commit to it."""

    state: SealedState
    commit: Mapping[str, Any]

    def to_bytes(self) -> bytes:
        """As it travels."""
        state = {"base": self.state.base, "id": self.state.id, "sealed": _text(self.state.sealed)}
        return _written({"state": state, "commit": dict(self.commit)})

    @classmethod
    def of(cls, content: bytes) -> StateMessage:
        """Raises QueryFailed, or the refusal that came in its place."""
        plain = _parts(content, {"state", "commit"})
        try:
            state = _mapping(plain["state"])
            base = None if state["base"] is None else _word(state["base"])
            sealed = SealedState(base, _word(state["id"]), _bytes(state["sealed"]))
            return cls(sealed, dict(_mapping(plain["commit"])))
        except _UNREADABLE:
            raise unreadable() from None


def grants_to_bytes(grants: Mapping[str, bytes]) -> bytes:
    """owner -> sealed grant, as it travels."""
    return _written({"grants": {owner: _text(grant) for owner, grant in grants.items()}})


def grants_from(content: bytes) -> dict[str, bytes]:
    """What `grants_to_bytes` wrote. Raises QueryFailed."""
    return _by_owner(content, "grants", _bytes)


def confirmations_to_bytes(confirmations: Mapping[str, str]) -> bytes:
    """owner -> confirmation, as it travels."""
    return _written({"confirmations": dict(confirmations)})


def confirmations_from(content: bytes) -> dict[str, str]:
    """What `confirmations_to_bytes` wrote. Raises QueryFailed."""
    return _by_owner(content, "confirmations", _word)


def release_to_bytes(release: Mapping[str, Any]) -> bytes:
    """The signed release, as it travels."""
    return _written({"release": dict(release)})


def release_from(content: bytes) -> dict[str, Any]:
    """What `release_to_bytes` wrote. Raises QueryFailed, or the refusal that came in its place."""
    plain = _parts(content, {"release"})
    try:
        return dict(_mapping(plain["release"]))
    except _UNREADABLE:
        raise unreadable() from None


def refusal_to_bytes(error: RoomError) -> bytes:
    """A refusal, as it travels; whatever is none of the few kinds is told as a failure without a reason."""
    told = error if type(error) in _REFUSALS.values() else stopped()
    return _written({"error": told.code, "message": str(told), "hint": told.hint})


def stopped() -> QueryFailed:
    """What is told of a failure that nobody foresaw: its own words may quote a row."""
    return QueryFailed("the worker stopped; nothing was released", hint="ask the operator")


def unreadable() -> QueryFailed:
    """The one refusal of a message that is not the one that is due."""
    return QueryFailed(
        "service and worker do not understand each other; nothing was released",
        hint="service and worker differ in version",
    )


def _parts(content: bytes, names: set[str]) -> Mapping[str, Any]:
    """The object's parts, exactly these. Raises what a refusal says, if it is one."""
    try:
        plain = _mapping(json.loads(content))
        if set(plain) == {"error", "message", "hint"}:
            _raise_refusal(plain)
        if set(plain) != names:
            raise ValueError("another message")
    except _UNREADABLE:
        raise unreadable() from None
    return plain


def _raise_refusal(plain: Mapping[str, Any]) -> NoReturn:
    kind = _REFUSALS[_word(plain["error"])]
    raise kind(_word(plain["message"]), hint=_word(plain["hint"]))


def _by_owner(content: bytes, name: str, read: Callable[[object], Value]) -> dict[str, Value]:
    plain = _parts(content, {name})
    try:
        given = _mapping(plain[name])
        if len(given) > MOST_TABLES:
            raise ValueError("too many owners")
        return {_word(owner): read(value) for owner, value in given.items()}
    except _UNREADABLE:
        raise unreadable() from None


def _written(plain: Mapping[str, Any]) -> bytes:
    return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode()


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("not a mapping")
    return value


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: object) -> bytes:
    return base64.b64decode(_word(text), validate=True)
