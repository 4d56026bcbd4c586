"""What comes to a broker from the network: who wants keys for what, and the proof. Nothing of it is believed yet."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cleanroom.broker.refusal import refused
from cleanroom.errors import KeyRefused
from cleanroom.worker.statement import Statement, nonces_from

MOST_ATTESTATION_LETTERS = 64 * 1024


@dataclass(frozen=True)
class KeyRequest:
    """A worker's statement, its attestation document, and every owner's nonce that the attestation was made with."""

    statement: Statement
    attestation: bytes
    nonces: Mapping[str, bytes]

    @classmethod
    def of(cls, plain: object) -> KeyRequest:
        """From plain JSON values; names besides the three are not looked at. Raises KeyRefused."""
        try:
            return _read(plain)
        except (KeyRefused, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise refused() from None


def told(statement: Statement) -> dict[str, Any]:
    """What the log says of a statement."""
    return {
        "collaboration": statement.collaboration,
        "query_id": statement.query_id,
        "asker": statement.asker,
        "statement": statement.digest().hex(),
    }


def _read(plain: Any) -> KeyRequest:
    text = plain["attestation"]
    if not isinstance(text, str) or len(text) > MOST_ATTESTATION_LETTERS:
        raise TypeError("not an attestation")
    attestation = base64.b64decode(text, validate=True)
    return KeyRequest(Statement.of(plain["statement"]), attestation, nonces_from(plain["nonces"]))
