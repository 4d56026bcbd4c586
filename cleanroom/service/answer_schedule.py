"""Answers to queries leave on a schedule, so that how long the data took says next to nothing.

Guarantee: an answer begins at a whole multiple of `step_seconds` after its request came in. A release with and one
without withheld groups take the same path, so that only a large difference in work could reach the next step.
Not covered: queries that take whole steps longer for reasons of their data.
"""

from __future__ import annotations

import asyncio
import math
import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_QUERIES = re.compile(r"/v1/collaborations/[^/]+/(?:templates/[^/]+/)?queries")


class AnswerSchedule:
    """Holds back the start of every answer to a query, refusals included."""

    def __init__(self, app: ASGIApp, *, step_seconds: float) -> None:
        self._app = app
        self._step = step_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        asks = scope["type"] == "http" and scope["method"] == "POST" and _QUERIES.fullmatch(scope["path"])
        await self._app(scope, receive, self._held(send) if asks else send)

    def _held(self, send: Send) -> Send:
        came_in = time.monotonic()

        async def hold(message: Message) -> None:
            if message["type"] == "http.response.start":
                taken = time.monotonic() - came_in
                await asyncio.sleep(max(0.0, next_step(taken, self._step) - taken))
            await send(message)

        return hold


def next_step(taken_seconds: float, step_seconds: float) -> float:
    """The first multiple of the step that is not over yet."""
    return max(1, math.ceil(taken_seconds / step_seconds)) * step_seconds
