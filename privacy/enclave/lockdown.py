"""How a process confines itself: once before it imports its program, and again before it takes the first message.

`confine` runs in both kinds of sandbox. Under bubblewrap, namespaces, mounts, the ordinary user and the first filter
of system calls are there already; in the reduced sandbox the process makes of them what the kernel gives it.
"""

from __future__ import annotations

import json
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

from privacy.enclave.kernel_calls import (
    PR_SET_DUMPABLE,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    filter_system_calls,
    prctl,
)
from privacy.enclave.landlock import restrict_files
from privacy.enclave.resource_limits import ResourceLimits
from privacy.enclave.sandbox_profile import Isolation
from privacy.enclave.separation import Separation, separate

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
    """Before the program is imported. Raises OSError when the kernel refuses what it should have."""
    settings = _settings(folder)
    if settings.isolation is Isolation.NONE:
        return
    separation = Separation(can_spill=True, needed=())
    if settings.isolation is Isolation.REDUCED:
        separation = separate(settings.spill, settings.limits.spill_bytes, ordinary=settings.ordinary)
    settings.limits.apply()
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_DUMPABLE, 0)  # no core dump, no debugger, no /proc/PID/mem for other processes of the user
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    write = (settings.spill,) if separation.can_spill else ()
    restrict_files(read=(*settings.readable, *separation.needed), write=write)
    if settings.isolation is Isolation.REDUCED:
        filter_system_calls(Path(folder, FIRST_FILTER).read_bytes())


def lock_down(folder: str) -> LockdownSettings:
    """After the program was imported, before its first message. Returns what the process is confined to."""
    settings = _settings(folder)
    if settings.isolation is not Isolation.NONE:
        filter_system_calls(Path(folder, SECOND_FILTER).read_bytes())
    return settings


def _settings(folder: str) -> LockdownSettings:
    return LockdownSettings.of(Path(folder, SETTINGS_FILE).read_bytes())
