"""What goes into a worker and what comes out: two JSON documents, nothing else.

The job holds no key that is not wrapped for the worker and no row; the outcome holds a signed release and the
collaboration's difference history, sealed under the worker's own key.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from cleanroom.errors import QueryFailed
from cleanroom.query.plan import Plan
from cleanroom.rules.analysis_rule import RuleDocument

FORMAT = "mixroom-job/1"


@dataclass(frozen=True)
class JobTable:
    """One sealed dataset: where it lies, its manifest as signed for, and its key, wrapped for the worker."""

    owner: str
    document: RuleDocument
    manifest: Mapping[str, Any]
    path: Path
    wrapped_key: bytes = field(repr=False)


@dataclass(frozen=True)
class Job:
    """One question to run.

    epsilon: 0 for the rules' usual. sequence: how many releases the history has seen.
    reuse: an earlier release of the same cells, signed by this worker: no table is opened and nothing is charged.
    """

    query_id: str
    collaboration: str
    asker: str
    asked_on: date
    plan: Plan
    tables: tuple[JobTable, ...]
    from_template: bool = False
    epsilon: float = 0.0
    history: bytes = field(default=b"", repr=False)
    sequence: int = 0
    reuse: Mapping[str, Any] | None = None

    def to_bytes(self) -> bytes:
        """One line of JSON."""
        plain = {
            "format": FORMAT,
            "query_id": self.query_id,
            "collaboration": self.collaboration,
            "asker": self.asker,
            "asked_on": self.asked_on.isoformat(),
            "plan": self.plan.model_dump(mode="json"),
            "tables": [
                {
                    "owner": table.owner,
                    "document": table.document.canonical(),
                    "manifest": dict(table.manifest),
                    "path": str(table.path),
                    "wrapped_key": _text(table.wrapped_key),
                }
                for table in self.tables
            ],
            "from_template": self.from_template,
            "epsilon": self.epsilon,
            "history": _text(self.history),
            "sequence": self.sequence,
            "reuse": None if self.reuse is None else dict(self.reuse),
        }
        return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode() + b"\n"

    @classmethod
    def of(cls, line: bytes) -> Job:
        """Raises QueryFailed for anything that `to_bytes` does not write."""
        try:
            plain = json.loads(line)
            if plain.pop("format") != FORMAT:
                raise ValueError("another format")
            tables = tuple(
                JobTable(
                    owner=str(table["owner"]),
                    document=RuleDocument.model_validate(table["document"]),
                    manifest=dict(table["manifest"]),
                    path=Path(table["path"]),
                    wrapped_key=_bytes(table["wrapped_key"]),
                )
                for table in plain.pop("tables")
            )
            return cls(
                plan=Plan.model_validate(plain.pop("plan")),
                tables=tables,
                asked_on=date.fromisoformat(plain.pop("asked_on")),
                history=_bytes(plain.pop("history")),
                **plain,
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise QueryFailed(
                "the worker cannot read its job; nothing was opened",
                hint="service and worker differ in version",
            ) from error


@dataclass(frozen=True)
class Outcome:
    """A signed release, and the sealed history to keep (None: unchanged)."""

    release: Mapping[str, Any]
    history: bytes | None = field(default=None, repr=False)

    def to_bytes(self) -> bytes:
        """One line of JSON."""
        history = None if self.history is None else _text(self.history)
        plain = {"release": dict(self.release), "history": history}
        return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode() + b"\n"

    @classmethod
    def of(cls, line: bytes) -> Outcome:
        """Raises QueryFailed for anything that `to_bytes` does not write."""
        try:
            plain = json.loads(line)
            history = plain["history"]
            return cls(dict(plain["release"]), None if history is None else _bytes(history))
        except (ValueError, KeyError, TypeError) as error:
            raise QueryFailed(
                "the worker's answer cannot be read; nothing was released", hint="ask again"
            ) from error


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
