"""API keys: issue, rotate, revoke; a person of an identity provider linked to a member."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Request

from cleanroom.service.answer_bodies import Answered
from cleanroom.service.callers import Caller
from cleanroom.service.error_answers import method_not_allowed
from cleanroom.service.key_bodies import (
    FoundingAsked,
    KeyAsked,
    KeyIssuedBody,
    KeyLine,
    KeysBody,
    OidcLinkAsked,
    RotationAsked,
)
from cleanroom.service.path_names import KeyId
from cleanroom.service.repeats import Repeat
from cleanroom.service.request_gate import require_plain_body
from cleanroom.service.room_parts import Parts
from cleanroom.service.signed_bodies import SignedDocument

router = APIRouter(prefix="/v1", tags=["keys"])


@router.post("/keys")
def issue_key(asked: KeyAsked, parts: Parts, caller: Caller, repeat: Repeat) -> KeyIssuedBody:
    """One more key of the same member or operator."""
    issue = parts.governance.api_keys.issue
    return repeat(
        KeyIssuedBody,
        lambda: KeyIssuedBody.of(issue(caller, label=asked.label, days=asked.days, now=parts.clock())),
        holds_secret=True,
    )


@router.get("/keys")
def list_keys(parts: Parts, caller: Caller) -> KeysBody:
    """The caller's keys without their secrets; founding codes too for the operator."""
    return KeysBody(keys=[KeyLine.of(view) for view in parts.governance.api_keys.list(caller)])


@router.post("/keys/rotate")
def rotate_key(asked: RotationAsked, parts: Parts, caller: Caller, repeat: Repeat) -> KeyIssuedBody:
    """A new key in place of the one that makes this request, which ends after the grace."""
    grace = timedelta(hours=asked.grace_hours)
    rotate = parts.governance.api_keys.rotate
    return repeat(
        KeyIssuedBody,
        lambda: KeyIssuedBody.of(rotate(caller, grace=grace, days=asked.days, now=parts.clock())),
        holds_secret=True,
    )


@router.post("/keys/by-signature", tags=["invited"])
def issue_key_by_signature(request: Request, asked: SignedDocument, parts: Parts) -> KeyIssuedBody:
    """A new key for a member that lost its own, for a signed "key request". The signature is the credential."""
    require_plain_body(request)
    return KeyIssuedBody.of(parts.governance.key_requests.answer(asked.plain(), now=parts.clock()))


router.delete("/keys/by-signature", include_in_schema=False)(method_not_allowed)
router.delete("/keys/rotate", include_in_schema=False)(method_not_allowed)


@router.delete("/keys/{key_id}")
def revoke_key(key_id: KeyId, parts: Parts, caller: Caller) -> Answered:
    """End a key at once."""
    parts.governance.api_keys.revoke(caller, key_id, now=parts.clock())
    return Answered()


@router.post("/founding-codes")
def create_founding_code(asked: FoundingAsked, parts: Parts, caller: Caller, repeat: Repeat) -> KeyIssuedBody:
    """A code with which somebody may found one collaboration, made by the operator."""
    create = parts.governance.api_keys.create_founding_code
    return repeat(
        KeyIssuedBody,
        lambda: KeyIssuedBody.of(create(caller, days=asked.days, now=parts.clock())),
        holds_secret=True,
    )


@router.put("/oidc-link")
def link_identity(asked: OidcLinkAsked, parts: Parts, caller: Caller) -> Answered:
    """Let the person of this identity token act as the calling member."""
    parts.oidc.link(caller, asked.token, now=parts.clock())
    return Answered()


@router.delete("/oidc-link")
def unlink_identity(parts: Parts, caller: Caller) -> Answered:
    """End what the calling member's linked persons may do."""
    parts.oidc.unlink(caller, now=parts.clock())
    return Answered()
