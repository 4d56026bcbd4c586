"""A real service on a free loopback port, in a thread of the test's process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from cleanroom.governance.principal import MemberRole
from cleanroom.governance.secret_text import Secret
from cleanroom.partner.invitation_text import Invitation
from cleanroom.partner.joining import Founding, accept, found
from cleanroom.partner.party_home import PartyHome
from cleanroom.partner.room_client import RoomClient
from cleanroom.service.app import create_app
from cleanroom.service.opening import open_room
from cleanroom.service.room_parts import RoomParts
from cleanroom.service.room_server import RoomServer
from cleanroom.service.serving import FirstCredentials, first_credentials
from cleanroom.service.settings import RoomSettings
from privacy.identifiers import IdentifierKind, IdentifierRule

OWNER, ANALYST, AUDITOR = MemberRole.OWNER, MemberRole.ANALYST, MemberRole.AUDITOR


@dataclass(frozen=True)
class RunningRoom:
    """The service, its parts, and what its first start printed."""

    url: str
    parts: RoomParts
    first: FirstCredentials

    def founding_code(self) -> Secret:
        """A fresh one."""
        keys = self.parts.governance.api_keys
        operator = keys.authenticate(self.first.operator_key.reveal(), now=self.parts.clock())
        return keys.create_founding_code(operator, now=self.parts.clock()).key

    def http(self, home: PartyHome | None = None) -> httpx.Client:
        """Requests as a party makes them, or as nobody."""
        headers = {"Authorization": f"Bearer {home.api_key.reveal()}"} if home else {}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30)

    def operator_http(self) -> httpx.Client:
        """Requests as the operator makes them."""
        headers = {"Authorization": f"Bearer {self.first.operator_key.reveal()}"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30)

    def founded(self, folder: Path, party: str = "acme", *roles: MemberRole) -> PartyHome:
        """A collaboration with one member."""
        home = PartyHome(folder / party)
        founding = Founding(
            "Spring", party, self.url, IdentifierKind.EMAIL, IdentifierRule.UID2, frozenset({OWNER, *roles})
        )
        found(home, founding, self.founding_code())
        return home

    def joined(self, inviter: PartyHome, party: str, *roles: MemberRole) -> PartyHome:
        """One more member, when the inviter is the only owner."""
        with RoomClient(inviter) as room:
            invited = room.invite(party, frozenset(roles))
        assert invited.text is not None
        home = PartyHome(inviter.folder.parent / party)
        accept(home, Invitation.read(invited.text.reveal()))
        return home


@contextmanager
def running_room(folder: Path, **more: object) -> Iterator[RunningRoom]:
    """Started, and stopped at the end. `more`: settings besides."""
    settings = RoomSettings.model_validate({"data": folder, "port": 0, **more})
    with open_room(settings) as parts:
        first = first_credentials(parts)
        assert first is not None
        with listening(parts) as url:
            yield RunningRoom(url, parts, first)


@contextmanager
def listening(parts: RoomParts) -> Iterator[str]:
    """The URL of a server in a thread."""
    config = uvicorn.Config(create_app(parts), port=0, log_config=None, access_log=False, ws="none")
    server = RoomServer(config, parts)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive()
    (port,) = {sock.getsockname()[1] for each in server.servers for sock in each.sockets}
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
