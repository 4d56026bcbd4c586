"""What every dataset's budget has paid and what is left of it.

Guarantee: a query's charge on all its datasets is made whole or not at all, before data are touched, and never
given back; no sum of charges in a window passes the budget of the rules in force (writers take turns, `Store`).
Unit: one person, all rows of all tables; charges of a window add up (basic composition).
Not covered: what several windows of a budget that refreshes, or several datasets of one owner, add up to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cleanroom.errors import BudgetSpent, NotFound, Reason
from cleanroom.governance.budget_windows import (
    micro_budget,
    micro_epsilon,
    pico_delta,
    plain,
    window_end,
    window_start,
)
from cleanroom.governance.store import Store
from cleanroom.governance.tables import ChargeRow, DatasetRow
from cleanroom.rules.analysis_rule import Mode, Refresh, Rule, RuleDocument


@dataclass(frozen=True)
class Cost:
    """What a query costs each of its datasets. In threshold mode epsilon is 0 and only the day's quota counts."""

    collaboration: str
    datasets: tuple[str, ...]
    epsilon: float = 0.0
    delta: float = 0.0


@dataclass(frozen=True)
class BudgetView:
    """What is left of one dataset's budget; epsilons at the deltas that add up to `spent_delta`."""

    dataset: str
    owner: str
    mode: Mode
    refresh: Refresh
    budget_epsilon: float
    spent_epsilon: float
    left_epsilon: float
    spent_delta: float
    queries_per_day: int
    queries_today: int
    renews: datetime | None
    words: str

    @property
    def queries_left(self) -> int | None:
        """How many more queries the day allows; None without a limit."""
        return max(0, self.queries_per_day - self.queries_today) if self.queries_per_day else None


class Ledger:
    """Reads the ledger. Charges are made by `Queries.begin`, in the transaction that begins the query."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def remaining(self, collaboration: str, *, now: datetime) -> tuple[BudgetView, ...]:
        """What is left, per dataset by name."""

        def work(session: Session) -> tuple[BudgetView, ...]:
            rows = session.scalars(
                select(DatasetRow)
                .where(DatasetRow.collaboration == collaboration, DatasetRow.closed.is_(False))
                .order_by(DatasetRow.name)
            )
            return tuple(_view(_account(session, row, now), now) for row in rows)

        return self._store.read(work)

    def check(self, cost: Cost, *, now: datetime) -> tuple[Reason, ...]:
        """Why the query could not be charged now, all reasons; empty when it could. Nothing is changed."""
        return self._store.read(lambda session: shortfalls(session, cost, now=now))


def charge(session: Session, query_id: str, cost: Cost, *, now: datetime) -> None:
    """Charge all datasets within the caller's write transaction. Raises BudgetSpent, with nothing charged.

    Charging the same query again changes nothing.
    """
    if session.scalars(select(ChargeRow).where(ChargeRow.query == query_id)).first() is not None:
        return
    reasons = shortfalls(session, cost, now=now)
    if reasons:
        raise BudgetSpent(
            "; ".join(reason.message for reason in reasons)
            + "; nothing was charged and no data were touched",
            hint=reasons[0].fix,
            reasons=reasons,
        )
    for dataset in sorted(set(cost.datasets)):
        session.add(
            ChargeRow(
                query=query_id,
                dataset=dataset,
                collaboration=cost.collaboration,
                micro_epsilon=micro_epsilon(cost.epsilon),
                pico_delta=pico_delta(cost.delta),
                charged=now,
            )
        )
    session.flush()


def shortfalls(session: Session, cost: Cost, *, now: datetime) -> tuple[Reason, ...]:
    """Every dataset whose budget or day does not cover the cost, with public numbers only."""
    reasons: list[Reason] = []
    for name in sorted(set(cost.datasets)):
        row = session.get(DatasetRow, (cost.collaboration, name))
        if row is None or row.closed:
            raise NotFound("a dataset of the query is not there", hint="list the collaboration's datasets")
        account = _account(session, row, now)
        reasons += _lacks_epsilon(account, micro_epsilon(cost.epsilon), now)
        reasons += _lacks_queries(account)
    return tuple(reasons)


@dataclass(frozen=True)
class _Account:
    """One dataset's rules and what its window and its day have seen."""

    dataset: str
    owner: str
    rule: Rule
    spent_micro: int
    spent_pico: int
    today: int

    @property
    def budget_micro(self) -> int:
        return micro_budget(self.rule.dp_terms.epsilon_budget)

    @property
    def left_micro(self) -> int:
        return max(0, self.budget_micro - self.spent_micro)


def _account(session: Session, row: DatasetRow, now: datetime) -> _Account:
    rule = RuleDocument.of(row.rules).rule
    charges = select(
        func.coalesce(func.sum(ChargeRow.micro_epsilon), 0), func.coalesce(func.sum(ChargeRow.pico_delta), 0)
    ).where(ChargeRow.collaboration == row.collaboration, ChargeRow.dataset == row.name)
    start = window_start(rule.dp_terms.refresh, now)
    if start is not None:
        charges = charges.where(ChargeRow.charged >= start)
    micro, pico = session.execute(charges).one()
    today = select(func.count()).where(
        ChargeRow.collaboration == row.collaboration,
        ChargeRow.dataset == row.name,
        ChargeRow.charged >= window_start(Refresh.DAILY, now),
    )
    # PostgreSQL adds up big integers as decimals.
    return _Account(row.name, row.owner, rule, int(micro), int(pico), session.scalar(today) or 0)


def _lacks_epsilon(account: _Account, asked: int, now: datetime) -> list[Reason]:
    if asked == 0 or account.spent_micro + asked <= account.budget_micro:
        return []
    renews = window_end(account.rule.dp_terms.refresh, now)
    fix = (
        f"ask for less, or wait: it starts afresh on {renews:%Y-%m-%d} (UTC)"
        if renews
        else f"ask for less, or ask {account.owner} to propose a larger budget"
    )
    missing = asked - account.left_micro
    return [
        Reason(
            "budget_spent",
            f"dataset {account.dataset} has {plain(account.left_micro)} of its privacy budget of "
            f"{plain(account.budget_micro)} left, and this query costs {plain(asked)}: {plain(missing)} is missing",
            fix,
        )
    ]


def _lacks_queries(account: _Account) -> list[Reason]:
    limit = account.rule.queries_per_day
    if not limit or account.today < limit:
        return []
    return [
        Reason(
            "quota_spent",
            f"dataset {account.dataset} has answered its {limit} queries of today",
            "wait for midnight (UTC)",
        )
    ]


def _view(account: _Account, now: datetime) -> BudgetView:
    rule = account.rule
    return BudgetView(
        dataset=account.dataset,
        owner=account.owner,
        mode=rule.privacy,
        refresh=rule.dp_terms.refresh,
        budget_epsilon=account.budget_micro / 1e6,
        spent_epsilon=account.spent_micro / 1e6,
        left_epsilon=account.left_micro / 1e6,
        spent_delta=account.spent_pico / 1e12,
        queries_per_day=rule.queries_per_day,
        queries_today=account.today,
        renews=window_end(rule.dp_terms.refresh, now),
        words=_words(account, now),
    )


def _words(account: _Account, now: datetime) -> str:
    rule = account.rule
    parts = []
    if rule.privacy is Mode.DP or account.spent_micro:
        each = micro_epsilon(rule.dp_terms.epsilon_per_query)
        count = account.left_micro // each
        parts.append(
            f"{plain(account.left_micro)} of {plain(account.budget_micro)} left: about {count} more "
            f"{'query' if count == 1 else 'queries'} at this noise"
        )
        renews = window_end(rule.dp_terms.refresh, now)
        if renews:
            parts.append(f"starts afresh on {renews:%Y-%m-%d}")
    else:
        parts.append("no privacy budget: small groups are withheld instead")
    if rule.queries_per_day:
        left = max(0, rule.queries_per_day - account.today)
        parts.append(f"{left} of {rule.queries_per_day} queries left today")
    return "; ".join(parts)
