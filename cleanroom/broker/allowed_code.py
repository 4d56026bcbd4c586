"""Which programs a party gives its keys to: the worker of its own installation, and what it allowed besides."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cleanroom.errors import HomeUnusable
from privacy.enclave.attestation_verifier import AttestationPolicy

FORMAT = "mixroom-allowed-code/1"
_CODE = re.compile(r"[0-9a-f]{96}")
MOST_MEASUREMENTS = 1000


@dataclass(frozen=True)
class InstalledCode:
    """The clean room's worker as this installation measures it, register 0 in hex, by isolation; "" when unknown."""

    full: str
    reduced: str = ""


@dataclass(frozen=True)
class CodeRules:
    """A party's own wishes.

    measurements: programs allowed besides the installation's own. reduced: whether the installation's worker may run
    without bubblewrap. production: refuse emulated roots of trust.
    """

    measurements: tuple[str, ...] = ()
    reduced: bool = False
    production: bool = False

    def __post_init__(self) -> None:
        if len(self.measurements) > MOST_MEASUREMENTS or not all(map(_CODE.fullmatch, self.measurements)):
            raise HomeUnusable(
                "a measurement is 96 hexadecimal digits in lower case; nothing was changed",
                hint="copy it from `mixroom enclave measure`",
            )

    def policy(self, installed: InstalledCode, root: bytes) -> AttestationPolicy:
        """What an attestation must prove. `root`: the certificate that was pinned on joining, in DER."""
        own = {installed.full, *([installed.reduced] if self.reduced else [])}
        allowed = frozenset({*self.measurements, *own} - {""})
        return AttestationPolicy(roots=(root,), measurements=allowed, production=self.production)

    def to_bytes(self) -> bytes:
        """As it stands in the home."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode() + b"\n"

    @classmethod
    def of(cls, content: bytes) -> CodeRules:
        """From what `to_bytes` gave. Raises HomeUnusable for anything else."""
        try:
            plain: Mapping[str, Any] = json.loads(content)
            measurements, reduced, production = (
                plain[name] for name in ("measurements", "reduced", "production")
            )
            texts = isinstance(measurements, list) and all(isinstance(one, str) for one in measurements)
            if plain["format"] != FORMAT or len(plain) != 4 or not texts:
                raise ValueError("another format")
            if not isinstance(reduced, bool) or not isinstance(production, bool):
                raise TypeError("neither true nor false")
            return cls(tuple(measurements), reduced, production)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise HomeUnusable(
                "the list of allowed programs is damaged; no key was released",
                hint="write it anew with `mixroom room broker --allow`, or restore it from a backup",
            ) from error
