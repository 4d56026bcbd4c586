"""A real service in a process of its own, two owners and an analyst, driven through the Python client."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanroom.governance.principal import MemberRole
from cleanroom.governance.secret_text import Secret
from cleanroom.partner.invitation_text import Invitation
from cleanroom.partner.joining import Founding, accept, found
from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.room_client import RoomClient
from cleanroom.partner.room_questions import QuestionText
from cleanroom.rules.reference_rules import OWNERS, reference_rules
from privacy.identifiers import IdentifierKind, IdentifierRule

DATASETS = ("exposures", "crm")


@dataclass(frozen=True)
class RunningRoom:
    """The service's process, and everybody's client; `tag` names the key that tokens must be made with."""

    process_id: int
    clients: dict[str, RoomClient]
    tag: str

    def upload(self, folder: Path) -> None:
        """Every owner's table from its file."""
        for dataset in DATASETS:
            self.clients[OWNERS[dataset]].upload(folder / f"{dataset}.parquet", dataset)

    def ask(self, sql: str) -> Sequence[Sequence[Any]]:
        """The rows of a release."""
        answer = self.clients["analyst"].questions.ask(QuestionText(sql=sql))
        rows: Sequence[Sequence[Any]] = answer.release["body"]["result"]["rows"]
        return rows


@contextmanager
def running_room(folder: Path) -> Iterator[RunningRoom]:
    """Start the service on a free port, gather everybody under the reference rules, stop it at the end."""
    command = [
        sys.executable,
        "-m",
        "mixroom",
        "room",
        "serve",
        "--data",
        str(folder),
        "--port",
        "0",
        "--json",
    ]
    folder.mkdir(parents=True)
    log = folder / "service.log"
    with log.open("wb") as narration, ExitStack() as closing:
        service = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=narration)
        closing.callback(_stop, service)
        opened = json.loads(_document(service, log))
        owners = [OWNERS[dataset] for dataset in DATASETS]
        homes = {name: PartyHome(folder / "homes" / name) for name in [*owners, "analyst"]}
        founding = Founding("benchmark", owners[0], opened["url"], IdentifierKind.ID, IdentifierRule.OPAQUE)
        found(homes[owners[0]], founding, Secret(opened["founding_code"]))
        clients = {owners[0]: closing.enter_context(RoomClient(homes[owners[0]]))}
        for name in [*owners[1:], "analyst"]:
            role = MemberRole.ANALYST if name == "analyst" else MemberRole.OWNER
            _join(clients, homes[name], name, role)
            closing.enter_context(clients[name])
        for dataset in DATASETS:
            clients[OWNERS[dataset]].propose_rules(reference_rules()[dataset])
        yield RunningRoom(service.pid, clients, homes[owners[0]].identity_key.tag)


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


def _document(service: subprocess.Popen[bytes], log: Path) -> str:
    """One JSON document, which may take several lines."""
    assert service.stdout is not None
    text = ""
    for line in service.stdout:
        text += line.decode()
        if line.startswith(b"}") or text.count("{") == text.count("}"):
            return text
    raise RuntimeError(f"the service ended before it listened: {log.read_text()[-2000:]}")


def _stop(service: subprocess.Popen[bytes]) -> None:
    service.send_signal(signal.SIGTERM)
    try:
        service.wait(30)
    except subprocess.TimeoutExpired:
        service.kill()
        service.wait()
    assert service.stdout is not None
    service.stdout.close()
