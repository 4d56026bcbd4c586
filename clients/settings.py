"""Which silo this client serves: from the node's configuration, or in simulations from its partition."""

from dataclasses import dataclass
from pathlib import Path

from clients.errors import SiloNotConfigured

SILO_KEY, SILOS_KEY, PARTITION_KEY = "silo", "silos", "partition-id"


@dataclass(frozen=True)
class SiloSettings:
    """`spec_path` is the silo's own TOML file, on the silo's own disk."""

    spec_path: Path

    @classmethod
    def read(cls, node_config: dict[str, object], run_config: dict[str, object]) -> "SiloSettings":
        """`silo` of the node's configuration, else entry `partition-id` of the run's `silos` (one a line)."""
        own = node_config.get(SILO_KEY)
        if isinstance(own, str) and own:
            return cls(Path(own))
        listed = [line for line in str(run_config.get(SILOS_KEY, "")).split("\n") if line]
        partition = node_config.get(PARTITION_KEY)
        if isinstance(partition, int) and 0 <= partition < len(listed):
            return cls(Path(listed[partition]))
        raise SiloNotConfigured(
            "this client serves no silo",
            hint="start it with --node-config 'silo=\"/path/to/silo.toml\"'",
        )
