"""Errors as answers, in one place: named refusals in their own words, everything else in one constant sentence."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from cleanroom.errors import Reason, RoomError
from cleanroom.service.answer_bodies import error_body
from privacy.errors import PrivacyError

_LOG = logging.getLogger("mixroom.room")
MOST_REASONS = 50  # of a request that has the wrong shape
_CODES = {
    400: ("request_unreadable", "the request cannot be read", "send one JSON document in UTF-8"),
    404: ("not_found", "there is no such path", "GET /openapi.json lists all paths"),
    405: ("method_not_allowed", "this path does not take this method", "GET /openapi.json lists all paths"),
    408: ("request_slow", "the request did not arrive in time; nothing was changed", "send it again"),
    413: ("request_too_large", "the request is too large", "send less at once"),
    415: ("content_type", "the content type is not one that this path takes", "send application/json"),
}


class WrongContentType(RoomError):
    """The request's content type is not the one that the path takes; nothing was read."""

    code, status = "content_type", 415


def add_error_answers(app: FastAPI) -> None:
    """Every error that leaves a route gets the one shape."""
    app.add_exception_handler(RoomError, _room_error)
    app.add_exception_handler(PrivacyError, _privacy_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)


def room_error_answer(error: RoomError) -> JSONResponse:
    """A named refusal or failure."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    body = error_body(error.status, error.code, str(error), hint=error.hint, reasons=error.reasons)
    return JSONResponse(body, error.status, headers)


def plain_error_answer(status: int, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error of the protocol itself."""
    code, message, hint = _CODES.get(status, ("http_error", "the request was not accepted", "check the path"))
    return JSONResponse(error_body(status, code, message, hint=hint), status, headers)


def failure_answer(error: BaseException) -> JSONResponse:
    """Something that nobody foresaw: only its type is written down, as its text may hold anything."""
    _LOG.error("unforeseen %s", type(error).__name__)
    message = "the service failed; what was asked may not have been done, and a charge that was made stays"
    hint = "try again; if it stays so, tell the operator the time"
    return JSONResponse(error_body(500, "service_failed", message, hint=hint), 500)


def method_not_allowed() -> None:
    """For a fixed path that the pattern of another route would match too."""
    raise HTTPException(405)


async def _room_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RoomError)
    return room_error_answer(error)


async def _privacy_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PrivacyError)
    return JSONResponse(error_body(409, "not_acceptable", str(error), hint=error.hint), 409)


async def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    """Names places and expectations, never the values that were sent."""
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    reasons = [
        Reason(
            "request_invalid",
            f"{'.'.join(f'{part:.60}' for part in map(str, problem['loc']))}: {problem['msg']:.300}",
            "GET /openapi.json describes the request",
        )
        for problem in problems[:MOST_REASONS]
    ]
    body = error_body(
        422,
        "request_invalid",
        f"the request has {len(problems)} problem{'s'[: len(problems) != 1]}; nothing was changed",
        hint="GET /openapi.json describes the request",
        reasons=reasons,
    )
    return JSONResponse(body, 422)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = {"Allow": _methods(request)} if error.status_code == 405 else error.headers
    return plain_error_answer(error.status_code, headers)


def _methods(request: Request) -> str:
    """All that the path takes; the router itself names those of one route only."""
    found = [
        (path.count("{"), methods)
        for path, methods in request.app.openapi()["paths"].items()
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), request.url.path)
    ]
    _, methods = min(found, key=lambda each: each[0], default=(0, ()))  # a fixed path before a pattern
    return ", ".join(sorted(method.upper() for method in methods))
