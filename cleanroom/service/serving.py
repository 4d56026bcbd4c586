"""Runs one service until it is told to stop: its socket, its TLS, its log, its first credentials."""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

import uvicorn

from cleanroom.errors import StoreUnavailable
from cleanroom.governance.principal import Principal, PrincipalKind
from cleanroom.governance.secret_text import Secret
from cleanroom.service.app import create_app
from cleanroom.service.housekeeping import Housekeeping
from cleanroom.service.opening import open_room
from cleanroom.service.room_parts import RoomParts
from cleanroom.service.room_server import GRACE_SECONDS, RoomServer
from cleanroom.service.settings import RoomSettings

BACKLOG = 1024


@dataclass(frozen=True)
class FirstCredentials:
    """Made on the first start, and when no operator's key is good any more: such a key, and a code that founds one
    collaboration. Who starts the service can write its files anyway."""

    operator_key: Secret
    founding_code: Secret


@dataclass(frozen=True)
class Opened:
    """The service listens. `first`: only when there was no operator's key that is still good."""

    url: str
    first: FirstCredentials | None


def serve(settings: RoomSettings, *, opened: Callable[[Opened], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; requests that are under way are answered first.

    `opened` is told the URL once the socket is bound, before the first request is taken.
    """
    _log_to_stderr()
    signal.signal(signal.SIGTERM, _end)
    with open_room(settings, keep_bytecode=True) as parts, _bound(settings) as bound:
        configuration = _configuration(settings, parts)  # before anything is made or shown
        housekeeping = Housekeeping(parts)
        housekeeping.start()
        try:
            opened(Opened(_url(settings, bound), first_credentials(parts)))
            RoomServer(configuration, parts).run(sockets=[bound])
        finally:
            housekeeping.close()


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    """The server stops in order by itself and then has the signal act: enclaves and database are to be closed too."""
    raise SystemExit(0)


def first_credentials(parts: RoomParts) -> FirstCredentials | None:
    """An operator's key and a founding code, unless an operator has a key that is still good."""
    operator = Principal(PrincipalKind.OPERATOR, "operator", None, frozenset(), "first start")
    keys = parts.governance.api_keys
    now = parts.clock()
    held = [key for key in keys.list(operator) if key.kind is PrincipalKind.OPERATOR]
    if any(key.expires > now and (key.ended is None or key.ended > now) for key in held):
        return None
    issued = keys.create_operator(now=now)
    code = keys.create_founding_code(keys.authenticate(issued.key.reveal(), now=now), now=now)
    return FirstCredentials(issued.key, code.key)


def _configuration(settings: RoomSettings, parts: RoomParts) -> uvicorn.Config:
    configuration = uvicorn.Config(
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
    try:
        configuration.load()
    except OSError as error:  # ssl.SSLError is one
        raise StoreUnavailable(
            "the certificate or its key cannot be read or do not belong together; nothing was started",
            hint="give PEM files that this user may read with --certificate and --key",
        ) from error
    return configuration


def _bound(settings: RoomSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((settings.host, settings.port))
        bound.listen(BACKLOG)  # whoever reads the URL may connect at once
    except OSError as error:
        bound.close()
        raise StoreUnavailable(
            f"{settings.host:.60} port {settings.port} cannot be listened on: {error.strerror or 'no such address'}",
            hint="choose another --port or --host, or stop what listens there",
        ) from error
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
