"""One question to run, as it goes into a worker, and what comes out.

The job holds no key and no row: keys come from their owners' brokers once the worker has said what it is.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any

from cleanroom.errors import QueryFailed
from cleanroom.query.plan import Plan
from cleanroom.rules.analysis_rule import RuleDocument

FORMAT = "mixroom-job/2"
ParameterValue = str | int | float


@dataclass(frozen=True)
class JobTable:
    """One sealed dataset and its manifest as signed for.

    path: where the sealed file lies; whoever runs the job opens it, so it does not travel with the job.
    """

    owner: str
    document: RuleDocument
    manifest: Mapping[str, Any]
    path: Path | None = field(default=None, compare=False)


@dataclass(frozen=True)
class JobTemplate:
    """An approved template by name, its text, and the values that the asker gave its parameters."""

    name: str
    sql: str
    parameters: Mapping[str, ParameterValue]


@dataclass(frozen=True)
class SealedState:
    """A collaboration's difference history after a release, sealed under the state key.

    base: id of the state that it was made from; None for the first.
    """

    base: str | None
    id: str
    sealed: bytes = field(repr=False)


@dataclass(frozen=True)
class Job:
    """One question to run.

    template: where the plan is said to come from; the worker reads its text again. epsilon: 0 for the rules' usual.
    candidates: (id, sealed) of every state that the room keeps, oldest first: the current one, and one that was
    prepared after it. reuse: an earlier release of the same cells: no table is opened and nothing is charged.
    """

    query_id: str
    collaboration: str
    asker: str
    asked_on: date
    plan: Plan
    tables: tuple[JobTable, ...]
    template: JobTemplate | None = None
    epsilon: float = 0.0
    candidates: tuple[tuple[str, bytes], ...] = field(default=(), repr=False)
    reuse: Mapping[str, Any] | None = None

    @property
    def owners(self) -> tuple[str, ...]:
        """The owners of its tables, by name."""
        return tuple(sorted({table.owner for table in self.tables}))

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
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
                }
                for table in self.tables
            ],
            "template": None if self.template is None else _plain_template(self.template),
            "epsilon": self.epsilon,
            "candidates": [{"id": name, "sealed": _text(sealed)} for name, sealed in self.candidates],
            "reuse": None if self.reuse is None else dict(self.reuse),
        }

    @classmethod
    def of(cls, plain: object) -> Job:
        """From what `to_plain` gave. Raises QueryFailed for anything else."""
        try:
            return _read(plain)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            # Without a cause: what a parser says of a job may quote it.
            raise QueryFailed(
                "the worker cannot read its job; nothing was opened",
                hint="service and worker differ in version",
            ) from None


@dataclass(frozen=True)
class Outcome:
    """A signed release, and the state that it leads to (None where no history is kept)."""

    release: Mapping[str, Any]
    state: SealedState | None = None


def _plain_template(template: JobTemplate) -> dict[str, Any]:
    return {"name": template.name, "sql": template.sql, "parameters": dict(template.parameters)}


def _read(plain: Any) -> Job:
    rest = dict(plain)
    if rest.pop("format") != FORMAT or set(rest) != {part.name for part in fields(Job)}:
        raise ValueError("another format")
    return Job(
        query_id=_word(rest["query_id"]),
        collaboration=_word(rest["collaboration"]),
        asker=_word(rest["asker"]),
        asked_on=date.fromisoformat(rest["asked_on"]),
        plan=Plan.model_validate(rest["plan"]),
        tables=tuple(_table(table) for table in _listed(rest["tables"])),
        template=None if rest["template"] is None else _template(rest["template"]),
        epsilon=_amount(rest["epsilon"]),
        candidates=tuple((_word(item["id"]), _bytes(item["sealed"])) for item in _listed(rest["candidates"])),
        reuse=None if rest["reuse"] is None else dict(_mapped(rest["reuse"])),
    )


def _table(plain: Any) -> JobTable:
    return JobTable(
        owner=_word(plain["owner"]),
        document=RuleDocument.model_validate(plain["document"]),
        manifest=dict(_mapped(plain["manifest"])),
    )


def _template(plain: Any) -> JobTemplate:
    parameters = dict(_mapped(plain["parameters"]))
    if any(
        isinstance(value, bool) or not isinstance(value, str | int | float) for value in parameters.values()
    ):
        raise TypeError("a parameter is neither text nor number")
    return JobTemplate(_word(plain["name"]), _word(plain["sql"], printable=False), parameters)


def _word(value: object, *, printable: bool = True) -> str:
    if not isinstance(value, str) or not value or (printable and not value.isprintable()):
        raise TypeError("not a text")
    return value


def _mapped(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("not a mapping")
    return value


def _listed(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return float(value)


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: object) -> bytes:
    return base64.b64decode(_word(text), validate=True)
