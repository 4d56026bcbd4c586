"""Runs the model service on one address until it is stopped."""

import signal
import socket
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from types import FrameType
from typing import NoReturn

import torch
import uvicorn

from server.errors import ServerError
from server.model_service import create_app

BACKLOG = 128
GRACE_SECONDS = 10


class AddressUnusable(ServerError):
    """The service cannot listen where it was told to; nothing was started."""


def serve_models(
    runs: Path | Mapping[str, Path], *, host: str, port: int, opened: Callable[[str], None]
) -> None:
    """Serve until SIGTERM or Ctrl-C. `opened` is told the URL before the first request is taken.

    Raises AddressUnusable.
    """
    torch.set_num_threads(1)  # answers are small: threads that share one cost more than they bring
    configuration = uvicorn.Config(
        create_app(runs),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    with _listening(host, port) as listener:
        signal.signal(signal.SIGTERM, _end)
        shown = f"[{host}]" if ":" in host else host
        opened(f"http://{shown}:{listener.getsockname()[1]}")
        uvicorn.Server(configuration).run(sockets=[listener])


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    """The server stops in order by itself and then has the signal act: being told to stop is no failure."""
    raise SystemExit(0)


def _listening(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)  # whoever reads the URL may connect at once
    except (OSError, OverflowError) as error:
        listener.close()
        raise AddressUnusable(
            f"{host:.60} port {port} cannot be listened on: {getattr(error, 'strerror', None) or error}",
            hint="choose another --port or --host, or stop what listens there",
        ) from error
    return listener
