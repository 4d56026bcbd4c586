"""The kernel's calls that Python has no names for. Numbers are the same on x86-64 and arm64 where one is given."""

from __future__ import annotations

import ctypes
import errno
import os

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long

PR_SET_PDEATHSIG, PR_GET_DUMPABLE, PR_SET_DUMPABLE = 1, 3, 4
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x8, 0x4000, 0x40000
_CAPABILITY_VERSION_3 = 0x20080522
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_SET_MODE_FILTER, _FOR_ALL_THREADS = 1, 1
_INSTRUCTION_BYTES = 8


def prctl(option: int, argument: int = 0) -> int:
    """Raises OSError."""
    return _checked(_LIBC.prctl(option, *map(ctypes.c_ulong, (argument, 0, 0, 0))))


def syscall(number: int, *arguments: object) -> int:
    """Integers are passed as long. Raises OSError."""
    values = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return _checked(_LIBC.syscall(ctypes.c_long(number), *values))


def unshare(flags: int) -> None:
    """Raises OSError."""
    _checked(_LIBC.unshare(flags))


def mount(source: str, target: str, kind: str, flags: int, data: str) -> None:
    """Raises OSError."""
    texts = [os.fsencode(text) for text in (source, target, kind)]
    _checked(_LIBC.mount(*texts, ctypes.c_ulong(flags), os.fsencode(data)))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def filter_system_calls(instructions: bytes) -> None:
    """Add a filter to this thread and all others of the process, which libraries may have made. Raises OSError."""
    program = _Program(len(instructions) // _INSTRUCTION_BYTES, instructions)
    number = _SECCOMP[os.uname().machine]
    if syscall(number, _SET_MODE_FILTER, _FOR_ALL_THREADS, ctypes.byref(program)):
        raise OSError(errno.EBUSY, "a thread has another filter")


def drop_bounding_set() -> None:
    """No capability can be had by a later exec."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:  # beyond the last that this kernel has, or nothing to drop from
            return


def drop_capabilities() -> None:
    """None is effective, permitted or inheritable. Raises OSError."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _checked(_LIBC.capset(header, (ctypes.c_uint32 * 6)()))


def _checked(answer: int) -> int:
    if answer < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer
