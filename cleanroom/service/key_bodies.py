"""API keys, founding codes and linked identities as requests and answers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, Field

from cleanroom.governance.api_keys import KeyView
from cleanroom.governance.credentials import IssuedKey
from cleanroom.governance.principal import PrincipalKind
from cleanroom.service.answer_bodies import ONLY_NUMBERS, Answered, Asked

Days = Annotated[int, Field(ge=1, le=366), ONLY_NUMBERS]


class KeyAsked(Asked):
    """One more key of the caller's."""

    label: Annotated[str, Field(max_length=100, pattern="^[ -~]*$")] = ""
    days: Days = 90


class RotationAsked(Asked):
    """A new key; the one that made the request ends after the grace."""

    grace_hours: Annotated[int, Field(ge=0, le=720), ONLY_NUMBERS] = 0
    days: Days = 90


class FoundingAsked(Asked):
    """A code with which somebody may found one collaboration."""

    days: Days = 7


class KeyIssuedBody(Answered):
    """A new key, shown this once."""

    id: str
    key: str
    expires: datetime

    @classmethod
    def of(cls, issued: IssuedKey) -> KeyIssuedBody:
        """From the value; opens the secret."""
        return cls(id=issued.id, key=issued.key.reveal(), expires=issued.expires)


class KeyLine(BaseModel):
    """A key without its secret."""

    id: str
    kind: PrincipalKind
    label: str
    created: datetime
    expires: datetime
    ended: datetime | None
    last_used: date | None

    @classmethod
    def of(cls, view: KeyView) -> KeyLine:
        """From the view."""
        return cls(**vars(view))


class KeysBody(Answered):
    """All keys that the caller may revoke, newest first."""

    keys: list[KeyLine]


class OidcLinkAsked(Asked):
    """A signed identity token of the person who is to act as this member."""

    token: Annotated[str, Field(max_length=16_000, pattern="^[!-~]+$")]
