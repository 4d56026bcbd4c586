"""Which party's home a `mixroom room` command works in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mixroom.errors import UsageError

if TYPE_CHECKING:
    from cleanroom.partner.party_home import PartyHome
    from cleanroom.partner.room_client import RoomClient

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="The party's home; else $MIXROOM_ROOM_HOME, else the only one in ./room."),
]
Insecure = Annotated[bool, typer.Option("--insecure", help="Allow plain http to another machine.")]
HOMES = Path("room")
VARIABLE = "MIXROOM_ROOM_HOME"


def party_home(given: Path | None) -> PartyHome:
    """The home that was named, on the command line or in the environment, or the only one there is."""
    from cleanroom.partner.party_home import PartyHome

    named = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is not None:
        return PartyHome(named)
    homes = sorted(path.parent for path in HOMES.glob("*/room.json"))
    if len(homes) != 1:
        found = "is no party's home" if not homes else f"are {len(homes)} parties' homes"
        raise UsageError(f"there {found} in ./{HOMES}", hint=f"name one with --home, or set {VARIABLE}")
    return PartyHome(homes[0])


def new_home(given: Path | None, party: str) -> PartyHome:
    """Where a party's home is to be: as named, or ./room/PARTY."""
    from cleanroom.partner.party_home import PartyHome

    named = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    return PartyHome(named or HOMES / party)


def client(given: Path | None) -> RoomClient:
    """The client of the party's home."""
    from cleanroom.partner.room_client import RoomClient

    return RoomClient(party_home(given))
