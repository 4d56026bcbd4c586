"""The service's own folder: database, vault, its signing keys and pepper, the emulated enclave's root."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cleanroom.governance.pepper import Pepper
from privacy.party_keys import PartyKeys

SERVICE_NAME = "service"


@dataclass(frozen=True)
class ServiceHome:
    """The folder given as `--data`. Asking for its keys makes them the first time."""

    folder: Path

    def __post_init__(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def vault(self) -> Path:
        """Where sealed tables are."""
        return self.folder / "vault"

    @property
    def enclave(self) -> Path:
        """Where the emulated platform keeps its root, which partners pin."""
        return self.folder / "enclave"

    @property
    def bytecode(self) -> Path:
        """Compiled modules of the worker, beside the root and with the protection that it needs."""
        return self.enclave / "bytecode"

    def pepper(self) -> Pepper:
        """The key under which credentials are hashed."""
        return Pepper.load_or_create(self.folder / "pepper")

    def service_keys(self) -> PartyKeys:
        """The keys that sign the audit logs' checkpoints."""
        folder = self.folder / "service-keys"
        if not folder.exists():
            PartyKeys.generate(SERVICE_NAME).save(folder)
        return PartyKeys.load(folder)
