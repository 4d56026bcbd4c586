"""What stands in a ledger: limits and charges, to and from the records of a chained log."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from privacy.accountant import GaussianEvent, require_delta, require_positive
from privacy.errors import LedgerDamaged, PrivacyError
from privacy.ledger.chained_line import Record
from privacy.ledger.chained_log import REPAIRED

LIMIT, CHARGE = "limit", "charge"
# Charges of the first form of the ledger name neither: there was one private mode then.
_FIRST_MODE, _UNNAMED_MODEL = "local", ""
# Most runs of a silo are alike. `typed`: a count of 1.0 is not let in because 1 was.
_event = lru_cache(maxsize=1024, typed=True)(GaussianEvent)


@dataclass(frozen=True)
class LifetimeLimit:
    """What all charges together may cost: epsilon at delta, add or remove one unit."""

    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        require_positive("the lifetime epsilon", self.epsilon)
        require_delta(self.delta)


@dataclass(frozen=True)
class Charge:
    """One entry: what a run was about to release when it started, named by run and purpose.

    mode: where its noise is added ("local", "distributed"). model: what it trained, in a reader's words.
    spent_after: epsilon at `delta` of it and all before it, add or remove one unit.
    """

    run_id: str
    purpose: str
    events: tuple[GaussianEvent, ...]
    mode: str
    model: str
    spent_after: float
    delta: float
    charged_at: str
    sequence: int

    @property
    def name(self) -> tuple[str, str]:
        """The same run and purpose again is the same charge."""
        return self.run_id, self.purpose


def charges_in(records: tuple[Record, ...], path: Path) -> tuple[Charge, ...]:
    """Every charge of a verified chain; an entry this program cannot read refuses the whole ledger."""
    unknown = {record.kind for record in records} - {CHARGE, LIMIT, REPAIRED}
    if unknown:
        raise LedgerDamaged(
            f"the privacy ledger holds entries of unknown kind: {', '.join(sorted(unknown))}",
            path=path,
            hint="use a newer version",
        )
    try:
        limit_in_force(records)
        return tuple(charge_of(record) for record in records if record.kind == CHARGE)
    except (KeyError, TypeError, ValueError, PrivacyError) as error:
        raise LedgerDamaged(
            "the privacy ledger holds an entry of unknown shape",
            path=path,
            hint="use the version that wrote it, or restore it from a backup",
        ) from error


def charge_of(record: Record) -> Charge:
    """The charge in one record. Raises KeyError, TypeError, ValueError or PrivacyError for any other body."""
    body = record.body
    return Charge(
        run_id=str(body["run_id"]),
        purpose=str(body["purpose"]),
        events=tuple(_event(**event) for event in body["events"]),
        mode=str(body.get("mode", _FIRST_MODE)),
        model=str(body.get("model", _UNNAMED_MODEL)),
        spent_after=float(body["spent_after"]),
        delta=float(body["delta"]),
        charged_at=str(body["charged_at"]),
        sequence=record.sequence,
    )


def event_body(event: GaussianEvent) -> dict[str, Any]:
    """Every field, so that one which an event gains is never left out; numpy's numbers become plain ones."""
    fields = dataclasses.asdict(event)
    return {name: float(value) if isinstance(value, float) else value for name, value in fields.items()}


def limit_in_force(records: tuple[Record, ...]) -> LifetimeLimit:
    """The newest limit of the chain. Raises ValueError when there is none."""
    for record in reversed(records):
        if record.kind == LIMIT:
            return LifetimeLimit(record.body["epsilon"], record.body["delta"])
    raise ValueError("no limit")


def limit_body(limit: LifetimeLimit, set_at: datetime) -> dict[str, Any]:
    """The body of a limit's record."""
    return {"epsilon": limit.epsilon, "delta": limit.delta, "set_at": set_at.isoformat()}
