"""What a question would come to: verdict, price, expected noise and budgets, from public numbers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cleanroom.errors import Reason
from cleanroom.governance.ledger import BudgetView
from cleanroom.query.plan import Plan
from cleanroom.release.dp_budget import expected_noise
from cleanroom.rules.analysis_rule import Mode
from cleanroom.rules.rule_check import Verdict
from cleanroom.worker.release_document import notice
from privacy.errors import InvalidSetting


@dataclass(frozen=True)
class NoiseLine:
    """Noise of one measure of one release: half of all answers lie closer, 95 % within `half_width_95`."""

    release: int
    grouping_set: int
    measure: int
    function: str
    standard_deviation: float
    half_width_95: float
    key_threshold: int


@dataclass(frozen=True)
class DryRun:
    """The verdict on a question that was not asked. `reasons` hold what the rules, or the budget, have against it."""

    reasons: tuple[Reason, ...]
    plan: Plan | None = None
    verdict: Verdict | None = None
    noise: tuple[NoiseLine, ...] = ()
    budgets: tuple[BudgetView, ...] = ()

    @classmethod
    def refused(cls, reasons: Sequence[Reason]) -> DryRun:
        """A question that does not map into a plan, or breaks a rule."""
        return cls(tuple(reasons))

    @classmethod
    def of(
        cls, plan: Plan, verdict: Verdict, short: Sequence[Reason], budgets: Sequence[BudgetView]
    ) -> DryRun:
        """A question that the rules allow; `short`: what the budget lacks."""
        noise = _noise(verdict) if verdict.mode is Mode.DP else ()
        return cls(tuple(short), plan, verdict, noise, tuple(budgets))

    @property
    def allowed(self) -> bool:
        """Whether the question would be answered now."""
        return not self.reasons

    def to_plain(self) -> dict[str, Any]:
        """As the service answers it."""
        verdict = self.verdict
        return {
            "allowed": self.allowed,
            "reasons": [asdict(reason) for reason in self.reasons],
            "mode": verdict.mode.value if verdict else None,
            "min_group_size": verdict.min_group_size if verdict else None,
            "datasets": list(verdict.datasets) if verdict else [],
            "epsilon": verdict.epsilon if verdict else 0.0,
            "delta": verdict.delta if verdict else 0.0,
            "expected_noise": [asdict(line) for line in self.noise],
            "budgets": [{"dataset": view.dataset, "words": view.words} for view in self.budgets],
            "notice": notice(verdict.mode, verdict.min_group_size) if verdict else None,
            "plan_digest": self.plan.digest() if self.plan else None,
            "plan": self.plan.model_dump(mode="json") if self.plan else None,
        }


def _noise(verdict: Verdict) -> tuple[NoiseLine, ...]:
    lines = []
    for release, terms in enumerate(verdict.releases):
        try:
            sets = expected_noise(terms)
        except InvalidSetting:
            continue
        for noise in sets:
            for index, (measure, terms_) in enumerate(zip(noise.measures, terms.measures, strict=True)):
                lines.append(
                    NoiseLine(
                        release,
                        noise.grouping_set,
                        index,
                        terms_.function.value,
                        measure.standard_deviation,
                        measure.half_width_95,
                        noise.key_threshold,
                    )
                )
    return tuple(lines)
