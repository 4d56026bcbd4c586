"""Runs one service until it is told to stop: its socket, its TLS, its log, its first credentials."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn

from cleanroom.governance.principal import Principal, PrincipalKind
from cleanroom.governance.secret_text import Secret
from cleanroom.service.app import create_app
from cleanroom.service.housekeeping import Housekeeping
from cleanroom.service.opening import open_room
from cleanroom.service.room_parts import RoomParts
from cleanroom.service.settings import RoomSettings

GRACE_SECONDS = 30
BACKLOG = 1024


@dataclass(frozen=True)
class FirstCredentials:
    """Made once, on the first start: the operator's key, and a code that founds one collaboration."""

    operator_key: Secret
    founding_code: Secret


@dataclass(frozen=True)
class Opened:
    """The service listens. `first`: only when it was started for the first time."""

    url: str
    first: FirstCredentials | None


def serve(settings: RoomSettings, *, opened: Callable[[Opened], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that are under way are answered first.

    `opened` is told the URL once the socket is bound, before the first request is taken.
    """
    _log_to_stderr()
    with open_room(settings) as parts, _bound(settings) as bound:
        housekeeping = Housekeeping(parts)
        housekeeping.start()
        try:
            opened(Opened(_url(settings, bound), first_credentials(parts)))
            server = uvicorn.Server(_configuration(settings, parts))
            server.run(sockets=[bound])
        finally:
            housekeeping.close()


def first_credentials(parts: RoomParts) -> FirstCredentials | None:
    """An operator's key and a founding code, unless there has ever been an operator."""
    operator = Principal(PrincipalKind.OPERATOR, "operator", None, frozenset(), "first start")
    keys = parts.governance.api_keys
    if keys.list(operator):
        return None
    now = parts.clock()
    issued = keys.create_operator(now=now)
    code = keys.create_founding_code(keys.authenticate(issued.key.reveal(), now=now), now=now)
    return FirstCredentials(issued.key, code.key)


def _configuration(settings: RoomSettings, parts: RoomParts) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(parts),
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
        log_config=None,
        access_log=False,  # the gate writes its own line, without query strings
        server_header=False,
        date_header=True,
        h11_max_incomplete_event_size=64 * 1024,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _bound(settings: RoomSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((settings.host, settings.port))
        bound.listen(BACKLOG)  # whoever reads the URL may connect at once
    except OSError:
        bound.close()
        raise
    return bound


def _url(settings: RoomSettings, bound: socket.socket) -> str:
    scheme = "https" if settings.is_encrypted else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{bound.getsockname()[1]}"


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("mixroom.room")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
