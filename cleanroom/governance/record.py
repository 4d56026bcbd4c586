"""A collaboration's record of signed documents, verified again without the service.

Guarantee: every member joined after all owners of that moment had signed, and every rule, template and removal in
force carries the signatures it needed.
Not covered: what the service left out at the end; whether the keys are those of the companies (compare
fingerprints, or have proposals of membership name them).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cleanroom.errors import RoomError, SignatureInvalid
from cleanroom.governance.party_signatures import open_self_signed, require_body
from cleanroom.governance.proposal_text import Content, ProposalKind, Rules, proposal_body, read_content
from cleanroom.governance.room_state import (
    RoomState,
    Standing,
    applied,
    joined,
    require_proposable,
    required_signers,
)
from cleanroom.governance.terms import Terms, acceptance_body, read_keys

PROPOSAL = "proposal"
ACCEPTANCE = "acceptance"
TERMS = "terms"


def verify_record(record: object) -> RoomState:
    """The collaboration that the signed documents make. Raises SignatureInvalid, or what a decision refused."""
    try:
        if not isinstance(record, Mapping):
            raise TypeError("not a record")
        terms = Terms.of(open_self_signed(record["terms"], kind=TERMS))
        state = RoomState(terms.collaboration, {terms.founder: Standing(terms.roles, terms.keys)})
        replay = _Replay(terms, state)
        for event in record["events"]:
            replay.take(event)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _not_a_record() from error
    return replay.state


class _Replay:
    """Takes what happened in order; every step is decided again."""

    def __init__(self, terms: Terms, state: RoomState) -> None:
        self._terms = terms
        self.state = state
        self._places: set[int] = set()
        self._newest: dict[str, int] = {}

    def take(self, event: Mapping[str, Any]) -> None:
        """One event: a party joined, or a proposal took effect."""
        if event["event"] == "joined":
            self._joined(event["document"])
        elif event["event"] == "proposal":
            self._proposal(event)
        else:
            raise _not_a_record()

    def _joined(self, document: Mapping[str, Any]) -> None:
        keys = read_keys(document["body"]["keys"])
        self.state = joined(self.state, keys.name, keys)
        roles = self.state.members[keys.name].roles
        body = acceptance_body(
            self._terms.digest, self._terms.collaboration, member=keys.name, roles=roles, keys=keys
        )
        require_body(document, kind=ACCEPTANCE, keys=keys, body=body)

    def _proposal(self, event: Mapping[str, Any]) -> None:
        kind, sequence, proposer = ProposalKind(event["kind"]), event["sequence"], event["proposer"]
        content = read_content(kind, event["content"])
        self._require_new_place(content, sequence)
        body = proposal_body(self._terms.collaboration, kind, event["content"], sequence)
        signed: set[str] = set()
        for document in event["signatures"]:
            standing = self.state.members.get(document["signer"])
            if standing is not None:
                require_body(document, kind=PROPOSAL, keys=standing.keys, body=body)
                signed.add(document["signer"])
        require_proposable(self.state, content, proposer)
        if not {proposer, *required_signers(self.state, content)} <= signed:
            raise SignatureInvalid(
                f"proposal {sequence} took effect without a signature that it needed",
                hint="ask the operator and the owners how this came about; do not upload or query meanwhile",
            )
        self.state = applied(self.state, content, proposer)

    def _require_new_place(self, content: Content, sequence: int) -> None:
        newest = self._newest.get(content.document.dataset, 0) if isinstance(content, Rules) else 0
        if sequence in self._places or sequence < newest:
            raise SignatureInvalid(
                f"proposal {sequence} is there twice, or took effect after a newer one",
                hint="ask the operator how this came about",
            )
        self._places.add(sequence)
        if isinstance(content, Rules):
            self._newest[content.document.dataset] = sequence


def _not_a_record() -> RoomError:
    return SignatureInvalid(
        "this is not a collaboration's record of signed documents", hint="download the record again"
    )
