"""POST requests that may be repeated: with the same `Idempotency-Key`, the first answer comes again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request

from cleanroom.governance.idempotency import StoredResponse
from cleanroom.governance.principal import Principal, PrincipalKind
from cleanroom.service.answer_bodies import Answered
from cleanroom.service.callers import Caller
from cleanroom.service.request_gate import BODY_DIGEST
from cleanroom.service.room_parts import Parts, RoomParts
from privacy.canonical_json import digest_of

Body = TypeVar("Body", bound=Answered)
NOBODY = Principal(PrincipalKind.FOUNDER, "invited", None, frozenset(), "invitation")
RepeatKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,200}$",
        description="A random text of the caller's: a repetition with the same one and the same body is answered "
        "as the first was, and nothing is done twice. Kept for 24 hours.",
        examples=["5f0c6a2e-4d0b-4c1b-9a55-4f9a5b7c1f10"],
    ),
]


@dataclass(frozen=True)
class Once:
    """Does something once per idempotency key; without a key, every time."""

    parts: RoomParts
    caller: Principal
    label: str
    key: str
    request_digest: str

    def __call__(self, shape: type[Body], work: Callable[[], Body], *, holds_secret: bool = False) -> Body:
        """The answer of `work`, or of the request that came with the key before.

        An answer that holds a secret is never stored, so a repetition is done again and may be refused.
        """
        if not self.key:
            return work()
        kept = self.parts.governance.idempotency
        before = kept.claim(self.label, self.key, self.request_digest, now=self.parts.clock())
        if before is not None:
            return shape.model_validate(before.body)
        try:
            body = work()
        except BaseException:
            kept.release(self.label, self.key)
            raise
        if holds_secret:
            kept.release(self.label, self.key)
        else:
            kept.complete(self.label, self.key, StoredResponse(200, body.model_dump(mode="json")))
        return body


def _once(request: Request, parts: Parts, caller: Caller, key: RepeatKey = None) -> Once:
    return Once(parts, caller, caller.label, key or "", _request_digest(request))


def _once_for_anybody(request: Request, parts: Parts, key: RepeatKey = None) -> Once:
    """Callers without a login are told apart by what they send."""
    digest = _request_digest(request)
    label = "invited/" + hashlib.sha256(digest.encode()).hexdigest()
    return Once(parts, NOBODY, label, key or "", digest)


Repeat = Annotated[Once, Depends(_once)]
RepeatByAnybody = Annotated[Once, Depends(_once_for_anybody)]


def _request_digest(request: Request) -> str:
    return digest_of(
        {
            "method": request.method,
            "path": request.url.path,
            "query": request.url.query,
            "body": request.scope.get(BODY_DIGEST, ""),
        }
    )
