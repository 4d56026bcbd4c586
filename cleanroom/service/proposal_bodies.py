"""Proposals as requests and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from cleanroom.governance.proposal_text import ProposalKind, ProposalState
from cleanroom.governance.proposals import ProposalView
from cleanroom.service.answer_bodies import Answered, Asked
from cleanroom.service.signed_bodies import SignedDocument


class ProposalAsked(Asked):
    """What is proposed, and the proposer's signature on it.

    Content by kind: membership {member, roles, fingerprint}; rules {document}; template {name, template, datasets};
    removal {member}.
    """

    kind: ProposalKind
    content: dict[str, Any]
    document: SignedDocument


class ProposalContent(BaseModel):
    """A proposal as members see it."""

    id: str
    collaboration: str
    kind: ProposalKind
    sequence: int
    proposer: str
    content: dict[str, Any]
    state: ProposalState
    created: datetime
    ended: datetime | None
    signed_by: list[str]
    waiting_for: list[str]
    documents: list[dict[str, Any]]


class ProposalBody(Answered, ProposalContent):
    """One proposal."""

    @classmethod
    def of(cls, view: ProposalView) -> ProposalBody:
        """From the view."""
        return cls(**proposal_fields(view))


class ProposalsBody(Answered):
    """All proposals in the order of their places."""

    proposals: list[ProposalContent]


def proposal_fields(view: ProposalView) -> dict[str, Any]:
    """The fields of a proposal's answer."""
    fields = {name: value for name, value in vars(view).items() if name != "destroyed"}
    return {**fields, "documents": [dict(document) for document in view.documents]}
