"""A silo's lifetime privacy budget on the silo's own disk: charged before data are touched, never refunded.

A whole run is one charge, made at its start for all its rounds. Charges are composed, not added up: two runs
of epsilon 1 cost less than 2 together. All runs on the same data are composed, whatever they trained and
wherever their noise was added: the silo's data are what the budget belongs to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from privacy.accountant import GaussianEvent, epsilon_of
from privacy.errors import BudgetExhausted, ChargeConflict, InvalidSetting
from privacy.ledger.chained_log import ChainedLog, LockedLog, damaged
from privacy.ledger.ledger_entries import (
    CHARGE,
    LIMIT,
    Charge,
    LifetimeLimit,
    charge_of,
    charges_in,
    event_body,
    limit_body,
    limit_in_force,
)
from privacy.ledger.ledger_witness import UNWITNESSED, Head, LedgerWitness, rolled_back
from privacy.noise_plan import affordable_epsilon


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


@dataclass(frozen=True)
class _View:
    """The locked log and what it holds, for the length of one lock."""

    log: LockedLog
    charges: tuple[Charge, ...]

    @property
    def spent(self) -> tuple[GaussianEvent, ...]:
        return tuple(event for charge in self.charges for event in charge.events)


class Ledger:
    """The ledger file of one silo; safe to use from several processes at once.

    `newly_witnessed`: it held charges, but its witness knew nothing of it (another machine, or notes deleted).

    Guarantee: the releases of all charges ever made are together (limit.epsilon, limit.delta)-DP, as long as
    each run releases no more than the events it charged.
    Unit: one whole series. Neighbours: add or remove one.
    Not covered: someone who rolls back or deletes both the file and what its witness noted; the same data
    under another silo's ledger.
    """

    def __init__(
        self, path: Path, *, limit: LifetimeLimit, witness: LedgerWitness, clock: Callable[[], datetime]
    ) -> None:
        self._log = ChainedLog(path)
        self._path = path
        self._limit = limit
        self._witness = witness
        self._clock = clock
        self.newly_witnessed = False

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        limit: LifetimeLimit,
        must_exist: bool = False,
        witness: LedgerWitness = UNWITNESSED,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Ledger:
        """The verified ledger at `path`, started with `limit` when there is none.

        A limit that differs from the one in force is written into the chain with the next charge.
        LedgerDamaged: the chain does not verify. LedgerRolledBack: it lacks what its witness noted, or is gone
        although it `must_exist`.
        """
        ledger = cls(path, limit=limit, witness=witness, clock=clock)
        # Read before the file is looked for: another process may start the ledger in between, file first.
        noted = witness.heads()
        if not path.exists():
            for file, head in noted.items():
                raise rolled_back(file, missing=head.charges, gone=True)
            if must_exist:
                raise rolled_back(path, missing=0, gone=True)
            ledger._log.create(LIMIT, limit_body(limit, clock()))
        with ledger._verified() as view:
            ledger.newly_witnessed = bool(witness.files and view.charges and not noted)
        return ledger

    def require_affordable(self, run_id: str, purpose: str, events: Iterable[GaussianEvent]) -> None:
        """Raises BudgetExhausted when `charge` would; a run that was charged before is affordable."""
        with self._verified() as view:
            if (run_id, purpose) not in {known.name for known in view.charges}:
                self._within_limit(view.spent, tuple(events), purpose)

    def charge(
        self,
        run_id: str,
        purpose: str,
        events: Iterable[GaussianEvent],
        *,
        mode: str = "local",
        model: str = "",
    ) -> Charge:
        """Record what `run_id` is about to release, durably, before it reads any data.

        The same run, purpose, mode and events again (a resumed run) return the first charge and cost nothing.
        Raises BudgetExhausted, ChargeConflict or LedgerDamaged, and the ledger is unchanged; or
        LedgerUnwritable, and it may hold the charge all the same.
        """
        events = tuple(events)
        if not (run_id and purpose and mode and events):
            raise InvalidSetting(
                "a charge lacks a run, a purpose, a mode or events", hint="name the run and its releases"
            )
        with self._verified() as view:
            log = view.log
            for known in view.charges:
                if known.name == (run_id, purpose):
                    return _same(known, events, mode)
            spent_after = self._within_limit(view.spent, events, purpose)
            if limit_in_force(log.records) != self._limit:
                log.append(LIMIT, limit_body(self._limit, self._clock()))
            body = {
                "run_id": run_id,
                "purpose": purpose,
                "mode": mode,
                "model": model,
                "events": [event_body(event) for event in events],
                "spent_after": spent_after,
                "delta": self._limit.delta,
                "charged_at": self._clock().isoformat(),
            }
            return charge_of(log.append(CHARGE, body))

    def charged_runs(self) -> frozenset[str]:
        """The names of all runs that were charged."""
        with self._verified() as view:
            return frozenset(charge.run_id for charge in view.charges)

    def summary(self) -> LedgerSummary:
        """What was spent on what, and what is left."""
        with self._verified() as view:
            head = view.log.records[-1].digest
        delta = self._limit.delta
        left = affordable_epsilon(view.spent, self._limit.epsilon, delta)
        return LedgerSummary(self._limit, epsilon_of(view.spent, delta), left, view.charges, head)

    @contextmanager
    def _verified(self) -> Iterator[_View]:
        """The locked log, whole and nothing short of what was noted; afterwards its head is noted."""
        with self._log.locked() as log:
            charges = charges_in(log.records, self._path)
            vouched = self._witness.require_held(log.records, len(charges))
            if log.unfinished:
                self._repair(log, vouched)
            yield _View(log, charges)
            newest = log.records[-1]
            held = sum(record.kind == CHARGE for record in log.records)
            self._witness.note(Head(newest.sequence, newest.digest, held))

    def _repair(self, log: LockedLog, vouched: bool) -> None:
        """Cut off a last line that a crash left unfinished, if the witness shows that it was never finished.

        Every charge that a run was told of has been noted. The whole lines hold all that was noted, so nobody
        was told of this one, and no data were read for it. Without the notes, the line might as well be a
        charge that somebody shortened, and nothing is cut.
        """
        if not vouched:
            raise damaged(self._path, len(log.records) + 1, "is cut off")
        log.cut_off({"repaired_at": self._clock().isoformat()})

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
            f"{purpose} asks for epsilon {alone:.4g} at delta {delta:g}; "
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


def _same(known: Charge, events: tuple[GaussianEvent, ...], mode: str) -> Charge:
    if (known.events, known.mode) != (events, mode):
        raise ChargeConflict(
            f"run {known.run_id} was already charged for {known.purpose} with other noise, other counts or "
            "another mode; nothing was charged",
            hint="resume with the settings the run was started with, or start a new run",
        )
    return known
