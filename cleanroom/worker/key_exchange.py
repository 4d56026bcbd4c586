"""What owners' brokers and an attested worker tell each other: grants of keys, commits of states, confirmations.

A grant is sealed for the worker's attested key and bound to one owner and one statement. The state key is the same
for all owners of a collaboration, because each derives it from the identity key that they share; neither the service
nor an analyst has that.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from cleanroom.errors import KeyRefused
from privacy.canonical_json import canonical_json
from privacy.errors import NotCanonical
from privacy.sealing import KEY_BYTES, derive_key

GRANT_FORMAT = "mixroom-grant/1"
COMMIT_KIND = "state commit"
LARGEST_GRANT = 64 * 1024
STATE_ID = re.compile(r"[0-9a-f]{64}")  # 32 random bytes
_COMMIT_PARTS = frozenset({"collaboration", "query_id", "statement", "previous", "next"})


@dataclass(frozen=True)
class Grant:
    """What an owner gives a worker for one statement. No key of it ever prints.

    dataset_keys: version -> data key of the owner's tables; none when cells are presented anew.
    committed: the id of the newest difference state that the owner knows of; None before the first.
    confirm_key: with it the owner's broker says later that it has committed the next state.
    approval: the owner's signed word for whoever verifies the release (`key_approval`).
    """

    dataset_keys: Mapping[str, bytes] = field(repr=False)
    state_key: bytes = field(repr=False)
    committed: str | None
    confirm_key: bytes = field(repr=False)
    approval: Mapping[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "dataset_keys", MappingProxyType(dict(self.dataset_keys)))
        keys = (*self.dataset_keys.values(), self.state_key, self.confirm_key)
        if any(len(key) != KEY_BYTES for key in keys):
            raise grant_refused()
        if self.committed is not None and not STATE_ID.fullmatch(self.committed):
            raise grant_refused()

    def to_bytes(self) -> bytes:
        """What is sealed for the worker."""
        return canonical_json(
            {
                "format": GRANT_FORMAT,
                "dataset_keys": {version: _text(key) for version, key in self.dataset_keys.items()},
                "state_key": _text(self.state_key),
                "committed": self.committed,
                "confirm_key": _text(self.confirm_key),
                "approval": dict(self.approval),
            }
        )

    @classmethod
    def of(cls, content: bytes) -> Grant:
        """From what `to_bytes` gave. Raises KeyRefused for anything else."""
        try:
            if len(content) > LARGEST_GRANT:
                raise ValueError("too large")
            grant = _read_grant(json.loads(content))
            if grant.to_bytes() != content:
                raise ValueError("another spelling")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, NotCanonical):
            raise grant_refused() from None
        return grant


@dataclass(frozen=True)
class Commit:
    """A worker's wish, signed with its attested key, that owners commit to the state its release leads to.

    statement: digest of the statement, in hexadecimal digits. previous: owner -> what it had committed when it
    granted its keys. next: the new state's id.
    """

    collaboration: str
    query_id: str
    statement: str
    previous: Mapping[str, str | None]
    next: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "previous", MappingProxyType(dict(self.previous)))

    def body(self) -> dict[str, Any]:
        """What is signed, as a document of kind COMMIT_KIND."""
        return {
            "collaboration": self.collaboration,
            "query_id": self.query_id,
            "statement": self.statement,
            "previous": dict(self.previous),
            "next": self.next,
        }

    @classmethod
    def of(cls, body: object) -> Commit:
        """From the body of an opened document. Raises KeyRefused for anything else."""
        try:
            return _read_commit(body)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise KeyRefused(
                "this is no wish to commit a state; nothing was committed", hint="ask again"
            ) from None


def grant_context(owner: str, statement: bytes) -> dict[str, str]:
    """What a grant is bound to when it is sealed. `statement`: `Statement.digest()`."""
    return {"purpose": "key grant", "owner": owner, "statement": statement.hex()}


def confirmation(confirm_key: bytes, next_id: str) -> str:
    """What a broker answers once it has committed `next_id` on its disk, in hexadecimal digits."""
    message = b"mixroom state committed 1\0" + next_id.encode()
    return hmac.new(confirm_key, message, hashlib.sha256).hexdigest()


def is_confirmed(answer: object, confirm_key: bytes, next_id: str) -> bool:
    """Whether this is the confirmation; takes the same time however much of it is right."""
    expected = confirmation(confirm_key, next_id).encode()
    return isinstance(answer, str) and hmac.compare_digest(answer.encode("utf-8", "replace"), expected)


def state_key(identity_secret: bytes, collaboration: str) -> bytes:
    """The key that difference states of a collaboration are sealed under: 32 bytes, known to its owners alone."""
    return derive_key(identity_secret, b"mixroom difference state 1\0" + collaboration.encode())


def grant_refused() -> KeyRefused:
    """The one refusal of a grant that is not what it should be."""
    return KeyRefused("an owner's grant of keys does not fit; nothing was released", hint="ask again")


def _read_grant(plain: object) -> Grant:
    if not isinstance(plain, Mapping):
        raise TypeError("not a mapping")
    rest = dict(plain)
    if rest.pop("format") != GRANT_FORMAT:
        raise ValueError("another format")
    committed, approval = rest.pop("committed"), rest.pop("approval")
    grant = Grant(
        dataset_keys={_word(version): _key(key) for version, key in rest.pop("dataset_keys").items()},
        state_key=_key(rest.pop("state_key")),
        committed=None if committed is None else _word(committed),
        confirm_key=_key(rest.pop("confirm_key")),
        approval=dict(approval),
    )
    if rest:
        raise ValueError("something does not belong there")
    return grant


def _read_commit(body: object) -> Commit:
    if not isinstance(body, Mapping) or set(body) != _COMMIT_PARTS:
        raise TypeError("not these parts")
    previous = {
        _word(owner): None if before is None else _state_id(before)
        for owner, before in body["previous"].items()
    }
    return Commit(
        collaboration=_word(body["collaboration"]),
        query_id=_word(body["query_id"]),
        statement=_state_id(body["statement"]),
        previous=previous,
        next=_state_id(body["next"]),
    )


def _word(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise TypeError("not a text")
    return value


def _state_id(value: object) -> str:
    """64 hexadecimal digits, as a state's id and a digest both have them."""
    if not isinstance(value, str) or not STATE_ID.fullmatch(value):
        raise TypeError("not an id")
    return value


def _key(value: object) -> bytes:
    return base64.b64decode(_word(value), validate=True)


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()
