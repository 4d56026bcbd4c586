"""Upload a sealed table in parts, resumably."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import anyio
import anyio.from_thread
from fastapi import APIRouter, Request

from cleanroom.service import uploads
from cleanroom.service.answer_bodies import Answered
from cleanroom.service.callers import Caller
from cleanroom.service.dataset_bodies import (
    CompletionAsked,
    UploadAsked,
    UploadBody,
    VersionBody,
    version_fields,
)
from cleanroom.service.error_answers import WrongContentType
from cleanroom.service.path_names import CollaborationId, DatasetName, Offset, VersionId
from cleanroom.service.repeats import Repeat
from cleanroom.service.room_parts import Parts
from cleanroom.service.upload_turns import PIECE_SECONDS, SentTooSlowly, UploadTurns
from cleanroom.service.uploads import Completion, UploadPlace

router = APIRouter(prefix="/v1/collaborations/{collaboration}/datasets/{dataset}/uploads", tags=["uploads"])
STORED_AT_ONCE = 1024 * 1024
RAW = "application/octet-stream"
_RAW_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {RAW: {"schema": {"type": "string", "format": "binary"}}}}
}


@router.post("")
def begin_upload(
    collaboration: CollaborationId,
    dataset: DatasetName,
    asked: UploadAsked,
    parts: Parts,
    caller: Caller,
    repeat: Repeat,
) -> UploadBody:
    """Announce a sealed table. Announcing the same one again tells how much of it has arrived."""
    place = UploadPlace(collaboration, dataset, asked.version)

    def begin() -> UploadBody:
        progress = uploads.begin(
            parts, caller, place, sealed_bytes=asked.sealed_bytes, sealed_sha256=asked.sealed_sha256
        )
        return UploadBody.of(asked.version, progress)

    return repeat(UploadBody, begin)


@router.get("/{version}")
def show_upload(
    collaboration: CollaborationId, dataset: DatasetName, version: VersionId, parts: Parts, caller: Caller
) -> UploadBody:
    """How much has arrived; the next part starts there."""
    place = UploadPlace(collaboration, dataset, version)
    return UploadBody.of(version, uploads.progress(parts, caller, place))


@router.put("/{version}/content", openapi_extra=_RAW_BODY)
async def put_content(
    collaboration: CollaborationId,
    dataset: DatasetName,
    version: VersionId,
    request: Request,
    parts: Parts,
    caller: Caller,
    offset: Offset = 0,
) -> UploadBody:
    """Send sealed bytes from `offset` on, in one part or many. What is acknowledged is on the disk."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != RAW:
        raise WrongContentType(f"a part of a sealed table is {RAW}", hint=f"send Content-Type: {RAW}")
    place = UploadPlace(collaboration, dataset, version)
    store = partial(uploads.append, parts, caller, place, offset=offset, chunks=_received(request))
    turns: UploadTurns = request.app.state.upload_turns
    progress = await turns.store(caller.label, store)
    return UploadBody.of(version, progress)


@router.post("/{version}/complete")
def complete_upload(
    collaboration: CollaborationId,
    dataset: DatasetName,
    version: VersionId,
    asked: CompletionAsked,
    parts: Parts,
    caller: Caller,
) -> VersionBody:
    """Check size, SHA-256 and the signed manifest; then this version is what queries read. May be repeated."""
    completion = Completion(asked.manifest.plain(), asked.key_commitment)
    place = UploadPlace(collaboration, dataset, version)
    return VersionBody(**version_fields(uploads.complete(parts, caller, place, completion), for_owner=True))


@router.delete("/{version}")
def abandon_upload(
    collaboration: CollaborationId, dataset: DatasetName, version: VersionId, parts: Parts, caller: Caller
) -> Answered:
    """Give the upload up; nothing of it stays."""
    uploads.abandon(parts, caller, UploadPlace(collaboration, dataset, version))
    return Answered()


def _received(request: Request) -> Iterator[bytes]:
    """The body in large pieces, fetched from the event loop by the thread that stores them."""
    stream = request.stream()

    async def piece() -> bytes:
        collected = bytearray()
        with anyio.move_on_after(PIECE_SECONDS) as time:
            async for chunk in stream:
                collected += chunk
                if len(collected) >= STORED_AT_ONCE:
                    break
        if time.cancelled_caught:
            raise SentTooSlowly(
                "the rest of this part did not arrive in time; what arrived before is kept",
                hint="ask for the upload's progress and go on from there",
            )
        return bytes(collected)

    while received := anyio.from_thread.run(piece):
        yield received
