"""Where a question becomes an answer: read, judged, charged, run elsewhere, stored, handed over.

Charged before any table is opened, never refunded; not charged at all while a key broker that is needed is away. The
web process sees the question, the rules and the release; rows, keys and whatever was withheld stay in the enclave.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cleanroom.datasets.vault import Vault
from cleanroom.errors import BasisMoved, QueryFailed, QueryRefused, RoomError, StateMoved
from cleanroom.governance.audit_log import Note
from cleanroom.governance.dataset_views import ReadyDataset
from cleanroom.governance.difference_memory import DifferenceState, PreparedState
from cleanroom.governance.governance import Governance
from cleanroom.governance.ledger import Cost
from cleanroom.governance.principal import MemberRole, Principal
from cleanroom.governance.query_basis import DatasetBasis, basis_digest
from cleanroom.governance.query_views import FinishedQuery, NewQuery, StoredRelease
from cleanroom.governance.room_ids import new_query_id
from cleanroom.rules.analysis_rule import Mode
from cleanroom.rules.rule_check import Verdict
from cleanroom.service.dry_run import DryRun
from cleanroom.service.question_reading import Ask, QuestionReader, ReadQuestion
from cleanroom.service.under_way import UnderWay
from cleanroom.worker.executor import Executor
from cleanroom.worker.job import Job, JobTable, SealedState

MOST_ATTEMPTS = 20  # each is lost to another release, so the room gets on all the same
MOST_READINGS = 3


@dataclass(frozen=True)
class Answer:
    """A signed release. `cached`: the same noised question was answered before, so nothing was charged."""

    query_id: str
    release: Mapping[str, Any]
    cached: bool = False


@dataclass(frozen=True)
class _Asked:
    """A question that the rules allow, who asks it when, and the tables as they are."""

    principal: Principal
    collaboration: str
    read: ReadQuestion
    ready: tuple[ReadyDataset, ...]
    now: datetime

    @property
    def cost(self) -> Cost:
        return _cost(self.collaboration, self.read.verdict)

    @property
    def owners(self) -> tuple[str, ...]:
        """Whose key brokers are asked."""
        return tuple(sorted({item.dataset.owner for item in self.ready}))


class QueryDesk:
    """Answers questions of members. Threshold questions of one collaboration are answered one after the other."""

    def __init__(self, governance: Governance, vault: Vault, executor: Executor) -> None:
        self._room = governance
        self._vault = vault
        self._executor = executor
        self._reader = QuestionReader(governance)
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._turns_lock = threading.Lock()
        self.under_way = UnderWay()

    def dry_run(self, principal: Principal, collaboration: str, ask: Ask, *, now: datetime) -> DryRun:
        """Verdict, price and expected noise; nothing is charged, opened or remembered."""
        _require_asker(principal, collaboration)
        try:
            read = self._reader.read(principal, collaboration, ask)
        except QueryRefused as error:
            return DryRun.refused(error.reasons)
        cost = _cost(collaboration, read.verdict)
        short = self._room.ledger.check(cost, now=now)
        budgets = [
            view
            for view in self._room.ledger.remaining(collaboration, now=now)
            if view.dataset in read.verdict.datasets
        ]
        return DryRun.of(read.plan, read.verdict, short, budgets)

    def ask(self, principal: Principal, collaboration: str, ask: Ask, *, now: datetime) -> Answer:
        """The signed release.

        Raises QueryRefused, BudgetSpent or BrokerAway before anything is charged; QueryFailed, KeyRefused or
        BrokerAway after, and the charge stays.
        """
        _require_asker(principal, collaboration)
        with self.under_way.one_more():
            for _ in range(MOST_READINGS - 1):
                try:
                    return self._judged(principal, collaboration, ask, now=now)
                except (
                    BasisMoved
                ):  # rules or tables changed between judging and charging: judge by the new ones
                    continue
            return self._judged(principal, collaboration, ask, now=now)

    def _judged(self, principal: Principal, collaboration: str, ask: Ask, *, now: datetime) -> Answer:
        """Read, judge, charge and run once."""
        try:
            read = self._reader.read(principal, collaboration, ask)
        except QueryRefused as error:
            codes = sorted({reason.code for reason in error.reasons})
            note = Note(collaboration, principal.actor, "query refused", {"reasons": codes})
            self._room.audit.record(note, now=now)
            raise
        if read.verdict.mode is Mode.DP:
            return self._answer(principal, collaboration, read, now=now)
        with self._turn(collaboration):
            return self._answer(principal, collaboration, read, now=now)

    def _turn(self, collaboration: str) -> threading.Lock:
        with self._turns_lock:
            return self._turns[collaboration]

    def _answer(
        self, principal: Principal, collaboration: str, read: ReadQuestion, *, now: datetime
    ) -> Answer:
        ready = self._room.datasets.ready(collaboration, read.verdict.datasets, now=now)
        asked = _Asked(principal, collaboration, read, ready, now)
        query = _new_query(asked)
        earlier = self._answered_before(query)
        if earlier is None:
            self._executor.require_present(collaboration, asked.owners)
            earlier = self._room.queries.begin(query, now=now).cached
        if earlier is not None:
            return self._again(asked, earlier)
        try:
            return self._run(asked, query)
        except RoomError as error:
            self._fail(query.id, error.code, now=now)
            raise
        except Exception as error:
            self._fail(query.id, QueryFailed.code, now=now)
            raise QueryFailed(
                "the query could not be run; nothing was released", hint="ask the operator"
            ) from error

    def _answered_before(self, query: NewQuery) -> StoredRelease | None:
        """The same noised question's release: it needs no broker, or only once something else is made of it."""
        if query.mode is not Mode.DP:
            return None
        return self._room.queries.find_release(
            query.cost.collaboration, query.plan_digest, query.basis_digest
        )

    def _run(self, asked: _Asked, query: NewQuery) -> Answer:
        """Run until no other release came in between: another service may share the database."""
        for _ in range(MOST_ATTEMPTS):
            state = self._room.queries.state(asked.collaboration)
            try:
                return self._run_once(asked, query, state)
            except StateMoved:
                continue
        raise QueryFailed(
            "other queries kept coming first; nothing was released", hint="ask again in a moment"
        )

    def _run_once(self, asked: _Asked, query: NewQuery, state: DifferenceState) -> Answer:
        """Raises StateMoved when another release came first."""

        def prepared(sealed: SealedState) -> None:
            kept = PreparedState(sealed.base, sealed.id, sealed.sealed)
            self._room.queries.prepare(query.id, kept, state)

        job = self._job(asked, query.id)
        if query.mode is Mode.THRESHOLD:
            job = replace(job, candidates=state.candidates)
        outcome = self._executor.execute(job, prepared)
        state_id = None if outcome.state is None else outcome.state.id
        finished = FinishedQuery(query.id, outcome.release, state_id)
        stored = self._room.queries.finish(finished, now=asked.now)
        return Answer(query.id, stored.release)

    def _fail(self, query_id: str, code: str, *, now: datetime) -> None:
        """Best effort: a query that has ended already stays as it is; one that cannot be written down now is failed
        on the next start. Either way the asker hears of what went wrong first."""
        with suppress(RoomError):
            self._room.queries.fail(query_id, code, now=now)

    def _again(self, asked: _Asked, stored: StoredRelease) -> Answer:
        """The stored answer; when something else is to be made of its cells, the worker makes that, without data."""
        if stored.release["body"]["plan_digest"] == asked.read.plan.digest():
            return Answer(stored.query_id, stored.release, cached=True)
        job = replace(self._job(asked, stored.query_id), reuse=stored.release)
        outcome = self._executor.execute(job, _nothing_to_prepare)
        return Answer(stored.query_id, outcome.release, cached=True)

    def _job(self, asked: _Asked, query_id: str) -> Job:
        return Job(
            query_id=query_id,
            collaboration=asked.collaboration,
            asker=asked.principal.member,
            asked_on=asked.now.date(),
            plan=asked.read.plan,
            tables=tuple(
                JobTable(
                    owner=item.dataset.owner,
                    document=item.dataset.rules,
                    manifest=item.version.manifest,
                    path=self._vault.path(item.version.id).resolve(),
                )
                for item in asked.ready
            ),
            template=asked.read.template,
            epsilon=asked.read.verdict.epsilon,
        )


def _new_query(asked: _Asked) -> NewQuery:
    read, cost = asked.read, asked.cost
    bases = [
        DatasetBasis(item.dataset.name, item.dataset.rules_digest, item.version.id) for item in asked.ready
    ]
    template = {} if read.template is None else {"template": read.template.name}
    return NewQuery(
        id=new_query_id(),
        member=asked.principal.member,
        question=read.text,
        # In dp mode only what passes the gate matters: another spelling of what is made of it is free.
        plan_digest=read.plan.releases_digest(),
        basis_digest=basis_digest(bases, cost),
        mode=read.verdict.mode,
        cost=cost,
        details={**template, "key_brokers": list(asked.owners)},
    )


def _nothing_to_prepare(state: SealedState) -> None:
    raise QueryFailed("a repeated answer leaves no state; nothing was released", hint="ask the operator")


def _require_asker(principal: Principal, collaboration: str) -> None:
    principal.require(collaboration, MemberRole.ANALYST, MemberRole.OWNER)


def _cost(collaboration: str, verdict: Verdict) -> Cost:
    return Cost(collaboration, verdict.datasets, verdict.epsilon, verdict.delta)
