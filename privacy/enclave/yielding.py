"""How enclaves yield to the service that started them: the kernel ends them first, and lets the service run first.

For the service's sake only: where the system refuses, an enclave starts all the same.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

NICENESS = 5
OOM_SCORE = 500  # of 1000; services have 0 as a rule
_SCORE_FILE = Path("/proc/self/oom_score_adj")
_PROGRAMS = "/usr/bin:/bin"


def yield_processor() -> None:
    """Whatever this thread starts from now on runs when others do not want to; not other threads of the process."""
    with suppress(OSError):
        niceness = max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0))
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


def yield_memory() -> None:
    """Be among the first processes to end when memory runs out."""
    with suppress(OSError):
        if int(_SCORE_FILE.read_text()) < OOM_SCORE:
            _SCORE_FILE.write_text(str(OOM_SCORE))


def yielding_memory(command: Sequence[str]) -> list[str]:
    """The command for a program that does so together with all processes it starts."""
    choom = shutil.which("choom", path=_PROGRAMS)
    with suppress(OSError):
        if choom is not None and int(_SCORE_FILE.read_text()) < OOM_SCORE:
            return [choom, "-n", str(OOM_SCORE), "--", *command]
    return list(command)
