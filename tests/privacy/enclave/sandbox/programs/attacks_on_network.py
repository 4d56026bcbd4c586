"""Ways out over sockets."""

from __future__ import annotations

import socket

from tests.privacy.enclave.sandbox.programs.outcomes import outcome

MARKER = b"a row of the table"


def tcp(port: int) -> str:
    """Send over a connection to the host's loopback."""

    def attempt() -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(MARKER)

    return outcome(attempt)


def udp(port: int) -> str:
    """Send a datagram."""

    def attempt() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(MARKER, ("127.0.0.1", port))

    return outcome(attempt)


def unix(address: str) -> str:
    """Connect to a local socket: a path, or with a leading "@" a name in the abstract namespace."""

    def attempt() -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(address.replace("@", "\0", 1))
            connection.sendall(MARKER)

    return outcome(attempt)


def vsock(port: int) -> str:
    """Open a socket to the hypervisor's or, where a test listens, to this machine."""

    def attempt() -> None:
        with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            connection.connect((1, port))  # VMADDR_CID_LOCAL
            connection.sendall(MARKER)

    return outcome(attempt)


def socket_pair() -> str:
    """A pair of local sockets, whose buffers are memory that no limit of a process counts."""
    return outcome(socket.socketpair)
