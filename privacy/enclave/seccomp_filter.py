"""An allow-list of system calls as a program for the kernel's filter.

Made outside, by libseccomp: inside, nothing but the kernel's own interface is needed to apply it. Calls of another
architecture than the machine's own (32-bit, x32) end the process with all its threads.
"""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Sequence

from privacy.enclave.system_calls import SystemCall
from privacy.errors import EnclaveUnavailable

_MISSING = "clone3"


def filter_program(allowed: Sequence[SystemCall]) -> bytes:
    """BPF instructions: `allowed` pass, `clone3` fails with ENOSYS, all else fails with EPERM.

    Raises EnclaveUnavailable where libseccomp is missing.
    """
    try:
        import pyseccomp  # type: ignore[import-untyped]
    except (ImportError, OSError, RuntimeError) as error:
        raise EnclaveUnavailable(
            "libseccomp is missing, which makes the filter of system calls; nothing was started",
            hint="on Debian or Ubuntu: sudo apt-get install libseccomp2",
        ) from error
    calls = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.EPERM))
    calls.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.KILL_PROCESS)
    calls.add_rule(pyseccomp.ERRNO(errno.ENOSYS), _MISSING)
    for call in allowed:
        if not call.conditions:
            calls.add_rule(pyseccomp.ALLOW, call.name)
        for condition in call.conditions:
            argument = pyseccomp.Arg(condition.index, pyseccomp.MASKED_EQ, condition.mask, condition.value)
            calls.add_rule(pyseccomp.ALLOW, call.name, argument)
    with tempfile.TemporaryFile() as file:
        calls.export_bpf(file)
        file.seek(0)
        return file.read()
