"""The parties of a throw-away room, all played by whoever replays: they found it, join it, and sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cleanroom.governance.governance import Governance
from cleanroom.governance.principal import MemberRole, Principal
from cleanroom.governance.proposal_text import ProposalKind, proposal_body
from cleanroom.governance.proposals import Draft
from cleanroom.governance.terms import IdentityTerms, Terms, acceptance_body, new_collaboration_id
from privacy.identifiers import IdentityKey
from privacy.party_keys import PartyKeys
from privacy.signed_document import sign_document

ANALYST = "analyst"


@dataclass
class Parties:
    """A collaboration and everybody in it."""

    room: Governance
    collaboration: str
    keys: dict[str, PartyKeys] = field(default_factory=dict)
    api_keys: dict[str, str] = field(default_factory=dict, repr=False)

    def principal(self, member: str) -> Principal:
        """The member, logged in."""
        return self.room.api_keys.authenticate(self.api_keys[member], now=utc_now())

    def agree(self, proposer: str, kind: ProposalKind, content: Mapping[str, Any]) -> str:
        """Proposed, and signed by everybody it waits for; the proposal's id."""
        view = self.room.collaborations.view(self.principal(proposer), self.collaboration)
        sequence = view.next_sequence
        document = self._signed(proposer, kind, content, sequence)
        draft = Draft(self.collaboration, kind, content, document)
        proposal = self.room.proposals.propose(self.principal(proposer), draft, now=utc_now())
        for waiting in proposal.waiting_for:
            document = self._signed(waiting, kind, content, sequence)
            self.room.proposals.sign(
                self.principal(waiting), self.collaboration, proposal.id, document, now=utc_now()
            )
        return proposal.id

    def join(self, member: str, terms: Terms, roles: frozenset[MemberRole]) -> None:
        """The founder invites, the member accepts."""
        proposal = self.agree(
            terms.founder, ProposalKind.MEMBERSHIP, {"member": member, "roles": sorted(roles)}
        )
        invitation = self.room.invitations.issue(
            self.principal(terms.founder), self.collaboration, proposal, now=utc_now()
        )
        body = acceptance_body(
            terms.digest, self.collaboration, member=member, roles=roles, keys=self.keys[member].public
        )
        document = sign_document("acceptance", body, self.keys[member])
        accepted = self.room.invitations.accept(invitation.code.reveal(), document, now=utc_now())
        self.api_keys[member] = accepted.api_key.key.reveal()

    def _signed(
        self, member: str, kind: ProposalKind, content: Mapping[str, Any], sequence: int
    ) -> dict[str, Any]:
        body = proposal_body(self.collaboration, kind, dict(content), sequence)
        return sign_document("proposal", body, self.keys[member])


def gather(room: Governance, owners: Sequence[str], identity: IdentityKey) -> Parties:
    """A collaboration founded by the first owner, joined by the others and by an analyst."""
    keys = {member: PartyKeys.generate(member) for member in [*owners, ANALYST]}
    terms = Terms(
        collaboration=new_collaboration_id(),
        name="replay",
        founder=owners[0],
        roles=frozenset({MemberRole.OWNER}),
        keys=keys[owners[0]].public,
        identity=IdentityTerms(identity.kind.value, identity.rule.value, identity.tag),
    )
    operator = room.api_keys.create_operator(now=utc_now()).key.reveal()
    signed = sign_document("terms", terms.body(), keys[owners[0]])
    founded = room.collaborations.found(
        room.api_keys.authenticate(operator, now=utc_now()), signed, now=utc_now()
    )
    parties = Parties(room, terms.collaboration, keys, {owners[0]: founded.api_key.key.reveal()})
    for owner in owners[1:]:
        parties.join(owner, terms, frozenset({MemberRole.OWNER}))
    parties.join(ANALYST, terms, frozenset({MemberRole.ANALYST}))
    return parties


def utc_now() -> datetime:
    """The clock of a replay."""
    return datetime.now(UTC)
