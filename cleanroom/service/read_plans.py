"""Texts that were read and rehearsed before, so that a repeated question costs a look-up. Refusals are not kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from cleanroom.engine.rehearsal import rehearse
from cleanroom.query.plan import Plan
from cleanroom.query.reader import read_query, refused
from cleanroom.query.refusal import Reasons, Refused
from cleanroom.query.relation_schema import Catalog

MOST_KEPT = 500


@dataclass(frozen=True)
class PlanText:
    """What a plan depends on: the text, its parameters in order, and a digest of all rules."""

    text: str
    parameters: tuple[tuple[str, str | int | float], ...]
    rules: str


class ReadPlans:
    """Plans by what they depend on; the least recently used go first. Safe to use from several threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[PlanText, Plan] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, asked: PlanText, catalog: Catalog) -> Plan:
        """The plan of a text over the catalog whose digest it names. Raises QueryRefused."""
        with self._lock:
            if asked in self._known:
                self._known.move_to_end(asked)
                return self._known[asked]
        plan = read_query(asked.text, catalog, dict(asked.parameters))
        try:
            rehearse(plan, catalog)
        except Refused as error:
            raise refused(Reasons([error.reason])) from error
        with self._lock:
            self._known[asked] = plan
            while len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)
        return plan
