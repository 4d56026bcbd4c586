"""Queries: charged and written down in one transaction, released or failed in another.

Guarantee: no query runs uncharged; a process that dies in between leaves the charge and no release; what a worker
will remember of a release is on the disk before any owner commits to it, and in force with the release or not at all.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cleanroom.errors import Conflict, NotFound, ProposalInvalid
from cleanroom.governance.audit_log import SERVICE, AuditLog, Note
from cleanroom.governance.budget_windows import micro_epsilon, pico_delta
from cleanroom.governance.difference_memory import (
    DifferenceState,
    PreparedState,
    memory,
    move_state,
    prepare_state,
    require_memory,
)
from cleanroom.governance.ledger import Cost, charge
from cleanroom.governance.principal import Principal
from cleanroom.governance.query_access import readable, require_receiver, visible
from cleanroom.governance.query_basis import (
    current_basis,
    require_basis,
    require_signed_template,
    require_undestroyed,
)
from cleanroom.governance.query_views import (
    Begun,
    FinishedQuery,
    NewQuery,
    QueryState,
    QueryView,
    StoredRelease,
    query_view,
    stored_release,
)
from cleanroom.governance.room_ids import QUERY_ID, require_id
from cleanroom.governance.state_cover import StateCover
from cleanroom.governance.store import Store
from cleanroom.governance.tables import MemberRow, QueryRow
from cleanroom.rules.analysis_rule import Mode
from privacy.canonical_json import digest_of


class Queries:
    """All queries of all collaborations."""

    def __init__(self, store: Store, audit: AuditLog, cover: StateCover) -> None:
        self._store = store
        self._cover = cover
        self._audit = audit

    def begin(self, query: NewQuery, *, now: datetime) -> Begun:
        """Charge the query, write it and its audit entry; or find the release of the same noised question.

        Raises BudgetSpent or Conflict, with nothing changed; BasisMoved when rules or tables are no longer those
        under which the question was judged.
        """
        require_id(QUERY_ID, query.id, what="query")
        if "\0" in query.question:
            raise ProposalInvalid("the question holds a character that no SQL has", hint="remove it")

        def work(session: Session) -> Begun:
            member = session.get(MemberRow, (query.cost.collaboration, query.member))
            if member is None or member.removed is not None:
                raise NotFound(
                    "the asker is no member of the collaboration", hint="check the collaboration's id"
                )
            if session.get(QueryRow, query.id) is not None:
                raise Conflict("this query was begun already", hint="use a new query id")
            require_basis(session, query.cost, query.basis_digest)
            require_signed_template(session, query.cost, query.details)
            if query.mode is Mode.THRESHOLD:
                require_memory(session, query.cost.collaboration)
            earlier = _same_question(session, query)
            if earlier is not None:
                return Begun(query_view(earlier), stored_release(earlier))
            row = _row(query, now)
            session.add(row)
            session.flush()
            charge(session, query.id, query.cost, now=now)
            note = Note(query.cost.collaboration, query.member, "query charged", _details(query))
            self._audit.append(session, note, now=now)
            return Begun(query_view(row))

        return self._store.write(work)

    def prepare(self, query_id: str, state: PreparedState, seen: DifferenceState) -> None:
        """Keep what the worker will remember, on the disk, before owners commit to it.

        `seen`: what the worker was given. Raises StateMoved when another query came first: the worker runs this one
        again on the newer state. Raises Conflict when the query has ended.
        """

        def work(session: Session) -> None:
            row = _running(session, query_id)
            covered = self._cover.covered(row.collaboration, state)
            prepare_state(session, row.collaboration, covered, seen.ids)

        self._store.write(work)

    def finish(self, finished: FinishedQuery, *, now: datetime) -> StoredRelease:
        """Store the release, and put the state that was prepared for it in force.

        Raises StateMoved when another query's state was prepared meanwhile.
        Raises Conflict when the query has ended, or a table of it has been destroyed.
        """

        def work(session: Session) -> StoredRelease:
            row = _running(session, finished.query_id)
            require_undestroyed(session, finished.release)
            if finished.state_id is not None:
                move_state(session, row.collaboration, finished.state_id)
            row.release, row.state, row.ended = dict(finished.release), str(QueryState.RELEASED), now
            details = {"query": row.id, "release_digest": digest_of(finished.release)}
            note = Note(row.collaboration, row.member, "query released", details)
            self._audit.append(session, note, now=now)
            return stored_release(row)

        return self._store.write(work)

    def fail(self, query_id: str, reason_code: str, *, now: datetime) -> None:
        """End a query without a release; its charge stays. `reason_code` is stable and says nothing of the data."""

        def work(session: Session) -> None:
            self._fail(session, _running(session, query_id), reason_code, now)

        self._store.write(work)

    def recover(self, *, now: datetime) -> tuple[str, ...]:
        """On start: fail every query that a process left behind. Their charges stay."""

        def work(session: Session) -> tuple[str, ...]:
            left = list(
                session.scalars(
                    select(QueryRow)
                    .where(QueryRow.state == str(QueryState.CHARGED))
                    .order_by(QueryRow.asked, QueryRow.id)
                )
            )
            for row in left:
                self._fail(session, row, "interrupted", now)
            if left:
                note = Note(SERVICE, SERVICE, "interrupted queries failed", {"queries": len(left)})
                self._audit.append(session, note, now=now)
            return tuple(row.id for row in left)

        return self._store.write(work)

    def state(self, collaboration: str) -> DifferenceState:
        """What workers remember; no candidates before the first release. Raises NotFound."""
        return self._cover.uncovered(self._store.read(lambda session: memory(session, collaboration)))

    def basis(self, cost: Cost) -> str:
        """The digest of what an answer at this cost rests on now: rules, tables, price. Raises NotFound."""
        return self._store.read(lambda session: current_basis(session, cost))

    def find_release(self, collaboration: str, plan_digest: str, basis_digest: str) -> StoredRelease | None:
        """The first release of the same noised question on the same rules and versions, if there is one."""

        def work(session: Session) -> StoredRelease | None:
            rows = _asked_before(session, collaboration, plan_digest, basis_digest)
            released = [row for row in rows if row.state == QueryState.RELEASED]
            return stored_release(released[0]) if released else None

        return self._store.read(work)

    def view(self, principal: Principal, collaboration: str, query_id: str) -> QueryView:
        """One query, for its asker, owners and auditors. Raises NotFound."""
        return self._store.read(
            lambda session: query_view(readable(session, principal, collaboration, query_id))
        )

    def list(self, principal: Principal, collaboration: str, *, limit: int = 1000) -> tuple[QueryView, ...]:
        """The newest queries, newest first: all for owners and auditors, analysts get their own."""
        principal.require(collaboration)

        def work(session: Session) -> tuple[QueryView, ...]:
            query = (
                select(QueryRow)
                .where(QueryRow.collaboration == collaboration, *visible(principal))
                .order_by(QueryRow.asked.desc(), QueryRow.id)
                .limit(min(max(limit, 1), 1000))
            )
            return tuple(query_view(row) for row in session.scalars(query))

        return self._store.read(work)

    def release(self, principal: Principal, collaboration: str, query_id: str) -> StoredRelease:
        """A query's release, for whoever may see the query and, unless it asked, is a receiver under the rules.

        Raises NotFound while there is none, Forbidden.
        """

        def work(session: Session) -> StoredRelease:
            row = readable(session, principal, collaboration, query_id)
            require_receiver(session, principal, row)
            if row.release is None:
                raise NotFound("this query has no release", hint="see the query's state")
            return stored_release(row)

        return self._store.read(work)

    def _fail(self, session: Session, row: QueryRow, reason_code: str, now: datetime) -> None:
        row.state, row.failure, row.ended = str(QueryState.FAILED), reason_code, now
        details = {"query": row.id, "reason": reason_code}
        self._audit.append(session, Note(row.collaboration, row.member, "query failed", details), now=now)


def _same_question(session: Session, query: NewQuery) -> QueryRow | None:
    """Asking again must not give fresh noise: two answers could be averaged."""
    if query.mode is not Mode.DP:
        return None
    rows = _asked_before(session, query.cost.collaboration, query.plan_digest, query.basis_digest)
    for row in rows:
        if row.state == QueryState.RELEASED:
            return row
    if any(row.state == QueryState.CHARGED for row in rows):
        raise Conflict("the same question is being answered", hint="ask again in a moment, at no charge")
    return None


def _asked_before(
    session: Session, collaboration: str, plan_digest: str, basis_digest: str
) -> list[QueryRow]:
    query = select(QueryRow).where(
        QueryRow.collaboration == collaboration,
        QueryRow.plan_digest == plan_digest,
        QueryRow.basis_digest == basis_digest,
        QueryRow.mode == str(Mode.DP),
    )
    return list(session.scalars(query.order_by(QueryRow.ended, QueryRow.id)))


def _row(query: NewQuery, now: datetime) -> QueryRow:
    return QueryRow(
        id=query.id,
        collaboration=query.cost.collaboration,
        member=query.member,
        question=query.question,
        plan_digest=query.plan_digest,
        basis_digest=query.basis_digest,
        mode=str(query.mode),
        state=str(QueryState.CHARGED),
        datasets=sorted(set(query.cost.datasets)),
        micro_epsilon=micro_epsilon(query.cost.epsilon),
        pico_delta=pico_delta(query.cost.delta),
        asked=now,
        failure="",
    )


def _details(query: NewQuery) -> dict[str, Any]:
    return {
        **query.details,
        "query": query.id,
        "question": query.question,
        "plan_digest": query.plan_digest,
        "basis_digest": query.basis_digest,
        "mode": str(query.mode),
        "datasets": sorted(set(query.cost.datasets)),
        "micro_epsilon": micro_epsilon(query.cost.epsilon),
        "pico_delta": pico_delta(query.cost.delta),
    }


def _running(session: Session, query_id: str) -> QueryRow:
    row = session.get(QueryRow, query_id)
    if row is None:
        raise NotFound("there is no such query", hint="check the query's id")
    if row.state != QueryState.CHARGED:
        raise Conflict(f"this query is {row.state} already", hint="ask a new query")
    return row
