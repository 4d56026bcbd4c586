"""Where a question becomes an answer: read, judged, charged, run elsewhere, stored, handed over.

Charged before any table is opened, never refunded. The web process sees the question, the rules and the release;
rows, keys and whatever was withheld stay in the worker.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from cleanroom.datasets.vault import Vault
from cleanroom.errors import BasisMoved, NotFound, QueryFailed, QueryRefused, Reason, RoomError, StateMoved
from cleanroom.governance.audit_log import Note
from cleanroom.governance.dataset_views import ReadyDataset
from cleanroom.governance.governance import Governance
from cleanroom.governance.ledger import Cost
from cleanroom.governance.principal import MemberRole, Principal
from cleanroom.governance.query_basis import DatasetBasis, basis_digest
from cleanroom.governance.query_views import FinishedQuery, NewQuery, StoredRelease
from cleanroom.governance.room_ids import new_query_id
from cleanroom.query.plan import Plan
from cleanroom.query.reader import refused
from cleanroom.query.refusal import Reasons
from cleanroom.release.dp_budget import expected_noise
from cleanroom.rules.analysis_rule import Mode
from cleanroom.rules.rule_check import Question, Verdict, check
from cleanroom.service.dry_run import DryRun
from cleanroom.service.read_plans import PlanText, ReadPlans
from cleanroom.worker.executor import Executor
from cleanroom.worker.job import Job, JobTable
from privacy.canonical_json import digest_of
from privacy.errors import InvalidSetting

MOST_ATTEMPTS = 20  # each is lost to another release, so the room gets on all the same
MOST_READINGS = 3


@dataclass(frozen=True)
class Ask:
    """SQL, or the name of an approved template, with values for its parameters. epsilon 0: the rules' usual."""

    sql: str = ""
    template: str = ""
    parameters: Mapping[str, str | int | float] = field(default_factory=dict)
    epsilon: float = 0.0


@dataclass(frozen=True)
class Answer:
    """A signed release. `cached`: the same noised question was answered before, so nothing was charged."""

    query_id: str
    release: Mapping[str, Any]
    cached: bool = False


@dataclass(frozen=True)
class _Read:
    """A question as understood: its text, its plan, and the verdict of the rules."""

    text: str
    plan: Plan
    verdict: Verdict
    from_template: bool


class QueryDesk:
    """Answers questions of members. Threshold questions of one collaboration are answered one after the other."""

    def __init__(self, governance: Governance, vault: Vault, executor: Executor) -> None:
        self._room = governance
        self._vault = vault
        self._executor = executor
        self._plans = ReadPlans()
        self._turns: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._turns_lock = threading.Lock()

    def dry_run(self, principal: Principal, collaboration: str, ask: Ask, *, now: datetime) -> DryRun:
        """Verdict, price and expected noise; nothing is charged, opened or remembered."""
        _require_asker(principal, collaboration)
        try:
            read = self._read(principal, collaboration, ask)
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
        """The signed release. Raises QueryRefused or BudgetSpent before any data are touched, QueryFailed after."""
        _require_asker(principal, collaboration)
        for _ in range(MOST_READINGS - 1):
            try:
                return self._judged(principal, collaboration, ask, now=now)
            except BasisMoved:  # rules or tables changed between judging and charging: judge by the new ones
                continue
        return self._judged(principal, collaboration, ask, now=now)

    def _judged(self, principal: Principal, collaboration: str, ask: Ask, *, now: datetime) -> Answer:
        """Read, judge, charge and run once."""
        try:
            read = self._read(principal, collaboration, ask)
        except QueryRefused as error:
            codes = sorted({reason.code for reason in error.reasons})
            note = Note(collaboration, principal.actor, "query refused", {"reasons": codes})
            self._room.audit.record(note, now=now)
            raise
        if read.verdict.mode is Mode.DP:
            return self._answer(principal, collaboration, ask, read, now=now)
        with self._turn(collaboration):
            return self._answer(principal, collaboration, ask, read, now=now)

    def _turn(self, collaboration: str) -> threading.Lock:
        with self._turns_lock:
            return self._turns[collaboration]

    def _read(self, principal: Principal, collaboration: str, ask: Ask) -> _Read:
        """Text to plan to verdict. Raises QueryRefused with every reason."""
        text = self._text(principal, collaboration, ask)
        views = self._room.datasets.list(principal, collaboration)
        catalog = {view.name: view.rules for view in views if not view.closed}
        rules = digest_of({view.name: view.rules_digest for view in views if not view.closed})
        plan = self._plans.get(PlanText(text, tuple(sorted(ask.parameters.items())), rules), catalog)
        question = Question(plan, principal.member, bool(ask.template), ask.epsilon)
        verdict = check(question, catalog)
        if verdict.reasons:
            raise refused(Reasons(verdict.reasons))
        _require_possible_noise(verdict)
        return _Read(text, plan, verdict, bool(ask.template))

    def _text(self, principal: Principal, collaboration: str, ask: Ask) -> str:
        if bool(ask.sql.strip()) == bool(ask.template):
            reason = Reason("question", "give either SQL or the name of a template", "give one of them")
            raise refused(Reasons([reason]))
        if not ask.template:
            return ask.sql
        for template in self._room.proposals.templates(principal, collaboration):
            if template.name == ask.template:
                return str(template.template["sql"])
        raise NotFound(
            "there is no approved template of that name", hint="`mixroom room templates` lists them"
        )

    def _answer(
        self, principal: Principal, collaboration: str, ask: Ask, read: _Read, *, now: datetime
    ) -> Answer:
        ready = self._room.datasets.ready(collaboration, read.verdict.datasets, now=now)
        cost = _cost(collaboration, read.verdict)
        bases = [
            DatasetBasis(item.dataset.name, item.dataset.rules_digest, item.version.id) for item in ready
        ]
        query = NewQuery(
            id=new_query_id(),
            member=principal.member,
            question=read.text,
            # In dp mode only what passes the gate matters: another spelling of what is made of it is free.
            plan_digest=read.plan.releases_digest(),
            basis_digest=basis_digest(bases, cost),
            mode=read.verdict.mode,
            cost=cost,
            details={"template": ask.template} if ask.template else {},
        )
        begun = self._room.queries.begin(query, now=now)
        if begun.cached is not None:
            return self._again(principal, begun.cached, read, ready, now=now)
        try:
            return self._run(principal, query, read, ready, now=now)
        except RoomError as error:
            self._fail(query.id, error.code, now=now)
            raise
        except Exception as error:
            self._fail(query.id, QueryFailed.code, now=now)
            raise QueryFailed(
                "the query could not be run; nothing was released", hint="ask the operator"
            ) from error

    def _run(
        self,
        principal: Principal,
        query: NewQuery,
        read: _Read,
        ready: tuple[ReadyDataset, ...],
        *,
        now: datetime,
    ) -> Answer:
        """Run until no other release came in between: another service may share the database."""
        for _ in range(MOST_ATTEMPTS):
            state = self._room.queries.state(query.cost.collaboration)
            job = self._job(principal, query.id, read, ready, now=now)
            if query.mode is Mode.THRESHOLD:
                job = replace(job, history=state.sealed, sequence=state.sequence)
            outcome = self._executor.execute(job)
            finished = FinishedQuery(query.id, outcome.release, state.sequence, outcome.history)
            try:
                stored = self._room.queries.finish(finished, now=now)
            except StateMoved:
                continue
            return Answer(query.id, stored.release)
        raise QueryFailed(
            "other queries kept coming first; nothing was released", hint="ask again in a moment"
        )

    def _fail(self, query_id: str, code: str, *, now: datetime) -> None:
        """Best effort: a query that has ended already stays as it is; one that cannot be written down now is failed
        on the next start. Either way the asker hears of what went wrong first."""
        with suppress(RoomError):
            self._room.queries.fail(query_id, code, now=now)

    def _again(
        self,
        principal: Principal,
        stored: StoredRelease,
        read: _Read,
        ready: tuple[ReadyDataset, ...],
        *,
        now: datetime,
    ) -> Answer:
        """The stored answer; when something else is to be made of its cells, the worker makes that, without data."""
        if stored.release["body"]["plan_digest"] == read.plan.digest():
            return Answer(stored.query_id, stored.release, cached=True)
        job = self._job(principal, stored.query_id, read, ready, now=now)
        outcome = self._executor.execute(replace(job, reuse=stored.release))
        return Answer(stored.query_id, outcome.release, cached=True)

    def _job(
        self,
        principal: Principal,
        query_id: str,
        read: _Read,
        ready: tuple[ReadyDataset, ...],
        *,
        now: datetime,
    ) -> Job:
        return Job(
            query_id=query_id,
            collaboration=ready[0].dataset.collaboration,
            asker=principal.member,
            asked_on=now.date(),
            plan=read.plan,
            tables=tuple(
                JobTable(
                    owner=item.dataset.owner,
                    document=item.dataset.rules,
                    manifest=item.version.manifest,
                    path=self._vault.path(item.version.id).resolve(),
                    wrapped_key=item.key_for_worker,
                )
                for item in ready
            ),
            from_template=read.from_template,
            epsilon=read.verdict.epsilon,
        )


def _require_possible_noise(verdict: Verdict) -> None:
    """Refuse, before anything is charged, what no mechanism can noise within its epsilon and delta."""
    if verdict.mode is not Mode.DP:
        return
    try:
        for terms in verdict.releases:
            expected_noise(terms)
    except InvalidSetting as error:
        reason = Reason(
            "noise", "epsilon and delta are too small for so many numbers", "ask for fewer at once"
        )
        raise refused(Reasons([reason])) from error


def _require_asker(principal: Principal, collaboration: str) -> None:
    principal.require(collaboration, MemberRole.ANALYST, MemberRole.OWNER)


def _cost(collaboration: str, verdict: Verdict) -> Cost:
    return Cost(collaboration, verdict.datasets, verdict.epsilon, verdict.delta)
