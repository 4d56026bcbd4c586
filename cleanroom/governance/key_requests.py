"""A new API key for a member whose keys are lost, stolen or expired, in exchange for its signature.

The signed request names the moment and is good for five minutes and for one use.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cleanroom.errors import SignatureInvalid
from cleanroom.governance.api_keys import DEFAULT_DAYS
from cleanroom.governance.audit_log import AuditLog, Note
from cleanroom.governance.credentials import Holder, IssuedKey, issue_key
from cleanroom.governance.party_signatures import open_signed
from cleanroom.governance.pepper import Pepper
from cleanroom.governance.principal import PrincipalKind
from cleanroom.governance.store import Store
from cleanroom.governance.tables import CredentialRow, IdempotencyRow, MemberRow
from privacy.canonical_json import digest_of
from privacy.party_keys import PublicKeys

KEY_REQUEST = "key request"
GOOD_FOR = timedelta(minutes=5)


def key_request_body(collaboration: str, member: str, *, end_others: bool, now: datetime) -> dict[str, Any]:
    """Signed by the member as a document of the kind "key request". `end_others`: all other keys end."""
    moment = now.astimezone(UTC).isoformat(timespec="microseconds")
    return {"collaboration": collaboration, "member": member, "end_others": end_others, "at": moment}


class KeyRequests:
    """Answers signed requests; no login is needed."""

    def __init__(self, store: Store, pepper: Pepper, audit: AuditLog) -> None:
        self._store = store
        self._pepper = pepper
        self._audit = audit

    def answer(self, document: Mapping[str, Any], *, now: datetime) -> IssuedKey:
        """A new key. Raises SignatureInvalid for a request that is not the member's, old, or used."""

        def work(session: Session) -> IssuedKey:
            member, body = _open(session, document, now)
            _use_up(session, member, document, now)
            if body["end_others"]:
                _end_all(session, member, now)
            holder = Holder(PrincipalKind.MEMBER, member.collaboration, member.name, "asked for by signature")
            issued = issue_key(session, self._pepper, holder, lasts=timedelta(days=DEFAULT_DAYS), now=now)
            details = {"key": issued.id, "ended_others": body["end_others"]}
            self._audit.append(
                session, Note(member.collaboration, member.name, "key issued", details), now=now
            )
            return issued

        self._store.read(
            lambda session: _open(session, document, now)
        )  # strangers do not get to take a writer's turn
        return self._store.write(work)


def _open(session: Session, document: object, now: datetime) -> tuple[MemberRow, dict[str, Any]]:
    asked = document.get("body") if isinstance(document, Mapping) else None
    if not isinstance(asked, Mapping):
        raise _refused()
    place = (str(asked.get("collaboration")), str(asked.get("member")))
    member = session.get(MemberRow, place)
    if member is None or member.removed is not None:
        raise _refused()  # who is a member is not for strangers to find out
    body = open_signed(document, kind=KEY_REQUEST, keys=PublicKeys.of(member.keys))
    try:
        moment = datetime.fromisoformat(body["at"])
        expected = key_request_body(*place, end_others=bool(body["end_others"]), now=moment)
        fresh = abs(now - moment) <= GOOD_FOR
    except (KeyError, TypeError, ValueError) as error:
        raise _refused() from error
    if body != expected or not fresh:
        raise _refused()
    return member, body


def _use_up(session: Session, member: MemberRow, document: Mapping[str, Any], now: datetime) -> None:
    """A request stays used for longer than it is good for: a day, like every key of a repeated request."""
    row = (f"{KEY_REQUEST} {member.collaboration}/{member.name}", digest_of(document["body"]))
    if session.get(IdempotencyRow, row) is not None:
        raise _refused()
    session.add(
        IdempotencyRow(principal=row[0], key=row[1], request_digest="", status=201, body={}, created=now)
    )


def _end_all(session: Session, member: MemberRow, now: datetime) -> None:
    keys = session.scalars(
        select(CredentialRow).where(
            CredentialRow.collaboration == member.collaboration, CredentialRow.member == member.name
        )
    )
    for key in keys:
        key.ended = now if key.ended is None else min(now, key.ended)


def _refused() -> SignatureInvalid:
    return SignatureInvalid(
        "this is not a fresh request for a key, signed by the member",
        hint="see that this machine's clock is right, and sign a new request",
    )
