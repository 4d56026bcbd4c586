"""The parties of the room's demo: who they are, and how they get into one collaboration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cleanroom.governance.principal import MemberRole
from cleanroom.partner.invitation_text import Invitation
from cleanroom.partner.joining import Founding, accept, found
from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.room_client import RoomClient
from privacy.identifiers import IdentifierKind, IdentifierRule
from simulations.room_service import RunningService

Say = Callable[[str], None]
COLLABORATION = "Spring campaign"


@dataclass(frozen=True)
class Party:
    """One member: its name, its role, and the dataset it owns, if it owns one."""

    name: str
    role: MemberRole
    dataset: str = ""
    holds: str = ""


ADVERTISER = Party("advertiser", MemberRole.OWNER, "crm", "its customers, and who was in the experiment")
PUBLISHER = Party("publisher", MemberRole.OWNER, "exposures", "who saw which ad when, and what it cost")
RETAILER = Party("retailer", MemberRole.OWNER, "conversions", "who bought when, and for how much")
ANALYST = Party("agency", MemberRole.ANALYST, holds="nothing; it asks")
OWNERS = (ADVERTISER, PUBLISHER, RETAILER)
PARTIES = (*OWNERS, ANALYST)


@dataclass(frozen=True)
class JoinedParties:
    """Each member's home, a folder that stands for a machine of its own."""

    homes: Mapping[str, PartyHome]

    @property
    def owners(self) -> Mapping[str, PartyHome]:
        """The homes of those who own a table."""
        return {party.name: self.homes[party.name] for party in OWNERS}

    def client(self, party: Party) -> RoomClient:
        """A connection as that party; the caller closes it."""
        return RoomClient(self.homes[party.name])


def join_all(service: RunningService, folder: Path, say: Say) -> JoinedParties:
    """The advertiser founds the collaboration; every owner signs whoever is invited after it joined."""
    homes = {party.name: PartyHome(folder / party.name) for party in PARTIES}
    founding = Founding(
        COLLABORATION, ADVERTISER.name, service.url, IdentifierKind.EMAIL, IdentifierRule.UID2
    )
    found(homes[ADVERTISER.name], founding, service.founding_code)
    say(f"the advertiser founds “{COLLABORATION}”; people are e-mail addresses, spelt by UID2's rule")
    joined = JoinedParties(homes)
    for place, party in enumerate(PARTIES[1:], start=1):
        others = PARTIES[1:place]
        accept(homes[party.name], _invited(joined, party, others))
        signed = " and the ".join(other.name for other in others)
        say(f"the {party.name} joins as {party.role}{f'; the {signed} signed that too' if signed else ''}")
    return joined


def _invited(joined: JoinedParties, party: Party, others: tuple[Party, ...]) -> Invitation:
    """The invitation, once all owners who are in have signed. It goes from hand to hand, not through the service."""
    roles = frozenset({party.role})
    with joined.client(ADVERTISER) as founder:
        invited = founder.invite(party.name, roles)
        for other in others:
            with joined.client(other) as owner:
                owner.approve(invited.proposal)
        if invited.text is None:
            invited = founder.invite(party.name, roles)
    assert invited.text is not None
    return Invitation.read(invited.text.reveal())
