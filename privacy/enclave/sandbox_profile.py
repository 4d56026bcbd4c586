"""How far an enclave is kept apart from its host, and what it may use."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from privacy.canonical_json import canonical_json
from privacy.enclave.boot import BOOT, ENVIRONMENT, FLAGS
from privacy.enclave.bubblewrap import TEMPLATE
from privacy.enclave.isolation import Isolation
from privacy.enclave.resource_limits import ResourceLimits
from privacy.enclave.system_calls import AFTERWARDS, AT_LAUNCH


@dataclass(frozen=True)
class SandboxProfile:
    """Isolation and limits of one enclave: what partners trust besides the program, and part of what is measured."""

    isolation: Isolation = Isolation.FULL
    limits: ResourceLimits = field(default_factory=ResourceLimits)

    def manifest(self) -> bytes:
        """All that makes a difference, as canonical JSON, the same on every machine."""
        return canonical_json(
            {
                "format": "mixroom-sandbox/1",
                "isolation": self.isolation,
                "limits": asdict(self.limits),
                "boot": [*FLAGS, BOOT],
                "environment": ENVIRONMENT,
                "bubblewrap": TEMPLATE,
                "calls": {
                    "launch": [asdict(call) for call in AT_LAUNCH],
                    "locked": [asdict(call) for call in AFTERWARDS],
                },
            }
        )
