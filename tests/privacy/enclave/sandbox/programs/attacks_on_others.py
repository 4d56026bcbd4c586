"""Reading and stopping other processes, and making more of them."""

from __future__ import annotations

import ctypes
import os
import signal
import threading

from tests.privacy.enclave.sandbox.programs.outcomes import outcome

_LIBC = ctypes.CDLL(None, use_errno=True)
_PTRACE_SEIZE, _PTRACE_TRACEME = 0x4206, 0
_CLONE_NEWUSER = 0x10000000
_CLONE3 = 435


class _Piece(ctypes.Structure):
    _fields_ = (("start", ctypes.c_void_p), ("length", ctypes.c_size_t))


def read_process(process: int, address: int) -> dict[str, str]:
    """Environment and memory of a process of the host, by its files and by the two system calls for it."""

    def by_file() -> None:
        with open(f"/proc/{process}/mem", "rb", buffering=0) as file:
            file.seek(address)
            file.read(8)

    def environment() -> None:
        with open(f"/proc/{process}/environ", "rb") as file:
            file.read(1)

    def by_call() -> None:
        buffer = ctypes.create_string_buffer(8)
        here = _Piece(ctypes.cast(buffer, ctypes.c_void_p), 8)
        there = _Piece(address, 8)
        _checked(_LIBC.process_vm_readv(process, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))

    return {"mem": outcome(by_file), "environ": outcome(environment), "process_vm_readv": outcome(by_call)}


def trace(process: int) -> dict[str, str]:
    """Attach to a process of the host, or to one of the sandbox."""
    return {
        "host": outcome(lambda: _checked(_LIBC.ptrace(_PTRACE_SEIZE, process, 0, 0))),
        "first": outcome(lambda: _checked(_LIBC.ptrace(_PTRACE_SEIZE, 1, 0, 0))),
        "self": outcome(lambda: _checked(_LIBC.ptrace(_PTRACE_TRACEME, 0, 0, 0))),
    }


def stop_process(process: int) -> str:
    """Send a signal to a process of the host."""
    return outcome(lambda: os.kill(process, signal.SIGTERM))


def make_processes(program: str) -> dict[str, str]:
    """Every way to a second process, or to another program in this one."""

    def forked() -> None:
        if os.fork() == 0:
            os._exit(0)

    def by_clone3() -> None:
        class _Arguments(ctypes.Structure):
            _fields_ = (("words", ctypes.c_uint64 * 8),)

        arguments = _Arguments()
        arguments.words[4] = signal.SIGCHLD
        if _checked(_LIBC.syscall(_CLONE3, ctypes.byref(arguments), ctypes.sizeof(arguments))) == 0:
            os._exit(0)

    return {
        "fork": outcome(forked),
        "clone3": outcome(by_clone3),
        "posix_spawn": outcome(lambda: os.posix_spawn(program, [program, "-c", ""], {})),
        "unshare": outcome(lambda: _checked(_LIBC.unshare(_CLONE_NEWUSER))),
    }


def become(program: str) -> str:
    """Run another program in this process."""
    return outcome(lambda: os.execv(program, [program, "-c", "while True: pass"]))


def many_threads(most: int) -> int:
    """How many threads there can be."""
    ended = threading.Event()
    made = 0
    threading.stack_size(64 * 1024)
    while made < most:
        try:
            threading.Thread(target=ended.wait, daemon=True).start()
        except RuntimeError:
            break
        made += 1
    ended.set()
    return made


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
