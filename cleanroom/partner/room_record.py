"""The room's record as a party reads it: verified, kept, and the proof of what the service says is in force.

How far it goes is noted where the home's broker looks, so what the party saw in force here, its broker obeys at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cleanroom.broker.broker_home import RECORD_HEAD
from cleanroom.broker.private_files import private_folder
from cleanroom.broker.verified_record import VerifiedRecord, verified_record
from cleanroom.errors import ServiceUntrusted
from cleanroom.governance.principal import MemberRole
from cleanroom.governance.proposal_text import ProposalKind, ProposalState, proposal_body
from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.room_link import RoomLink
from cleanroom.service.collaboration_bodies import RecordBody
from cleanroom.service.proposal_bodies import ProposalBody, ProposalsBody


class RoomRecord:
    """For the party of one home, over its connection."""

    def __init__(self, link: RoomLink, home: PartyHome) -> None:
        self._link, self._home, self._room = link, home, home.room

    def verified(self) -> VerifiedRecord:
        """As it is now. Raises SignatureInvalid; ServiceUntrusted for another room's, or an older one than was seen."""
        path = f"/v1/collaborations/{self._room.collaboration}/record"
        found = verified_record(
            private_folder(self._home.broker) / RECORD_HEAD,
            lambda: self._link.get(path, RecordBody).record,
            keys=self._home.keys.public,
            terms_digest=self._room.terms_digest,
        )
        self._home.keep_record(found.documents)
        return found

    def require_signed(
        self, answer: ProposalBody, kind: ProposalKind, content: Mapping[str, Any], signed: Mapping[str, Any]
    ) -> None:
        """Raise ServiceUntrusted when what this party signed is said to be in force, and the record lacks it."""
        leaves = kind is ProposalKind.REMOVAL and content.get("member") == self._room.member
        if answer.state is ProposalState.EFFECTIVE and not leaves:  # who has left is shown no record
            self._require_in_force(signed)

    def require_listed(self, listed: ProposalsBody) -> None:
        """Raise ServiceUntrusted when a proposal is said to be in force, and the record lacks it as it is shown."""
        self._require_in_force(
            *(
                proposal_body(self._room.collaboration, shown.kind, shown.content, shown.sequence)
                for shown in listed.proposals
                if shown.state is ProposalState.EFFECTIVE
            )
        )

    def require_agreed(self, member: str, roles: frozenset[MemberRole]) -> None:
        """The service alone does not decide who is handed an invitation, and with it the identity key."""
        invited = self.verified().state.invited.get(member)
        if invited is None or invited.roles != roles:
            raise ServiceUntrusted(
                "the service says that every owner has signed this membership, and cannot prove it",
                hint="ask the other owners over another channel; nobody was invited",
            )

    def _require_in_force(self, *signed: Mapping[str, Any]) -> None:
        if not signed:
            return
        record = self.verified()
        if not all(record.holds(one) for one in signed):
            raise ServiceUntrusted(
                "the service says that a proposal is in force, and its record lacks it; do not rely on it",
                hint="ask the other members over another channel; `mixroom room broker --pause` stops your keys",
            )
