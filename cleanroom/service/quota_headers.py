"""Headers of query answers: what the tightest of the involved datasets has left, public numbers only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cleanroom.governance.ledger import BudgetView
from cleanroom.rules.analysis_rule import Mode

EPSILON_LEFT = "X-Budget-Epsilon-Left"
QUERIES_LEFT = "X-Quota-Queries-Left"
DOCUMENTED: dict[str, Any] = {
    EPSILON_LEFT: {
        "description": "Privacy budget left in the tightest dataset; none outside dp mode.",
        "schema": {"type": "string"},
    },
    QUERIES_LEFT: {
        "description": "Queries left today in the tightest dataset; none without a limit.",
        "schema": {"type": "string"},
    },
    "RateLimit-Limit": {"description": "Queries a day of that dataset.", "schema": {"type": "string"}},
    "RateLimit-Remaining": {"description": "Queries left today.", "schema": {"type": "string"}},
    "RateLimit-Reset": {"description": "Seconds until the day ends, UTC.", "schema": {"type": "string"}},
}


def quota_headers(
    budgets: Iterable[BudgetView], release: Mapping[str, Any], *, now: datetime
) -> dict[str, str]:
    """The headers that go with a release."""
    names = {policy["dataset"] for policy in release["body"]["policies"]}
    involved = [view for view in budgets if view.dataset in names]
    headers = {}
    noised = [view.left_epsilon for view in involved if view.mode is Mode.DP]
    if noised:
        headers[EPSILON_LEFT] = f"{min(noised):.6g}"
    limited = [view for view in involved if view.queries_left is not None]
    if limited:
        tightest = min(limited, key=lambda view: view.queries_left or 0)
        headers[QUERIES_LEFT] = headers["RateLimit-Remaining"] = str(tightest.queries_left)
        headers["RateLimit-Limit"] = str(tightest.queries_per_day)
        headers["RateLimit-Reset"] = str(_seconds_left_today(now))
    return headers


def _seconds_left_today(now: datetime) -> int:
    today = now.astimezone(UTC)
    midnight = today.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return max(1, int((midnight - today).total_seconds()))
