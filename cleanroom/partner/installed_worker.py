"""What the clean room's worker measures as when this installation runs it: what a party trusts unless told more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cleanroom.broker.allowed_code import InstalledCode
from cleanroom.worker.enclave_executor import WORKER_PROGRAM
from privacy.enclave.isolation import Isolation
from privacy.enclave.measurement import Measurement
from privacy.enclave.measuring import MeasuredProgram
from privacy.enclave.sandbox_profile import SandboxProfile

OWN = "this installation's"
OWN_REDUCED = "this installation's with reduced isolation: less keeps the worker apart from its host"
ALLOWED = "one that you allow"


@dataclass(frozen=True)
class InstalledWorker:
    """The registers, and the sorted lines `digest kind name` that register 0 is made of."""

    measurement: Measurement
    lines: tuple[str, ...]

    @classmethod
    def measured(cls, isolation: Isolation) -> InstalledWorker:
        """Read every file; under a second. Raises EnclaveUnavailable when one is missing."""
        program = MeasuredProgram(WORKER_PROGRAM, SandboxProfile(isolation).manifest())
        return cls(program.measurement, program.lines)


def installed_code() -> InstalledCode:
    """Both measurements of this installation, for a broker."""
    full, reduced = (
        InstalledWorker.measured(isolation).measurement.code
        for isolation in (Isolation.FULL, Isolation.REDUCED)
    )
    return InstalledCode(full, reduced)


def known_measurements(allowed: Iterable[str] = ()) -> dict[str, str]:
    """Register 0 in hex -> whose it is, in words: this installation's, and what its user allows besides."""
    installed = installed_code()
    return {**dict.fromkeys(allowed, ALLOWED), installed.reduced: OWN_REDUCED, installed.full: OWN}
