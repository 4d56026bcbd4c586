"""A service from its folder: everything opened in order, and closed in the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cleanroom.datasets.vault import Vault, VaultLimits
from cleanroom.errors import StoreUnavailable
from cleanroom.governance.governance import Governance
from cleanroom.governance.oidc import OidcIssuer, OidcVerifier
from cleanroom.governance.oidc_links import OidcLinks
from cleanroom.governance.store import open_store
from cleanroom.service.broker_exchange import BrokerExchange
from cleanroom.service.query_desk import QueryDesk
from cleanroom.service.room_parts import RoomParts
from cleanroom.service.service_home import ServiceHome
from cleanroom.service.settings import RoomSettings
from cleanroom.worker.enclave_executor import WORKER_PROGRAM, EnclaveExecutor
from privacy.enclave.availability import require
from privacy.enclave.emulated_backend import EmulatedBackend
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.isolation import Isolation
from privacy.enclave.sandbox_profile import SandboxProfile
from privacy.errors import EnclaveUnavailable


def utc_now() -> datetime:
    """The clock of a service that runs."""
    return datetime.now(UTC)


@contextmanager
def open_room(
    settings: RoomSettings, *, clock: Callable[[], datetime] = utc_now, keep_bytecode: bool = False
) -> Iterator[RoomParts]:
    """The parts of the service in `settings.data`, made now unless it exists.

    keep_bytecode: the worker's compiled modules stay in the folder, so that the next start is quick too.
    """
    home = ServiceHome(settings.data)
    service_keys = home.service_keys()
    brokers = BrokerExchange()
    with ExitStack() as opened:
        backend = _backend(
            settings, home, home.bytecode if keep_bytecode else None
        )  # first: what this machine cannot isolate changes nothing
        executor = EnclaveExecutor(backend, brokers, seconds=settings.query_seconds)
        opened.callback(executor.close)
        store = open_store(settings.database_url)
        opened.callback(store.close)
        governance = Governance.of(store, pepper=home.pepper(), service_keys=service_keys)
        vault = Vault(home.vault, VaultLimits(settings.largest_table_bytes, settings.largest_vault_bytes))
        yield RoomParts(
            settings=settings,
            governance=governance,
            oidc=OidcLinks(store, OidcVerifier(_issuers(settings.identity_providers)), governance.audit),
            vault=vault,
            desk=QueryDesk(governance, vault, executor),
            service_keys=service_keys.public,
            executor=executor,
            brokers=brokers,
            clock=clock,
        )


def _backend(settings: RoomSettings, home: ServiceHome, bytecode_in: Path | None) -> EmulatedBackend:
    """Raises EnclaveUnavailable when this machine cannot isolate the worker as the settings ask."""
    try:
        require(settings.isolation)
    except EnclaveUnavailable as error:
        if settings.isolation is not Isolation.FULL:
            raise
        raise EnclaveUnavailable(
            f"{error}; the service was not started",
            hint=f"{error.hint}: mixroom room serve --isolation reduced, which owners' brokers must allow",
        ) from error
    return EmulatedBackend(
        WORKER_PROGRAM,
        EmulatedPlatform.open(home.enclave),
        SandboxProfile(settings.isolation),
        warm=settings.worker_processes,
        bytecode_in=bytecode_in,
    )


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
