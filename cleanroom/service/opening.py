"""A service from its folder: everything opened in order, and closed in the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cleanroom.datasets.vault import Vault, VaultLimits
from cleanroom.errors import StoreUnavailable
from cleanroom.governance.governance import Governance
from cleanroom.governance.oidc import OidcIssuer, OidcVerifier
from cleanroom.governance.oidc_links import OidcLinks
from cleanroom.governance.store import open_store
from cleanroom.service.query_desk import QueryDesk
from cleanroom.service.room_parts import RoomParts
from cleanroom.service.service_home import ServiceHome
from cleanroom.service.settings import RoomSettings
from cleanroom.worker.executor import ProcessExecutor


def utc_now() -> datetime:
    """The clock of a service that runs."""
    return datetime.now(UTC)


@contextmanager
def open_room(settings: RoomSettings, *, clock: Callable[[], datetime] = utc_now) -> Iterator[RoomParts]:
    """The parts of the service in `settings.data`, made now unless it exists."""
    home = ServiceHome(settings.data)
    service_keys = home.service_keys()
    store = open_store(settings.database_url)
    executor = ProcessExecutor(home.worker, warm=settings.worker_processes, seconds=settings.query_seconds)
    try:
        governance = Governance.of(store, pepper=home.pepper(), service_keys=service_keys)
        vault = Vault(home.vault, VaultLimits(settings.largest_table_bytes, settings.largest_vault_bytes))
        yield RoomParts(
            settings=settings,
            governance=governance,
            oidc=OidcLinks(store, OidcVerifier(_issuers(settings.identity_providers)), governance.audit),
            vault=vault,
            desk=QueryDesk(governance, vault, executor),
            service_keys=service_keys.public,
            worker_keys=executor.public,
            clock=clock,
        )
    finally:
        executor.close()
        store.close()


def _issuers(path: Path | None) -> list[OidcIssuer]:
    """From JSON: a list of {"issuer", "audience", "keys": the file of its JWKS beside this one}."""
    if path is None:
        return []
    try:
        listed: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return [
            OidcIssuer.from_file(item["issuer"], item["audience"], path.parent / item["keys"])
            for item in listed
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreUnavailable(
            f"{path} does not list identity providers",
            hint='write [{"issuer": "https://..", "audience": "..", "keys": "jwks.json"}]',
        ) from error
