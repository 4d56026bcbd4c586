"""Goals as people write them: totals and targets in money, in per cent of last period or as returns."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mmm_models.planning.goals import Budget, Goal, MarginalTarget, OutcomeTarget, ReturnTarget
from mmm_models.planning.percentages import is_percentage, share
from mmm_models.planning.planning_errors import PlanningError, QuestionInvalid

if TYPE_CHECKING:
    from mmm_models.planning.planner import Planner  # words alone are read without torch

NUMBER = re.compile(r"^(\d+(?:\.\d+)?(?:e\+?\d+)?)$", re.IGNORECASE)
OUTCOME_WORDS = ("outcome", "sales")
RETURN_WORDS, MARGINAL_WORDS = ("roi", "return"), ("marginal-roi", "marginal_roi", "marginal-return")
TOTAL_HINT = "write an amount such as 250000, or of last period's money +10%, -5% or 110%"
TARGET_HINT = "write sales=+15%, outcome=1200000, roi=3 or marginal-roi=1.2"


class GoalsContradict(PlanningError):
    """A total and a target were asked for together; nothing was planned."""

    def __init__(self, total: float | str, target: str) -> None:
        super().__init__(
            f"a total ({total}) and a target ({target}) contradict each other: a target finds its own total; "
            "nothing was planned",
            hint="leave one of them out; to keep a target within a budget, limit channels or groups instead",
        )


def require_one_goal(total: float | str | None, target: str | None) -> None:
    """Raises GoalsContradict where both are given."""
    if total is not None and target is not None:
        raise GoalsContradict(total, target)


def goal_of(planner: Planner, total: float | str | None, target: str | None) -> Goal | None:
    """The goal, percentages being of last period's money or outcome; None where neither is given.

    Raises GoalsContradict, QuestionInvalid.
    """
    require_one_goal(total, target)
    if total is not None:
        return Budget(parse_total(total, planner.last_total))
    if target is not None:
        return parse_target(target, planner.last_outcome, planner.basis.outcome_unit)
    return None


def parse_total(total: float | str, last_total: float) -> float:
    """Money: an amount, `+10%`, `-5%` or `110%` of last period's. Raises QuestionInvalid."""
    if not isinstance(total, str):
        return float(total)
    found = _amount(total, last_total)
    if found is None:
        raise QuestionInvalid(f"{total!r} is no total; nothing was planned", hint=TOTAL_HINT)
    return found


def parse_target(text: str, last_outcome: float, unit: str = "") -> Goal:
    """`sales=+15%`, `outcome=1200000`, `roi=3` or `marginal-roi=1.2`. Raises QuestionInvalid.

    `unit` is the run's own word for its outcome, which a target may use as well.
    """
    name, separator, amount = (piece.strip() for piece in text.partition("="))
    word = name.lower()
    if separator and word in (*OUTCOME_WORDS, *([unit.lower()] if unit else [])):
        outcome = _amount(amount, last_outcome)
        if outcome is not None:
            return OutcomeTarget(outcome)
    number = NUMBER.match(amount)
    if separator and number and word in RETURN_WORDS:
        return ReturnTarget(float(number.group(1)))
    if separator and number and word in MARGINAL_WORDS:
        return MarginalTarget(float(number.group(1)))
    raise QuestionInvalid(f"{text!r} is no target; nothing was planned", hint=TARGET_HINT)


def _amount(text: str, last: float) -> float | None:
    """Of an amount, or a percentage of `last`; None for anything else."""
    written = text.strip()
    if number := NUMBER.match(written):
        return float(number.group(1))
    return last * share(written) if is_percentage(written) else None
