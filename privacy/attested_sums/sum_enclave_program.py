"""Which program adds up silos' vectors, under which limits: coordinator and silos measure the same from it."""

from functools import cache

from privacy.enclave.enclave_program import EnclaveProgram
from privacy.enclave.isolation import Isolation
from privacy.enclave.measuring import measure
from privacy.enclave.resource_limits import ResourceLimits
from privacy.enclave.sandbox_profile import SandboxProfile

SUM_ENCLAVE = EnclaveProgram("sum enclave", "server.sum_enclave")
# It writes nothing, and lives as long as the run.
LIMITS = ResourceLimits(memory_bytes=4 * 2**30, spill_bytes=16 * 2**20, cpu_seconds=24 * 3600, threads=32)


def sum_enclave_profile(isolation: Isolation) -> SandboxProfile:
    """The one profile for each isolation: with settings of its own every run would measure differently."""
    return SandboxProfile(isolation, LIMITS)


@cache  # of what this process was started from
def own_measurement(isolation: Isolation) -> str:
    """Register 0 in hex of the sum enclave as installed here; what a silo accepts unless its file says otherwise."""
    return measure(SUM_ENCLAVE, sum_enclave_profile(isolation).manifest()).code
