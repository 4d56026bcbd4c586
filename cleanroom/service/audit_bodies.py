"""The audit log and the service's own state as answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from cleanroom.governance.audit_chain import AuditEntry
from cleanroom.service.answer_bodies import Answered


class AuditLine(BaseModel):
    """Who did what, when. `digest` covers all of it and the digest of the entry before."""

    collaboration: str
    sequence: int
    at: str
    actor: str
    action: str
    details: dict[str, Any]
    previous: str
    digest: str

    @classmethod
    def of(cls, entry: AuditEntry) -> AuditLine:
        """From the entry."""
        return cls(**vars(entry))


class AuditBody(Answered):
    """Entries that the caller may read; ask again with `after` set to the last one's sequence."""

    entries: list[AuditLine]


class AuditExportBody(Answered):
    """The whole log: each line as it was digested, and the service's signatures on its heads."""

    lines: list[str]
    checkpoints: list[dict[str, Any]]


class CheckpointBody(Answered):
    """The service's signature on the log as it is now; none while the log is empty."""

    checkpoint: dict[str, Any] | None


class ServiceLimits(BaseModel):
    """What the service takes and how it answers."""

    largest_json_bytes: int
    largest_table_bytes: int
    query_seconds: float
    answer_step_seconds: float


class EnclaveFacts(BaseModel):
    """What queries run in: the root of trust (DER in base64), its fingerprint, the measurement (PCR 0), the isolation.

    The root is named emulated where it is this service's own: then the host's root can read what the worker reads.
    """

    root: str
    root_fingerprint: str
    measurement: str
    isolation: str


class ServiceBody(Answered):
    """Public facts, to be pinned and compared: public keys in base64, fingerprints, limits."""

    service: str
    version: str
    service_keys: dict[str, str]
    service_fingerprint: str
    enclave: EnclaveFacts
    limits: ServiceLimits


class StorageBody(Answered):
    """Totals for the operator, over all collaborations."""

    tables: int
    stored_bytes: int
    at: datetime


class HealthBody(Answered):
    """The process answers."""


class ReadyBody(Answered):
    """The database answers too."""
