"""Whether this machine can keep an enclave apart, found out by trying: what is installed says too little."""

from __future__ import annotations

import tempfile

from privacy.enclave.channel import ChannelBroken, Kind
from privacy.enclave.enclave_program import EnclaveProgram
from privacy.enclave.enclave_starter import EnclaveStarter
from privacy.enclave.isolation import Isolation
from privacy.enclave.laid_out import LaidOut
from privacy.enclave.program_files import files_of
from privacy.enclave.sandbox_profile import SandboxProfile
from privacy.errors import EnclaveUnavailable

TRIAL = EnclaveProgram("trial", "privacy.enclave.trial")
TRIAL_SECONDS = 20.0
_LAST_WORDS = 300


def isolation_available() -> Isolation:
    """The most this machine can do. NONE: not even reduced isolation."""
    for isolation in (Isolation.FULL, Isolation.REDUCED):
        try:
            require(isolation)
        except EnclaveUnavailable:
            continue
        return isolation
    return Isolation.NONE


def require(isolation: Isolation) -> None:
    """Start an enclave that does nothing. Raises EnclaveUnavailable with what is missing and what to do about it."""
    laid_out = LaidOut(files_of(TRIAL), SandboxProfile(isolation))
    try:
        with tempfile.TemporaryFile() as words:
            if not _starts(laid_out, words.fileno()):
                words.seek(0)
                raise _unavailable(isolation, words.read().decode(errors="replace").strip()[-_LAST_WORDS:])
    finally:
        laid_out.close()


def _starts(laid_out: LaidOut, errors: int) -> bool:
    starter = EnclaveStarter(laid_out, TRIAL.module, errors=errors)
    try:
        process, channel = starter.start()
        try:
            return channel.receive(seconds=TRIAL_SECONDS).kind is Kind.READY
        except ChannelBroken:
            return False
        finally:
            process.kill()
            process.wait()
            channel.close()
    finally:
        starter.close()


def _unavailable(isolation: Isolation, words: str) -> EnclaveUnavailable:
    if isolation is Isolation.FULL:
        hint = (
            "bubblewrap needs user namespaces, which this system may have switched off "
            "(sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns), "
            "and installed files that any user may read; or ask for reduced isolation"
        )
    else:
        hint = (
            "the kernel must have seccomp filters (Linux 4.14 or later) and Landlock (Linux 5.13 or later, with "
            '"landlock" in /sys/kernel/security/lsm: boot with lsm=landlock,.. added to what stands there); '
            "or ask for full isolation"
        )
    return EnclaveUnavailable(
        f"an enclave with {isolation} isolation cannot be started on this machine: {words or 'no reason given'}",
        hint=hint,
    )
