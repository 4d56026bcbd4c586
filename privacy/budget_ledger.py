"""A silo's lifetime privacy budget on the silo's own disk: charged before data are touched, never refunded.

A whole run is one charge, made at its start for all its rounds. Charges are composed, not added up: two runs
of epsilon 1 cost less than 2 together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from privacy.accountant import GaussianEvent, epsilon_of, require_delta, require_positive
from privacy.chained_log import ChainedLog, LockedLog, Record
from privacy.errors import BudgetExhausted, ChargeConflict, InvalidSetting, LedgerDamaged, PrivacyError
from privacy.noise_plan import affordable_epsilon


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
    """One entry, named by run and purpose; `spent_after`: epsilon at `delta` of it and all before it."""

    run_id: str
    purpose: str
    events: tuple[GaussianEvent, ...]
    spent_after: float
    delta: float
    charged_at: str
    sequence: int


@dataclass(frozen=True)
class LedgerSummary:
    """The ledger in numbers. `left` is the largest epsilon (at the limit's delta) one more run may have.

    `head` is the digest of the newest entry: a copy kept elsewhere proves a later roll-back of the file.
    """

    limit: LifetimeLimit
    spent: float
    left: float
    charges: tuple[Charge, ...]
    head: str


class Ledger:
    """The ledger file of one silo; safe to use from several processes at once.

    Guarantee: the releases of all charges ever made are together (limit.epsilon, limit.delta)-DP, as long as
    each run releases no more than the events it charged.
    Unit: one whole series. Neighbours: add or remove one.
    Not covered: someone who may write the file and rolls it back or deletes it (compare `summary().head`).
    """

    def __init__(self, path: Path, limit: LifetimeLimit, clock: Callable[[], datetime]) -> None:
        self._log = ChainedLog(path)
        self._path = path
        self._limit = limit
        self._clock = clock

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        limit: LifetimeLimit,
        must_exist: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Ledger:
        """The verified ledger at `path`, started with `limit` when there is none.

        A limit that differs from the one in force is written into the chain with the next charge.
        LedgerDamaged: the chain does not verify, or the file is gone although it `must_exist`.
        """
        ledger = cls(path, limit, clock)
        if not path.exists():
            if must_exist:
                raise LedgerDamaged(
                    f"{path} is gone", hint="restore it from a backup that holds every charge"
                )
            ledger._log.create("limit", _limit_body(limit, clock))
        with ledger._log.locked() as log:
            _charges(log, path)
        return ledger

    def require_affordable(self, run_id: str, purpose: str, events: Iterable[GaussianEvent]) -> None:
        """Raises BudgetExhausted when `charge` would; a run that was charged before is affordable."""
        events = tuple(events)
        with self._log.locked() as log:
            charges = _charges(log, self._path)
        if (run_id, purpose) not in {(known.run_id, known.purpose) for known in charges}:
            self._within_limit(_events(charges), events, purpose)

    def charge(self, run_id: str, purpose: str, events: Iterable[GaussianEvent]) -> Charge:
        """Record what `run_id` is about to release, durably, before it reads any data.

        The same run, purpose and events again (a resumed run) return the first charge and cost nothing.
        Raises BudgetExhausted, ChargeConflict, LedgerDamaged or LedgerUnwritable; the ledger is then
        unchanged.
        """
        events = tuple(events)
        if not run_id or not purpose or not events:
            raise InvalidSetting(
                "a charge lacks a run, a purpose or events", hint="name the run and its releases"
            )
        with self._log.locked() as log:
            charges = _charges(log, self._path)
            for known in charges:
                if (known.run_id, known.purpose) == (run_id, purpose):
                    return _same(known, events)
            spent_after = self._within_limit(_events(charges), events, purpose)
            if _limit_in_force(log.records) != self._limit:
                log.append("limit", _limit_body(self._limit, self._clock))
            body = {
                "run_id": run_id,
                "purpose": purpose,
                "events": [_event_body(event) for event in events],
                "spent_after": spent_after,
                "delta": self._limit.delta,
                "charged_at": self._clock().isoformat(),
            }
            return _charge(log.append("charge", body))

    def summary(self) -> LedgerSummary:
        """What was spent on what, and what is left."""
        with self._log.locked() as log:
            charges, head = _charges(log, self._path), log.records[-1].digest
        spent, delta = _events(charges), self._limit.delta
        left = affordable_epsilon(spent, self._limit.epsilon, delta)
        return LedgerSummary(self._limit, epsilon_of(spent, delta), left, charges, head)

    def _within_limit(
        self, spent: tuple[GaussianEvent, ...], asked: tuple[GaussianEvent, ...], purpose: str
    ) -> float:
        limit, delta = self._limit.epsilon, self._limit.delta
        together = epsilon_of((*spent, *asked), delta)
        if together <= limit:
            return together
        before, alone, missing = epsilon_of(spent, delta), epsilon_of(asked, delta), together - limit
        left = math.floor(affordable_epsilon(spent, limit, delta) * 1000) / 1000  # as printed, it must fit
        raise BudgetExhausted(
            f"{self._path}: {purpose} asks for epsilon {alone:.4g} at delta {delta:g}; "
            f"with {before:.4g} spent that makes {together:.4g}, {missing:.4g} above the lifetime limit "
            f"of {limit:g}; nothing was charged and no data were read",
            spent=before,
            asked=alone,
            limit=limit,
            missing=missing,
            hint=f"a run of at most epsilon {left:.3f} at delta {delta:g} still fits"
            if left > 0
            else "nothing is left; only the owner of the data may accept a higher lifetime limit",
        )


def _charges(log: LockedLog, path: Path) -> tuple[Charge, ...]:
    """Every charge of a verified chain; an entry this program cannot read refuses the whole ledger."""
    try:
        _limit_in_force(log.records)
        charges = tuple(_charge(record) for record in log.records if record.kind == "charge")
        unknown = {record.kind for record in log.records} - {"charge", "limit"}
    except (KeyError, TypeError, ValueError, PrivacyError) as error:
        raise LedgerDamaged(
            f"{path} holds an entry of unknown shape", hint="restore it from a backup"
        ) from error
    if unknown:
        raise LedgerDamaged(
            f"{path} holds entries of unknown kind: {sorted(unknown)}", hint="use a newer version"
        )
    return charges


def _charge(record: Record) -> Charge:
    body = record.body
    return Charge(
        run_id=str(body["run_id"]),
        purpose=str(body["purpose"]),
        events=tuple(GaussianEvent(**event) for event in body["events"]),
        spent_after=float(body["spent_after"]),
        delta=float(body["delta"]),
        charged_at=str(body["charged_at"]),
        sequence=record.sequence,
    )


def _same(known: Charge, events: tuple[GaussianEvent, ...]) -> Charge:
    if known.events != events:
        raise ChargeConflict(
            f"run {known.run_id} was already charged for {known.purpose} with other noise or other counts; "
            "nothing was charged",
            hint="resume with the settings the run was started with, or start a new run",
        )
    return known


def _events(charges: tuple[Charge, ...]) -> tuple[GaussianEvent, ...]:
    return tuple(event for charge in charges for event in charge.events)


def _limit_in_force(records: tuple[Record, ...]) -> LifetimeLimit:
    newest = [record for record in records if record.kind == "limit"][-1:]
    if not newest:
        raise ValueError("no limit")
    return LifetimeLimit(newest[0].body["epsilon"], newest[0].body["delta"])


def _limit_body(limit: LifetimeLimit, clock: Callable[[], datetime]) -> dict[str, Any]:
    return {"epsilon": limit.epsilon, "delta": limit.delta, "set_at": clock().isoformat()}


def _event_body(event: GaussianEvent) -> dict[str, Any]:
    return {
        "noise_multiplier": float(event.noise_multiplier),
        "count": event.count,
        "sample_rate": float(event.sample_rate),
    }
