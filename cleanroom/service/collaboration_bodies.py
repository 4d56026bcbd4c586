"""Collaborations, members and invitations as answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from cleanroom.governance.collaborations import CollaborationView, Joined, MemberView
from cleanroom.governance.invitations import InvitationPreview, InvitationView, IssuedInvitation
from cleanroom.governance.principal import MemberRole
from cleanroom.service.answer_bodies import ONLY_NUMBERS, Answered, Asked
from cleanroom.service.signed_bodies import SignedDocument


class IdentityBody(BaseModel):
    """How people are recognised across tables; the key itself never reaches the service."""

    kind: str
    rule: str
    tag: str


class MemberBody(BaseModel):
    """A party and the public keys with which its signatures are verified."""

    name: str
    roles: list[MemberRole]
    keys: dict[str, str]
    fingerprint: str
    joined: datetime
    removed: datetime | None

    @classmethod
    def of(cls, member: MemberView) -> MemberBody:
        """From the view."""
        return cls(
            name=member.name,
            roles=sorted(member.roles),
            keys=member.keys.to_plain(),
            fingerprint=member.fingerprint,
            joined=member.joined,
            removed=member.removed,
        )


class CollaborationContent(BaseModel):
    """A collaboration as its members see it."""

    id: str
    name: str
    founder: str
    identity: IdentityBody
    created: datetime
    terms_digest: str
    terms_document: dict[str, Any]
    next_sequence: int
    members: list[MemberBody]


class CollaborationBody(Answered, CollaborationContent):
    """One collaboration. `next_sequence` goes into the signature of the next proposal."""


class JoinedBody(Answered):
    """The caller is in. The key is shown this once."""

    collaboration: CollaborationContent
    member: MemberBody
    key_id: str
    api_key: str
    expires: datetime

    @classmethod
    def of(cls, joined: Joined) -> JoinedBody:
        """From the view; opens the secret."""
        return cls(
            collaboration=CollaborationContent(**collaboration_fields(joined.collaboration)),
            member=MemberBody.of(joined.member),
            key_id=joined.api_key.id,
            api_key=joined.api_key.key.reveal(),
            expires=joined.api_key.expires,
        )


class CollaborationLine(BaseModel):
    """All that the operator learns of a collaboration."""

    id: str
    created: datetime
    members: int


class CollaborationsBody(Answered):
    """A member's own collaboration; every one's id for the operator."""

    collaborations: list[CollaborationLine]


class RecordBody(Answered):
    """Everything that was signed, for verification without the service."""

    record: dict[str, Any]


class InvitationAsked(Asked):
    """An invitation for a membership that is in force."""

    proposal: Annotated[str, Field(pattern="^pro-[a-z2-7]{16}$")]
    days: Annotated[int, Field(ge=1, le=30), ONLY_NUMBERS] = 7


class InvitationIssuedBody(Answered):
    """The code is shown this once; it goes to the invited party outside the service."""

    id: str
    code: str
    member: str
    roles: list[MemberRole]
    expires: datetime

    @classmethod
    def of(cls, issued: IssuedInvitation) -> InvitationIssuedBody:
        """From the value; opens the secret."""
        return cls(
            id=issued.id,
            code=issued.code.reveal(),
            member=issued.member,
            roles=sorted(issued.roles),
            expires=issued.expires,
        )


class InvitationLine(BaseModel):
    """An invitation without its code; `state` is open, accepted, revoked or expired."""

    id: str
    proposal: str
    member: str
    issued_by: str
    created: datetime
    expires: datetime
    state: str

    @classmethod
    def of(cls, view: InvitationView) -> InvitationLine:
        """From the view."""
        return cls(**vars(view))


class InvitationsBody(Answered):
    """All invitations."""

    invitations: list[InvitationLine]


class CodeAsked(Asked):
    """An invitation's code."""

    code: Annotated[str, Field(max_length=200, pattern="^[!-~]+$")]


class AcceptanceAsked(Asked):
    """An invitation's code and the signed acceptance."""

    code: Annotated[str, Field(max_length=200, pattern="^[!-~]+$")]
    document: SignedDocument


class InvitationPreviewBody(Answered):
    """What the invited party signs over."""

    collaboration: str
    terms_document: dict[str, Any]
    terms_digest: str
    member: str
    roles: list[MemberRole]
    expires: datetime

    @classmethod
    def of(cls, preview: InvitationPreview) -> InvitationPreviewBody:
        """From the value."""
        return cls(**{**vars(preview), "roles": sorted(preview.roles)})


def collaboration_fields(view: CollaborationView) -> dict[str, Any]:
    """The fields of a collaboration's answer."""
    return {
        **vars(view),
        "identity": IdentityBody(**vars(view.identity)),
        "members": [MemberBody.of(member) for member in view.members],
    }
