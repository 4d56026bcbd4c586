"""The audit log of a collaboration, for its members; the service's own, for the operator."""

from __future__ import annotations

from fastapi import APIRouter

from cleanroom.governance.audit_log import SERVICE
from cleanroom.service.audit_bodies import AuditBody, AuditExportBody, AuditLine, CheckpointBody
from cleanroom.service.callers import Caller
from cleanroom.service.path_names import After, CollaborationId, Limit
from cleanroom.service.room_parts import Parts

router = APIRouter(prefix="/v1", tags=["audit"])


@router.get("/collaborations/{collaboration}/audit")
def list_entries(
    collaboration: CollaborationId, parts: Parts, caller: Caller, after: After = 0, limit: Limit = 500
) -> AuditBody:
    """Entries in order: all for owners and auditors, their own for analysts."""
    entries = parts.governance.audit.entries(caller, collaboration, after=after, limit=limit)
    return AuditBody(entries=[AuditLine.of(entry) for entry in entries])


@router.get("/collaborations/{collaboration}/audit/export")
def export_log(collaboration: CollaborationId, parts: Parts, caller: Caller) -> AuditExportBody:
    """The whole log with the service's signatures, to be verified without the service."""
    export = parts.governance.audit.export(caller, collaboration)
    return AuditExportBody(lines=list(export.lines), checkpoints=list(export.checkpoints))


@router.get("/collaborations/{collaboration}/audit/checkpoint")
def sign_checkpoint(collaboration: CollaborationId, parts: Parts, caller: Caller) -> CheckpointBody:
    """The service's signature on the log as it is now: keep it, and a later removal is noticed."""
    caller.require(collaboration)
    return CheckpointBody(checkpoint=parts.governance.audit.checkpoint(collaboration, now=parts.clock()))


@router.get("/service/audit", tags=["operator"])
def list_service_entries(parts: Parts, caller: Caller, after: After = 0, limit: Limit = 500) -> AuditBody:
    """What happened to the service itself, for the operator."""
    caller.require_operator()
    entries = parts.governance.audit.entries(caller, SERVICE, after=after, limit=limit)
    return AuditBody(entries=[AuditLine.of(entry) for entry in entries])


@router.get("/service/audit/export", tags=["operator"])
def export_service_log(parts: Parts, caller: Caller) -> AuditExportBody:
    """The whole log of the service itself, for the operator."""
    caller.require_operator()
    export = parts.governance.audit.export(caller, SERVICE)
    return AuditExportBody(lines=list(export.lines), checkpoints=list(export.checkpoints))
