"""What is known of a data key without the key: whose it is, since when, and, once destroyed, what proves that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cleanroom.datasets.sealed_table import SealedTableManifest
from privacy.canonical_json import digest_of

DESTROYED_FORMAT = "mixroom-destroyed-key/1"


@dataclass(frozen=True)
class HeldKey:
    """One upload's key. `kept`: since when, in UTC; its retention is counted from then."""

    collaboration: str
    dataset: str
    version: str
    owner: str
    manifest_digest: str
    kept: datetime

    @classmethod
    def of(cls, manifest: SealedTableManifest, now: datetime) -> HeldKey:
        """For the table of this manifest, from now on."""
        where = manifest.context
        return cls(
            where.collaboration,
            where.dataset,
            where.version,
            where.owner,
            digest_of(manifest.to_plain()),
            now.astimezone(UTC),
        )

    def to_plain(self) -> dict[str, str]:
        """Plain JSON values; the wrapped key is bound to them."""
        return {**asdict(self), "kept": self.kept.isoformat()}

    @classmethod
    def read(cls, plain: Mapping[str, str]) -> HeldKey:
        """From what `to_plain` gave. Raises ValueError, TypeError or KeyError for anything else."""
        texts = {name: str(value) for name, value in plain.items() if name != "kept"}
        return cls(**texts, kept=datetime.fromisoformat(plain["kept"]).astimezone(UTC))

    def is_expired(self, retention_days: int, now: datetime) -> bool:
        """Whether its retention has ended; 0 days are for ever."""
        return retention_days > 0 and self.kept + timedelta(days=retention_days) <= now


@dataclass(frozen=True)
class Tombstone:
    """A key that is gone. Whoever has a copy all the same can be shown that it is that key, by `commitment`."""

    dataset: str
    version: str
    commitment: str
    destroyed: datetime
    why: str

    def to_plain(self) -> dict[str, str]:
        """Plain JSON values."""
        return {"format": DESTROYED_FORMAT, **asdict(self), "destroyed": self.destroyed.isoformat()}

    @classmethod
    def read(cls, content: bytes) -> Tombstone:
        """From JSON of what `to_plain` gave. Raises ValueError, TypeError or KeyError for anything else."""
        plain: dict[str, Any] = json.loads(content)
        if plain.pop("format") != DESTROYED_FORMAT:
            raise ValueError("another format")
        return cls(**{**plain, "destroyed": datetime.fromisoformat(plain["destroyed"])})
