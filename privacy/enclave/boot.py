"""The few lines that Python starts with inside an enclave, before anything is imported.

Python runs isolated (`-I`), without site and its `.pth` files (`-S`), and neither reads nor writes a cache of bytecode
next to a module, which nobody measured: bytecode comes from a folder of its own (`privacy/enclave/bytecode.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

BOOT = """\
import sys
sys.path[:] = [sys.argv[1] + "/app", *sys.path, sys.argv[1] + "/site"]
from privacy.enclave.lockdown import confine
confine(sys.argv[1])
import runpy
runpy.run_module(sys.argv[3], run_name="__main__", alter_sys=True)
"""
FLAGS = ("-I", "-S", "-B")
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def python_command(interpreter: str, folder: str, channel: int, module: str) -> Sequence[str]:
    """The command that runs `module`; `folder` holds what is laid out for the enclave, `channel` is its descriptor."""
    cache = f"pycache_prefix={folder}/bytecode"
    return (interpreter, *FLAGS, "-X", cache, "-c", BOOT, folder, str(channel), module)
