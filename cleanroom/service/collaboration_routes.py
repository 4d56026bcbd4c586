"""Found a collaboration, look at it, invite into it, join it."""

from __future__ import annotations

from fastapi import APIRouter, Request

from cleanroom.errors import Forbidden
from cleanroom.governance.principal import PrincipalKind
from cleanroom.service.answer_bodies import Answered
from cleanroom.service.callers import Caller
from cleanroom.service.collaboration_bodies import (
    AcceptanceAsked,
    CodeAsked,
    CollaborationBody,
    CollaborationLine,
    CollaborationsBody,
    InvitationAsked,
    InvitationIssuedBody,
    InvitationLine,
    InvitationPreviewBody,
    InvitationsBody,
    JoinedBody,
    RecordBody,
    collaboration_fields,
)
from cleanroom.service.path_names import CollaborationId, InvitationId
from cleanroom.service.repeats import Repeat, RepeatByAnybody
from cleanroom.service.request_gate import require_plain_body
from cleanroom.service.room_parts import Parts
from cleanroom.service.signed_bodies import SignedDocument

router = APIRouter(prefix="/v1", tags=["collaborations"])


@router.post("/collaborations")
def found(
    request: Request, asked: SignedDocument, parts: Parts, caller: Caller, repeat: Repeat
) -> JoinedBody:
    """Found a collaboration under signed terms, with a founding code (used up by it) or the operator's key."""
    if caller.kind is PrincipalKind.MEMBER:
        raise Forbidden("a member's key founds nothing", hint="ask the operator for a founding code")
    require_plain_body(request)
    founding = parts.governance.collaborations.found
    return repeat(
        JoinedBody,
        lambda: JoinedBody.of(founding(caller, asked.plain(), now=parts.clock())),
        holds_secret=True,
    )


@router.get("/collaborations")
def list_collaborations(parts: Parts, caller: Caller) -> CollaborationsBody:
    """The caller's own collaboration; ids and sizes of all for the operator."""
    lines = parts.governance.collaborations.list(caller)
    return CollaborationsBody(collaborations=[CollaborationLine(**vars(line)) for line in lines])


@router.get("/collaborations/{collaboration}")
def show_collaboration(collaboration: CollaborationId, parts: Parts, caller: Caller) -> CollaborationBody:
    """Members with roles and public keys, identity terms, and the place of the next proposal."""
    view = parts.governance.collaborations.view(caller, collaboration)
    return CollaborationBody(**collaboration_fields(view))


@router.get("/collaborations/{collaboration}/record")
def show_record(collaboration: CollaborationId, parts: Parts, caller: Caller) -> RecordBody:
    """Every signed document in order, to be verified without the service."""
    return RecordBody(record=parts.governance.collaborations.record(caller, collaboration))


@router.post("/collaborations/{collaboration}/invitations")
def invite(
    collaboration: CollaborationId, asked: InvitationAsked, parts: Parts, caller: Caller, repeat: Repeat
) -> InvitationIssuedBody:
    """A one-time code for a membership in force, for its proposer; an earlier code ends."""
    issue = parts.governance.invitations.issue
    return repeat(
        InvitationIssuedBody,
        lambda: InvitationIssuedBody.of(
            issue(caller, collaboration, asked.proposal, days=asked.days, now=parts.clock())
        ),
        holds_secret=True,
    )


@router.get("/collaborations/{collaboration}/invitations")
def list_invitations(collaboration: CollaborationId, parts: Parts, caller: Caller) -> InvitationsBody:
    """All invitations without their codes, for owners."""
    views = parts.governance.invitations.list(caller, collaboration, now=parts.clock())
    return InvitationsBody(invitations=[InvitationLine.of(view) for view in views])


@router.delete("/collaborations/{collaboration}/invitations/{invitation}")
def revoke_invitation(
    collaboration: CollaborationId, invitation: InvitationId, parts: Parts, caller: Caller
) -> Answered:
    """End a code that nobody has used."""
    parts.governance.invitations.revoke(caller, collaboration, invitation, now=parts.clock())
    return Answered()


@router.post("/invitations/preview", tags=["invited"])
def preview_invitation(asked: CodeAsked, parts: Parts) -> InvitationPreviewBody:
    """What the holder of the code is invited to and signs over. The code is the credential; it is not used up."""
    return InvitationPreviewBody.of(parts.governance.invitations.preview(asked.code, now=parts.clock()))


@router.post("/invitations/accept", tags=["invited"])
def accept_invitation(
    request: Request, asked: AcceptanceAsked, parts: Parts, repeat: RepeatByAnybody
) -> JoinedBody:
    """Join with the code and the signed acceptance. The code is the credential, and used up by it."""
    invitations = parts.governance.invitations
    invitations.preview(asked.code, now=parts.clock())  # a wrong code is told before anything else
    require_plain_body(request)
    return repeat(
        JoinedBody,
        lambda: JoinedBody.of(invitations.accept(asked.code, asked.document.plain(), now=parts.clock())),
        holds_secret=True,
    )
