"""How a process confines itself: once before it imports its program, and again before it takes the first message.

`confine` runs in both kinds of sandbox. Under bubblewrap, namespaces, mounts, the ordinary user and the first filter
of system calls are there already; in the reduced sandbox the process makes of them what the kernel gives it.

Guarantee: with reduced isolation the program is not imported unless limits, Landlock and the filter are in force, and
writes to no disk: its folder for spilled data is in memory, or there is none.
"""

from __future__ import annotations

import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

from privacy.enclave.isolation import Isolation
from privacy.enclave.kernel_calls import (
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    filter_system_calls,
    prctl,
)
from privacy.enclave.landlock import restrict_files
from privacy.enclave.resource_limits import ResourceLimits
from privacy.enclave.separation import Separation, separate
from privacy.enclave.yielding import yield_memory
from privacy.errors import EnclaveUnavailable

SETTINGS_FILE = "settings.json"
FIRST_FILTER, SECOND_FILTER = "launch.bpf", "locked.bpf"


@dataclass(frozen=True)
class LockdownSettings:
    """What the host tells a process to be confined to. `readable`: folders of code. `ordinary`: an uid, 0 for none."""

    isolation: Isolation
    limits: ResourceLimits
    readable: tuple[str, ...]
    spill: str
    ordinary: int = 0

    def to_bytes(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def of(cls, content: bytes) -> LockdownSettings:
        """From what `to_bytes` gave."""
        plain = json.loads(content)
        return cls(
            Isolation(plain["isolation"]),
            ResourceLimits.of(plain["limits"]),
            tuple(plain["readable"]),
            plain["spill"],
            plain["ordinary"],
        )


def confine(folder: str) -> None:
    """Before the program is imported. Raises OSError when the kernel refuses what it should have, and
    EnclaveUnavailable when nothing would keep the reduced sandbox from the host's files."""
    settings = _settings(folder)
    if settings.isolation is Isolation.NONE:
        return
    separation = Separation(can_spill=True, needed=())
    if settings.isolation is Isolation.REDUCED:
        yield_memory()
        separation = separate(settings.spill, settings.limits.spill_bytes, ordinary=settings.ordinary)
    settings.limits.apply()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_DUMPABLE, 0)  # no core dump, no debugger, no /proc/PID/mem for other processes of the user
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    write = (settings.spill,) if separation.can_spill else ()
    is_restricted = restrict_files(read=(*settings.readable, *separation.needed), write=write)
    if settings.isolation is Isolation.REDUCED:
        if not is_restricted:  # bubblewrap's mounts hold without it, nothing here does
            raise EnclaveUnavailable(
                "the kernel has no Landlock, or it is switched off",
                hint="see `privacy/enclave/availability.py`, which tells the operator",
            )
        filter_system_calls(Path(folder, FIRST_FILTER).read_bytes())


def lock_down(folder: str) -> Path | None:
    """After the program was imported, before its first message. The folder to spill to, if there is one."""
    settings = _settings(folder)
    if settings.isolation is not Isolation.NONE:
        filter_system_calls(Path(folder, SECOND_FILTER).read_bytes())
    spill = Path(settings.spill)
    if settings.isolation is Isolation.REDUCED and not _is_mounted(spill):
        return None
    return spill


def _is_mounted(folder: Path) -> bool:
    """Whether a file system of its own lies there: `separate` mounts nothing but memory."""
    return os.stat(folder).st_dev != os.stat(folder.parent).st_dev


def _settings(folder: str) -> LockdownSettings:
    return LockdownSettings.of(Path(folder, SETTINGS_FILE).read_bytes())
