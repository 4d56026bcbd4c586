"""The ASGI application: routes under one gate, described completely in OpenAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from fastapi import FastAPI

from cleanroom.service import (
    audit_routes,
    broker_routes,
    collaboration_routes,
    dataset_routes,
    key_routes,
    proposal_routes,
    query_routes,
    service_routes,
    upload_routes,
)
from cleanroom.service.answer_bodies import ERROR_RESPONSES
from cleanroom.service.answer_schedule import AnswerSchedule
from cleanroom.service.callers import BROKERS_AT_ONCE
from cleanroom.service.error_answers import add_error_answers
from cleanroom.service.request_gate import RequestGate
from cleanroom.service.room_parts import RoomParts
from cleanroom.service.upload_turns import UploadTurns

DESCRIPTION = (
    "Organisations measure together without handing each other their data: sealed tables in, only thresholded or "
    "noised aggregates out. Every answer has `ok`; every error has one shape. Groups that may not be shown are "
    "withheld, and nothing says whether any were."
)
_TAGS = [
    {"name": "collaborations", "description": "Who measures together, under which signed terms."},
    {"name": "invited", "description": "For parties that hold an invitation's code and no login yet."},
    {"name": "proposals", "description": "What every affected owner signs before it takes effect."},
    {"name": "datasets", "description": "Names, rules and versions; never rows."},
    {"name": "uploads", "description": "Sealed tables, sent in parts, resumable."},
    {"name": "queries", "description": "SQL or templates in, signed releases out."},
    {"name": "brokers", "description": "For owners' key brokers, which release keys to attested workers."},
    {"name": "audit", "description": "A chained log that any owner verifies offline."},
    {"name": "keys", "description": "API keys, founding codes, linked identities."},
    {"name": "operator", "description": "For who runs the service; nothing of a collaboration."},
    {"name": "service", "description": "Public facts and health."},
]


def create_app(parts: RoomParts) -> FastAPI:
    """One service. Whoever calls this closes what `parts` hold."""
    app = FastAPI(
        title="Mixroom clean room",
        version="1",
        description=DESCRIPTION,
        openapi_tags=_TAGS,
        docs_url=None,  # both pages load scripts from elsewhere
        redoc_url=None,
        lifespan=_lifespan,
        responses=ERROR_RESPONSES,
        separate_input_output_schemas=False,
    )
    app.state.parts = parts
    app.state.upload_turns = UploadTurns()
    app.state.broker_threads = anyio.CapacityLimiter(BROKERS_AT_ONCE)
    for routes in (
        collaboration_routes,
        proposal_routes,
        dataset_routes,
        upload_routes,
        query_routes,
        broker_routes,
        audit_routes,
        key_routes,
        service_routes,
    ):
        app.include_router(routes.router)
    add_error_answers(app)
    app.add_middleware(AnswerSchedule, step_seconds=parts.settings.answer_step_seconds)
    app.add_middleware(RequestGate, encrypted=parts.settings.is_encrypted)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    parts: RoomParts = app.state.parts
    anyio.to_thread.current_default_thread_limiter().total_tokens = parts.settings.request_threads
    yield
