"""What a party's own log adds up to: privacy spent, questions counted, states committed, keys kept and destroyed.

Guarantee: a charge is in the book before the grant that it pays for exists, and nothing takes it out again.
Unit: one person, all rows of all tables of one dataset; charges of a window add up (basic composition).
Every window begins at a midnight in UTC, so sums per day are all that has to be remembered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from cleanroom.broker.release_log import Entry
from cleanroom.governance.budget_windows import micro_epsilon, pico_delta, window_start
from cleanroom.rules.analysis_rule import Refresh
from cleanroom.worker.statement import Statement
from privacy.canonical_json import digest_of
from privacy.ledger.chained_line import Record


@dataclass(frozen=True)
class Charge:
    """What one release of keys costs each of the party's datasets that it opens, in millionths and in 1e-12.

    question: the same for every attempt at one query as it stands, so that it counts once against the day's quota.
    Noise is drawn anew by every attempt, so epsilon is paid for each.
    """

    datasets: tuple[str, ...]
    question: str
    micro_epsilon: int
    pico_delta: int

    @classmethod
    def of(cls, statement: Statement, owner: str) -> Charge:
        """Nothing when cells are presented anew."""
        if statement.reuse:
            return cls((), "", 0, 0)
        asked = {**statement.to_plain(), "nonces": None}
        own = tuple(table.dataset for table in statement.tables if table.owner == owner)
        return cls(own, digest_of(asked), micro_epsilon(statement.epsilon), pico_delta(statement.delta))

    def to_plain(self) -> dict[str, Any]:
        """As it stands in the log."""
        return {**vars(self), "datasets": list(self.datasets)}


class ChargeBook:
    """Takes the log line by line."""

    def __init__(self) -> None:
        self._micro: defaultdict[str, defaultdict[date, int]] = defaultdict(lambda: defaultdict(int))
        self._questions: defaultdict[str, set[str]] = defaultdict(set)
        self._day = date.min
        self.committed: dict[str, str] = {}  # collaboration -> state id
        self.kept: set[str] = set()  # versions whose keys were ever kept
        self.destroyed: set[str] = set()
        self.paused: frozenset[str] = frozenset()
        self.released = 0
        self.digests: list[str] = []  # of every line

    def take(self, record: Record) -> None:
        """One more line."""
        self.digests.append(record.digest)
        body = record.body
        match record.kind:
            case Entry.RELEASED:
                self.released += 1
                self._charge(body["charge"], datetime.fromisoformat(body["at"]))
            case Entry.COMMITTED:
                self.committed[body["collaboration"]] = body["next"]
            case Entry.KEPT:
                self.kept.add(body["version"])
            case Entry.DESTROYED:
                self.destroyed.add(body["version"])
            case Entry.CONSENT:
                self.paused = frozenset(body["paused"])

    def spent_micro(self, dataset: str, refresh: Refresh, now: datetime) -> int:
        """Millionths of epsilon spent in the window that `now` is in."""
        start = window_start(refresh, now)
        since = date.min if start is None else start.date()
        return sum(micro for day, micro in self._micro[dataset].items() if day >= since)

    def questions_today(self, dataset: str, charge: Charge, now: datetime) -> int:
        """How many questions of today (UTC) there were with this one."""
        counted = self._questions[dataset] if self._day == now.astimezone(UTC).date() else set()
        return len(counted | {charge.question})

    def _charge(self, charge: Mapping[str, Any], at: datetime) -> None:
        day = at.astimezone(UTC).date()
        if day != self._day:
            self._questions.clear()
            self._day = day
        for dataset in charge["datasets"]:
            self._micro[dataset][day] += charge["micro_epsilon"]
            self._questions[dataset].add(charge["question"])
