"""What happens to every request before and after its route: limits, headers, one log line, no stray failure.

The log line holds method, path, caller and status; never a query string, a body or a key.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cleanroom.errors import RoomError
from cleanroom.service.error_answers import failure_answer, plain_error_answer, room_error_answer
from cleanroom.service.json_limits import LARGEST_JSON, read_json, require_plain

BODY, BODY_DIGEST = "mixroom.body", "mixroom.body_sha256"
RAW_CONTENT = "/content"
BODY_SECONDS = 30.0  # for a JSON request to arrive
LONGEST_LOGGED = 300
_LOG = logging.getLogger("mixroom.room")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def require_plain_body(request: Request) -> None:
    """Raise TextUnkept for a body that cannot be kept. Called once it is known that the caller may call."""
    require_plain(request.scope.get(BODY))


class RequestGate:
    """Outermost but for the server itself."""

    def __init__(self, app: ASGIApp, *, encrypted: bool) -> None:
        self._app = app
        secure = {"Strict-Transport-Security": "max-age=31536000"} if encrypted else {}
        self._headers = {**_HEADERS, **secure}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, answered = time.monotonic(), _Answered(send, self._headers)
        scope.setdefault("state", {})
        try:
            await self._admit(scope, receive, answered)
        except Exception as error:
            if answered.status:
                _LOG.error("unforeseen %s after the answer began", type(error).__name__)
            else:
                await failure_answer(error)(scope, receive, answered.send)
        finally:
            caller = scope["state"].get("caller", "-")
            took = 1000 * (time.monotonic() - started)
            path = quote(scope["path"][:LONGEST_LOGGED], safe="/")  # a line break in it would forge lines
            _LOG.info("%s %s %s %d %.0f ms", scope["method"], path, caller, answered.status, took)

    async def _admit(self, scope: Scope, receive: Receive, answered: _Answered) -> None:
        headers = Headers(scope=scope)
        if scope["path"].endswith(RAW_CONTENT):
            await self._app(scope, receive, answered.send)
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await _whole_body(headers, receive)
        except TimeoutError:
            await plain_error_answer(408, {"Connection": "close"})(scope, receive, answered.send)
            return
        if body is None:
            await plain_error_answer(413)(scope, receive, answered.send)
            return
        if body and headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            await plain_error_answer(415)(scope, receive, answered.send)
            return
        try:
            scope[BODY] = read_json(body) if body else None
        except RoomError as error:
            await room_error_answer(error)(scope, receive, answered.send)
            return
        scope[BODY_DIGEST] = hashlib.sha256(body).hexdigest()
        await self._app(scope, _Replay(body, receive), answered.send)


class _Answered:
    """Adds the headers, and remembers the status of the answer that has begun."""

    def __init__(self, send: Send, headers: dict[str, str]) -> None:
        self._send = send
        self._headers = headers
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers[name] = value
        await self._send(message)


class _Replay:
    """Gives a body that was read already to who reads it next."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _whole_body(headers: Headers, receive: Receive) -> bytes | None:
    """All of it; None when it is larger than a JSON request may be."""
    if (
        headers.get("content-length", "0").isdigit()
        and int(headers.get("content-length", "0")) > LARGEST_JSON
    ):
        return None
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_JSON:
            return None
        if message["type"] != "http.request":  # the caller has gone; what came of the body is not acted on
            return None
        if not message.get("more_body", False):
            return bytes(body)
