"""No way out over a socket of any family."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.privacy.enclave.sandbox.conftest import Sandbox
from tests.privacy.enclave.sandbox.programs.outcomes import WORKED


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


@pytest.fixture
def udp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        yield server


@pytest.fixture(params=["path", "abstract"])
def unix(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    address = str(tmp_path / "s") if request.param == "path" else f"@mixroom-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address.replace("@", "\0", 1))
        server.listen()
        server.settimeout(0.2)
        yield server, address


def test_tcp_is_refused(sandbox: Sandbox, tcp: socket.socket) -> None:
    assert sandbox.run("tcp", port=tcp.getsockname()[1]) == "EPERM"
    with pytest.raises(TimeoutError):
        tcp.accept()


def test_udp_is_refused(sandbox: Sandbox, udp: socket.socket) -> None:
    assert sandbox.run("udp", port=udp.getsockname()[1]) == "EPERM"
    with pytest.raises(TimeoutError):
        udp.recv(100)


def test_unix_socket_is_refused(sandbox: Sandbox, unix: tuple[socket.socket, str]) -> None:
    server, address = unix

    assert sandbox.run("unix", address=address) == "EPERM"
    with pytest.raises(TimeoutError):
        server.accept()


def test_vsock_is_refused(sandbox: Sandbox) -> None:
    assert sandbox.run("vsock", port=5000) == "EPERM"


def test_socket_pair_is_refused(sandbox: Sandbox) -> None:
    assert sandbox.run("socket_pair") == "EPERM"


def test_without_a_sandbox_each_way_leads_out(
    nothing: Sandbox, tcp: socket.socket, udp: socket.socket, unix: tuple[socket.socket, str]
) -> None:
    assert nothing.run("tcp", port=tcp.getsockname()[1]) == WORKED
    assert nothing.run("udp", port=udp.getsockname()[1]) == WORKED
    assert nothing.run("unix", address=unix[1]) == WORKED
    assert nothing.run("vsock", port=5000) != "EPERM"
    assert nothing.run("socket_pair") == WORKED
