"""Two owners under the reference rules and an analyst, gathered in a service that runs; the owners' brokers run too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanroom.governance.principal import MemberRole
from cleanroom.governance.secret_text import Secret
from cleanroom.partner.installed_worker import installed_code
from cleanroom.partner.invitation_text import Invitation
from cleanroom.partner.joining import Founding, accept, found
from cleanroom.partner.owners_broker import running_broker
from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_questions import QuestionText
from cleanroom.rules.reference_rules import OWNERS, reference_rules
from privacy.identifiers import IdentifierKind, IdentifierRule

DATASETS = ("exposures", "crm")
ANALYST = "analyst"


@dataclass(frozen=True)
class RoomParties:
    """Everybody's client; `tag` names the key that tokens must be made with."""

    clients: dict[str, RoomClient]
    tag: str

    def home(self, dataset: str) -> PartyHome:
        """The home of the dataset's owner."""
        return self.clients[OWNERS[dataset]].home

    def upload(self, folder: Path) -> None:
        """Every owner's table from its file."""
        for dataset in DATASETS:
            self.clients[OWNERS[dataset]].upload(folder / f"{dataset}.parquet", dataset)

    def ask(self, sql: str) -> Sequence[Sequence[Any]]:
        """The rows of a release."""
        answer = self.clients[ANALYST].questions.ask(QuestionText(sql=sql))
        rows: Sequence[Sequence[Any]] = answer.release["body"]["result"]["rows"]
        return rows


@contextmanager
def room_parties(folder: Path, url: str, founding_code: Secret) -> Iterator[RoomParties]:
    """Found a collaboration, have everybody join and sign, and keep the owners' brokers running."""
    owners = [OWNERS[dataset] for dataset in DATASETS]
    homes = {name: PartyHome(folder / name) for name in [*owners, ANALYST]}
    founding = Founding("benchmark", owners[0], url, IdentifierKind.ID, IdentifierRule.OPAQUE)
    found(homes[owners[0]], founding, founding_code)
    installed = installed_code()
    with ExitStack() as closing:
        clients = {owners[0]: closing.enter_context(RoomClient(homes[owners[0]]))}
        for name in [*owners[1:], ANALYST]:
            _join(clients, homes[name], name, MemberRole.ANALYST if name == ANALYST else MemberRole.OWNER)
            closing.enter_context(clients[name])
        for dataset in DATASETS:
            clients[OWNERS[dataset]].propose_rules(reference_rules()[dataset])
        for owner in owners:
            closing.enter_context(running_broker(homes[owner], installed=installed))
        yield RoomParties(clients, homes[owners[0]].identity_key.tag)


def _join(clients: dict[str, RoomClient], home: PartyHome, name: str, role: MemberRole) -> None:
    """The founder invites; every owner there is signs; the party accepts."""
    founder, *others = clients.values()
    invited = founder.invite(name, frozenset({role}))
    for other in others:
        if invited.text is None:
            other.approve(invited.proposal)
    if invited.text is None:
        invited = founder.invite(name, frozenset({role}))
    assert invited.text is not None
    accept(home, Invitation.read(invited.text.reveal()))
    clients[name] = RoomClient(home)
