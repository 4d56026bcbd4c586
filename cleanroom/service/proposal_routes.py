"""Propose, sign, decline: what all affected owners must agree on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from cleanroom.governance.proposal_text import ProposalKind, ProposalState
from cleanroom.governance.proposals import Draft, ProposalView
from cleanroom.service.callers import Caller
from cleanroom.service.path_names import CollaborationId, ProposalId
from cleanroom.service.proposal_bodies import (
    ProposalAsked,
    ProposalBody,
    ProposalContent,
    ProposalsBody,
    proposal_fields,
)
from cleanroom.service.repeats import Repeat
from cleanroom.service.room_parts import Parts, RoomParts
from cleanroom.service.signed_bodies import SignedDocument
from cleanroom.service.template_check import require_whole_template

router = APIRouter(prefix="/v1/collaborations/{collaboration}/proposals", tags=["proposals"])
StateAsked = Annotated[ProposalState | None, Query(description="Only those in this state.")]


@router.post("")
def propose(
    collaboration: CollaborationId, asked: ProposalAsked, parts: Parts, caller: Caller, repeat: Repeat
) -> ProposalBody:
    """Propose a membership, rules, a template or a removal; in force at once when nobody else need sign."""
    if asked.kind is ProposalKind.TEMPLATE:
        known = {view.name for view in parts.governance.datasets.list(caller, collaboration)}
        require_whole_template(asked.content, frozenset(known))
    draft = Draft(collaboration, asked.kind, asked.content, asked.document.plain())
    return repeat(
        ProposalBody,
        lambda: _settled(parts, parts.governance.proposals.propose(caller, draft, now=parts.clock())),
    )


@router.get("")
def list_proposals(
    collaboration: CollaborationId, parts: Parts, caller: Caller, state: StateAsked = None
) -> ProposalsBody:
    """All proposals with who has signed and whose signature is missing."""
    views = parts.governance.proposals.list(caller, collaboration, state=state)
    return ProposalsBody(proposals=[ProposalContent(**proposal_fields(view)) for view in views])


@router.get("/{proposal}")
def show_proposal(
    collaboration: CollaborationId, proposal: ProposalId, parts: Parts, caller: Caller
) -> ProposalBody:
    """One proposal with its text and all signatures."""
    return ProposalBody.of(parts.governance.proposals.view(caller, collaboration, proposal))


@router.post("/{proposal}/signatures")
def sign_proposal(
    collaboration: CollaborationId,
    proposal: ProposalId,
    asked: SignedDocument,
    parts: Parts,
    caller: Caller,
    repeat: Repeat,
) -> ProposalBody:
    """Add an affected owner's signature on the same text."""
    sign = parts.governance.proposals.sign
    return repeat(
        ProposalBody,
        lambda: _settled(parts, sign(caller, collaboration, proposal, asked.plain(), now=parts.clock())),
    )


@router.post("/{proposal}/decline")
def decline_proposal(
    collaboration: CollaborationId, proposal: ProposalId, parts: Parts, caller: Caller, repeat: Repeat
) -> ProposalBody:
    """End a proposal for good: by an owner whose signature it needs, or by who made it."""
    decline = parts.governance.proposals.decline
    return repeat(
        ProposalBody,
        lambda: ProposalBody.of(decline(caller, collaboration, proposal, now=parts.clock())),
    )


def _settled(parts: RoomParts, view: ProposalView) -> ProposalBody:
    """A removal destroys the keys of its member's tables; the sealed files then go too."""
    for destroyed in view.destroyed:
        parts.vault.discard(destroyed.version)
    return ProposalBody.of(view)
