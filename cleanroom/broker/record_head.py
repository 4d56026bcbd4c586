"""How far a party has seen the collaboration's record, and for how long keys are kept as the rules in it have it.

One small file that the party's client and its broker share, so that neither takes a record older than the other saw.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cleanroom.broker.private_files import read_private, write_private
from cleanroom.errors import HomeUnusable
from cleanroom.governance.room_state import RoomState
from privacy.canonical_json import digest_of

Events = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class RecordHead:
    """`events`: how many there were. `retention_days`: by dataset, as the newest of them say."""

    events: int
    digest: str
    retention_days: Mapping[str, int]

    @classmethod
    def of(cls, events: Events, state: RoomState) -> RecordHead:
        """Of a record that was verified as `state`."""
        days = {name: owned.document.rule.retention_days for name, owned in state.rules.items()}
        return cls(len(events), _digest(events), days)

    def is_in(self, events: Events) -> bool:
        """Whether these are the events that were seen, and maybe later ones."""
        return len(events) >= self.events and _digest(events[: self.events]) == self.digest


NOTHING_SEEN = RecordHead(0, digest_of([]), {})


def read_head(path: Path) -> RecordHead:
    """As it was written; NOTHING_SEEN before the first. Raises HomeUnusable when it is damaged."""
    try:
        plain = json.loads(read_private(path))
        days = {str(name): int(value) for name, value in plain["retention_days"].items()}
        return RecordHead(int(plain["events"]), str(plain["digest"]), days)
    except FileNotFoundError:
        return NOTHING_SEEN
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise HomeUnusable(f"{path} is damaged; it was not used", hint="restore it from a backup") from error


def write_head(path: Path, head: RecordHead) -> None:
    """On the disk once this returns."""
    write_private(path, json.dumps(asdict(head)).encode() + b"\n")


def _digest(events: Events) -> str:
    """Without the signatures: further ones may come to a proposal that is in force."""
    return digest_of(
        [{name: part for name, part in event.items() if name != "signatures"} for event in events]
    )
