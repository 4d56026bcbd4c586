"""A silo's privacy budget as `mixroom silo budget` shows it: for people, and as JSON."""

from datetime import datetime
from typing import Any

from mixroom.output import table
from privacy.ledger.budget_outlook import BudgetOutlook, PricedCharge

HEADER = ["started (UTC)", "run", "mode", "for", "epsilon", "replace one", "spent after"]


def budget_text(silo: str, outlook: BudgetOutlook) -> str:
    """What was spent, what is left, and every charge."""
    limit, runs = outlook.limit, f"{outlook.runs} run{'' if outlook.runs == 1 else 's'}"
    lines = [
        f"{silo}: epsilon {outlook.spent:.3g} of {limit.epsilon:g} spent in {runs}",
        f"left: {outlook.words}",
        f"at delta {limit.delta:g}, for one unit's whole series added or removed; "
        f"for one replaced, epsilon {outlook.spent_replace_one:.3g} is spent",
    ]
    if outlook.charges:
        lines += ["", table(HEADER, [_row(priced) for priced in outlook.charges])]
    return "\n".join(lines)


def budget_json(silo: str, outlook: BudgetOutlook) -> dict[str, Any]:
    """The same with every digit. `runs_like_last` is null before the first run."""
    return {
        "silo": silo,
        "lifetime_epsilon": outlook.limit.epsilon,
        "lifetime_delta": outlook.limit.delta,
        "neighbours": "add or remove one unit",
        "spent_epsilon": outlook.spent,
        "spent_epsilon_replace_one": outlook.spent_replace_one,
        "left_epsilon": outlook.left,
        "runs_like_last": outlook.runs_like_last if outlook.charges else None,
        "left_in_words": outlook.words,
        "charges": [_entry(priced) for priced in outlook.charges],
    }


def _row(priced: PricedCharge) -> list[str]:
    charge = priced.charge
    started = datetime.fromisoformat(charge.charged_at).strftime("%Y-%m-%d %H:%M")
    numbers = (priced.epsilon, priced.epsilon_replace_one, priced.spent_after)
    return [started, charge.run_id, charge.mode, _what(priced), *(f"{number:.3g}" for number in numbers)]


def _what(priced: PricedCharge) -> str:
    charge = priced.charge
    return f"{charge.purpose}: {charge.model}" if charge.model else charge.purpose


def _entry(priced: PricedCharge) -> dict[str, Any]:
    charge = priced.charge
    return {
        "charged_at": charge.charged_at,
        "run_id": charge.run_id,
        "mode": charge.mode,
        "purpose": charge.purpose,
        "model": charge.model,
        "epsilon": priced.epsilon,
        "epsilon_replace_one": priced.epsilon_replace_one,
        "spent_epsilon_after": priced.spent_after,
    }
