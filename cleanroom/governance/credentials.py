"""What an API key looks like, how it is stored, and how a presented one is told from a wrong one.

Stored is HMAC-SHA256 under the service's pepper. Every cause of refusal takes the same path and gets the same words.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cleanroom.errors import NotAuthorised
from cleanroom.governance.pepper import Pepper
from cleanroom.governance.principal import MemberRole, Principal, PrincipalKind
from cleanroom.governance.room_ids import random_text
from cleanroom.governance.secret_text import Secret
from cleanroom.governance.tables import CredentialRow, MemberRow

KEY = re.compile(r"mrk_([a-z2-7]{16})_([a-z2-7]{52})")
LONGEST_DAYS = 366
_PURPOSE = "api key"
_NO_KEY = f"mrk_{'a' * 16}_{'a' * 52}"


@dataclass(frozen=True)
class IssuedKey:
    """A new key; this is the only time it can be read."""

    id: str
    key: Secret
    expires: datetime


@dataclass(frozen=True)
class Holder:
    """Whose a key is to be."""

    kind: PrincipalKind
    collaboration: str | None = None
    member: str | None = None
    label: str = ""


def issue_key(
    session: Session, pepper: Pepper, holder: Holder, *, lasts: timedelta, now: datetime
) -> IssuedKey:
    """Make a key and store its hash within the caller's transaction."""
    key_id = random_text(10)
    key = f"mrk_{key_id}_{random_text(32)}"
    expires = now + lasts
    session.add(
        CredentialRow(
            id=key_id,
            kind=str(holder.kind),
            collaboration=holder.collaboration,
            member=holder.member,
            label=holder.label,
            key_hash=pepper.keyed_hash(_PURPOSE, key),
            created=now,
            expires=expires,
        )
    )
    return IssuedKey(key_id, Secret(key), expires)


def find_principal(session: Session, pepper: Pepper, key: str, *, now: datetime) -> Principal:
    """Whose key it is. Raises NotAuthorised, with the same words for every cause."""
    shape = KEY.fullmatch(key) if len(key) < 200 else None
    row = session.get(CredentialRow, shape[1]) if shape else None
    offered = pepper.keyed_hash(_PURPOSE, key if shape else _NO_KEY)
    genuine = hmac.compare_digest(offered, row.key_hash if row else bytes(32))
    if row is None or not genuine or row.expires <= now or (row.ended is not None and row.ended <= now):
        raise not_authorised()
    roles: frozenset[MemberRole] = frozenset()
    if row.kind == PrincipalKind.MEMBER:
        member = session.get(MemberRow, (row.collaboration, row.member))
        if member is None or member.removed is not None:
            raise not_authorised()
        roles = frozenset(MemberRole(role) for role in member.roles)
    return Principal(PrincipalKind(row.kind), row.member or row.kind, row.collaboration, roles, row.id)


def not_authorised() -> NotAuthorised:
    """The one refusal of credentials."""
    return NotAuthorised(
        "the credentials are missing, wrong, expired or revoked",
        hint="use a valid API key or sign in again; a member asks for a new key with its signing key",
    )
