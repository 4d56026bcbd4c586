"""Requests that may be repeated: the same key and body get the first answer, and nothing is done twice.

Answers that hold a secret are not given to `complete`: they would be stored in clear.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from cleanroom.errors import Conflict, ProposalInvalid
from cleanroom.governance.store import Store
from cleanroom.governance.tables import IdempotencyRow

LONGEST_KEY = 200
KEPT = timedelta(hours=24)
ABANDONED = timedelta(minutes=30)  # longer than any request runs


@dataclass(frozen=True)
class StoredResponse:
    """What a request was answered."""

    status: int
    body: Mapping[str, Any]


class Idempotency:
    """Keys per caller (`Principal.label`)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(self, principal: str, key: str, request_digest: str, *, now: datetime) -> StoredResponse | None:
        """None: the request is yours to do, then `complete` or `release` it. Otherwise the first answer.

        Raises Conflict when the key came with another request, or its request is still being done.
        """
        if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
            raise ProposalInvalid(
                f"an idempotency key has 1 to {LONGEST_KEY} printable ASCII characters",
                hint="use a random UUID",
            )

        def work(session: Session) -> StoredResponse | None:
            row = session.get(IdempotencyRow, (principal, key))
            if row is not None and not _over(row, now):
                return _answer(row, request_digest)
            if row is not None:
                session.delete(row)
                session.flush()
            session.add(
                IdempotencyRow(principal=principal, key=key, request_digest=request_digest, created=now)
            )
            return None

        return self._store.write(work)

    def complete(self, principal: str, key: str, response: StoredResponse) -> None:
        """Keep the answer for repetitions of the next 24 hours."""

        def work(session: Session) -> None:
            row = session.get(IdempotencyRow, (principal, key))
            if row is not None:
                row.status, row.body = response.status, dict(response.body)

        self._store.write(work)

    def release(self, principal: str, key: str) -> None:
        """Forget a claim whose request changed nothing, so that it may be tried again."""

        def work(session: Session) -> None:
            row = session.get(IdempotencyRow, (principal, key))
            if row is not None and row.status is None:
                session.delete(row)

        self._store.write(work)

    def release_all(self) -> None:
        """On start: forget the claims of requests that died with the process."""
        self._store.write(
            lambda session: session.execute(delete(IdempotencyRow).where(IdempotencyRow.status.is_(None)))
        )

    def purge(self, *, now: datetime) -> None:
        """Forget answers older than 24 hours."""
        self._store.write(
            lambda session: session.execute(delete(IdempotencyRow).where(IdempotencyRow.created < now - KEPT))
        )


def _over(row: IdempotencyRow, now: datetime) -> bool:
    return row.created <= now - (ABANDONED if row.status is None else KEPT)


def _answer(row: IdempotencyRow, request_digest: str) -> StoredResponse:
    if row.request_digest != request_digest:
        raise Conflict(
            "this idempotency key came with another request", hint="use a new key for a new request"
        )
    if row.status is None:
        raise Conflict("the first request with this key is still being done", hint="try again in a moment")
    return StoredResponse(row.status, row.body or {})
