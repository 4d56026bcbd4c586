"""Everything that the routes hand over to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from cleanroom.datasets.vault import Vault
from cleanroom.governance.governance import Governance
from cleanroom.governance.oidc_links import OidcLinks
from cleanroom.service.query_desk import QueryDesk
from cleanroom.service.settings import RoomSettings
from privacy.party_keys import PublicKeys


@dataclass(frozen=True)
class RoomParts:
    """One service. `clock` gives aware UTC times. `worker_keys`: public halves only."""

    settings: RoomSettings
    governance: Governance
    oidc: OidcLinks
    vault: Vault
    desk: QueryDesk
    service_keys: PublicKeys
    worker_keys: PublicKeys
    clock: Callable[[], datetime]


def _parts(request: Request) -> RoomParts:
    parts: RoomParts = request.app.state.parts
    return parts


Parts = Annotated[RoomParts, Depends(_parts)]
