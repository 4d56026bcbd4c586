"""What a program may try on the host's end: exit codes, prints, core dumps, no answers, rare calls of the kernel."""

from __future__ import annotations

import ctypes
import importlib
import os
import resource
import sys
from functools import partial

from tests.privacy.enclave.sandbox.programs.outcomes import outcome

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4
# Numbers on x86-64 (arch/x86/entry/syscalls/syscall_64.tbl) of calls with which kernels were broken.
DANGEROUS = {"bpf": 321, "io_uring_setup": 425, "userfaultfd": 323, "add_key": 248, "perf_event_open": 298}


def leave(code: int) -> None:
    """End with an exit code that says something."""
    os._exit(code)


def leave_by(number: int) -> None:
    """End by a fault: a write to where nothing is, or a failed assertion of the C library."""
    if number == 0:
        ctypes.memset(0, 0, 1)
    _LIBC.abort()


def write_out(text: str) -> str:
    """Print to standard output and standard error."""
    os.write(1, text.encode())
    os.write(2, text.encode())
    sys.stdout.write(text)
    sys.stdout.flush()
    sys.stderr.write(text)
    return "printed"


def loop() -> None:
    """Never answer."""
    while True:
        pass


def hold() -> None:
    """Never answer, and let no other thread of the program run, such as the one that waits for the host's end."""
    ctypes.PyDLL(None).sleep(100_000)


def announce(length: int, sent: int) -> None:
    """Announce a message of `length` bytes and send `sent` of them."""
    channel = int(sys.argv[2])
    os.write(channel, bytes([2]) + length.to_bytes(8, "big"))
    block = b"x" * 2**20
    while sent > 0:
        sent -= os.write(channel, block[: min(sent, len(block))])
    while True:
        pass


def send_kind(kind: int) -> None:
    """Send a frame of a kind that is not for programs, with nothing in it."""
    os.write(int(sys.argv[2]), bytes([kind]) + bytes(8))


def send_file() -> None:
    """Send the host an open file."""
    import socket

    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=os.dup(int(sys.argv[2])))
    socket.send_fds(end, [bytes([2]) + bytes(8)], [0])


def core() -> dict[str, int]:
    """What decides whether a crash leaves a core dump, and whether that can be changed back."""
    raised = outcome(lambda: resource.setrlimit(resource.RLIMIT_CORE, (2**20, 2**20)))
    _LIBC.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    return {
        "dumpable": _LIBC.prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0),
        "limit": resource.getrlimit(resource.RLIMIT_CORE)[1],
        "raised": int(raised == "worked"),
    }


def crash() -> None:
    """End in a way that would leave a core dump."""
    ctypes.memset(0, 0, 1)


def dangerous_calls() -> dict[str, str]:
    """Calls for rarely used parts of the kernel, with arguments that change nothing."""

    def attempt(number: int) -> None:
        ctypes.set_errno(0)
        _LIBC.syscall(number, 0, 0, 0, 0, 0)
        raise OSError(ctypes.get_errno(), "")

    return {name: outcome(partial(attempt, number)) for name, number in DANGEROUS.items()}


def about_itself() -> dict[str, object]:
    """What the program has without having done anything for it."""
    descriptors = [number for number in range(256) if outcome(partial(os.fstat, number)) == "worked"]
    return {
        "environment": dict(os.environ),
        "descriptors": descriptors,
        "channel": int(sys.argv[2]),
        "user": os.getuid(),
        "path": sys.path,
        "cache": sys.pycache_prefix,
        "cached": sorted({str(getattr(module, "__cached__", "")) for module in list(sys.modules.values())}),
    }


def import_library(name: str) -> str:
    """Import what the program was not measured with."""
    return outcome(lambda: importlib.import_module(name))
