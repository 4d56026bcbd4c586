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
from cleanroom.service.broker_exchange import BrokerExchange
from cleanroom.service.query_desk import QueryDesk
from cleanroom.service.settings import RoomSettings
from cleanroom.worker.executor import Executor
from privacy.party_keys import PublicKeys


@dataclass(frozen=True)
class RoomParts:
    """One service. `clock` gives aware UTC times."""

    settings: RoomSettings
    governance: Governance
    oidc: OidcLinks
    vault: Vault
    desk: QueryDesk
    service_keys: PublicKeys
    executor: Executor
    brokers: BrokerExchange
    clock: Callable[[], datetime]


async def _parts(request: Request) -> RoomParts:
    parts: RoomParts = request.app.state.parts
    return parts


Parts = Annotated[RoomParts, Depends(_parts)]
