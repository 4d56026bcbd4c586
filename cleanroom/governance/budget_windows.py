"""When a budget starts afresh, and epsilon and delta as whole numbers that add up exactly."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from cleanroom.errors import ProposalInvalid
from cleanroom.rules.analysis_rule import Refresh

MICRO = Decimal(10) ** 6
PICO = Decimal(10) ** 12


def micro_epsilon(epsilon: float) -> int:
    """A charge in millionths, rounded up. 0.1 is 100,000: the number as written, not its binary neighbour."""
    return _whole(epsilon, MICRO, ROUND_CEILING)


def pico_delta(delta: float) -> int:
    """A charge in units of 1e-12, rounded up."""
    return _whole(delta, PICO, ROUND_CEILING)


def micro_budget(epsilon: float) -> int:
    """A budget in millionths, rounded down."""
    return _whole(epsilon, MICRO, ROUND_FLOOR)


def plain(micro: int) -> str:
    """Millionths as people write them: 1,500,000 is 1.5."""
    return (
        f"{Decimal(micro) / MICRO:f}".rstrip("0").rstrip(".") if micro % MICRO else str(micro // int(MICRO))
    )


def window_start(refresh: Refresh, now: datetime) -> datetime | None:
    """Since when charges count, in UTC: midnight, Monday, or the first of the month; None for ever."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    match refresh:
        case Refresh.NEVER:
            return None
        case Refresh.DAILY:
            return midnight
        case Refresh.WEEKLY:
            return midnight - timedelta(days=midnight.weekday())
        case Refresh.MONTHLY:
            return midnight.replace(day=1)


def window_end(refresh: Refresh, now: datetime) -> datetime | None:
    """When the budget starts afresh; None for never."""
    start = window_start(refresh, now)
    if start is None:
        return None
    match refresh:
        case Refresh.DAILY:
            return start + timedelta(days=1)
        case Refresh.WEEKLY:
            return start + timedelta(days=7)
        case _:
            return (start + timedelta(days=32)).replace(day=1)


def _whole(amount: float, units: Decimal, rounding: str) -> int:
    if not math.isfinite(amount) or amount < 0:
        raise ProposalInvalid(
            "an amount of privacy is a finite number of at least 0", hint="ask for another amount"
        )
    return int((Decimal(repr(float(amount))) * units).to_integral_value(rounding=rounding))
