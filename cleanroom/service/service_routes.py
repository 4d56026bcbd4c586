"""The service about itself: public keys, limits, health, and storage totals for the operator."""

from __future__ import annotations

import base64
from importlib.metadata import PackageNotFoundError, version

from fastapi import APIRouter
from sqlalchemy import text

from cleanroom.service.audit_bodies import (
    EnclaveFacts,
    HealthBody,
    ReadyBody,
    ServiceBody,
    ServiceLimits,
    StorageBody,
)
from cleanroom.service.callers import Caller
from cleanroom.service.json_limits import LARGEST_JSON
from cleanroom.service.room_parts import Parts
from privacy.identity import fingerprint

router = APIRouter(tags=["service"])


@router.get("/v1/service")
def show_service(parts: Parts) -> ServiceBody:
    """The service's public keys, what its queries run in, and the limits. No login."""
    settings = parts.settings
    return ServiceBody(
        service="mixroom clean room",
        version=_version(),
        service_keys=parts.service_keys.to_plain(),
        service_fingerprint=parts.service_keys.fingerprint,
        enclave=EnclaveFacts(
            root=base64.b64encode(parts.executor.root).decode(),
            root_fingerprint=fingerprint(parts.executor.root),
            measurement=parts.executor.measurement.code,
            isolation=parts.executor.isolation.value,
        ),
        limits=ServiceLimits(
            largest_json_bytes=LARGEST_JSON,
            largest_table_bytes=settings.largest_table_bytes,
            query_seconds=settings.query_seconds,
            answer_step_seconds=settings.answer_step_seconds,
        ),
    )


@router.get("/v1/service/storage", tags=["operator"])
def show_storage(parts: Parts, caller: Caller) -> StorageBody:
    """How many sealed tables there are and how large they are together, for the operator."""
    caller.require_operator()
    sizes = [parts.vault.path(name).stat().st_size for name in parts.vault.versions()]
    return StorageBody(tables=len(sizes), stored_bytes=sum(sizes), at=parts.clock())


@router.get("/healthz")
async def healthz() -> HealthBody:
    """Whether the process answers, also while all threads are busy."""
    return HealthBody()


@router.get("/readyz")
def readyz(parts: Parts) -> ReadyBody:
    """Whether the database answers too."""
    parts.governance.store.read(lambda session: session.execute(text("SELECT 1")).one())
    return ReadyBody()


def _version() -> str:
    try:
        return version("mixroom")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "0"
