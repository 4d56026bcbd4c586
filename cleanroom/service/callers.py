"""Who is calling: an API key or an identity provider's token, as a bearer of either."""

from __future__ import annotations

from typing import Annotated

import anyio
import anyio.to_thread
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from cleanroom.governance.credentials import not_authorised
from cleanroom.governance.principal import Principal
from cleanroom.service.request_gate import require_plain_body
from cleanroom.service.room_parts import Parts

API_KEY_PREFIX = "mrk_"
BROKERS_AT_ONCE = 8
_BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="An API key or founding code (`mrk_...`), or the signed token of an identity provider that the "
    "service knows and the member has linked.",
)


def _caller(
    request: Request, parts: Parts, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> Principal:
    """Raises NotAuthorised, with the same words for every cause; NotFound for another's collaboration."""
    if given is None:
        raise not_authorised()
    principal = _authenticate(request, parts, given.credentials)
    request.state.caller = principal.label
    collaboration = request.path_params.get("collaboration")
    if collaboration is not None:  # who may not know of it is told so before anything about the request
        principal.require(collaboration)
        require_plain_body(request)
    return principal


Caller = Annotated[Principal, Depends(_caller)]


async def _broker(
    request: Request, parts: Parts, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> Principal:
    """In threads of its own: while queries wait for brokers in all others, brokers still get in."""
    threads: anyio.CapacityLimiter = request.app.state.broker_threads
    return await anyio.to_thread.run_sync(_caller, request, parts, given, limiter=threads)


BrokerCaller = Annotated[Principal, Depends(_broker)]


def _authenticate(request: Request, parts: Parts, credentials: str) -> Principal:
    now = parts.clock()
    if credentials.startswith(API_KEY_PREFIX):
        return parts.governance.api_keys.authenticate(credentials, now=now)
    collaboration = request.path_params.get("collaboration")
    return parts.oidc.authenticate(credentials, collaboration=collaboration, now=now)
