"""The planner of one stored run: loaded once, asked often; plans, what-if answers and frontiers of the same numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mmm_models.planning.changes import Change
from mmm_models.planning.feasible import Feasible
from mmm_models.planning.flighting import best_rhythm
from mmm_models.planning.frontier import Frontier, budget_frontier, risk_frontier
from mmm_models.planning.goals import Budget, Goal, require_askable
from mmm_models.planning.limits import Limits
from mmm_models.planning.limits_in_money import feasible
from mmm_models.planning.measures import Measures
from mmm_models.planning.outlook import Outlook, outlook
from mmm_models.planning.plan import Plan, WhatIf
from mmm_models.planning.plan_basis import PlanBasis
from mmm_models.planning.plan_report import plan_report
from mmm_models.planning.planning_errors import QuestionInvalid, ResponseTooUnsure, RiskUnknown
from mmm_models.planning.solve import Solver
from mmm_models.planning.stored_basis import load_basis
from mmm_models.planning.what_if import what_if
from mmm_models.stored_model import StoredModel, load_model


@dataclass(frozen=True, eq=False)
class Planner:
    """Answers questions about the next `weeks` weeks, given the last as many. Nothing here needs a silo's rows."""

    model: StoredModel
    basis: PlanBasis
    weeks: int | None = None

    @classmethod
    def of_run(cls, directory: Path, *, weeks: int | None = None, by_part: bool = False) -> "Planner":
        """From a run directory, for everything together or, where the run knows them, for each silo.

        Raises StoredModelDamaged and the errors of `stored_basis`.
        """
        basis = load_basis(directory)
        return cls(load_model(directory), basis if by_part else basis.merged(), weeks)

    @cached_property
    def look(self) -> Outlook:
        """What money would do. Raises QuestionInvalid for a period longer than the run's, ResponseTooUnsure."""
        found = outlook(self.basis, self.model, weeks=self.weeks)
        if not found.is_sure_enough:
            raise ResponseTooUnsure
        return found

    @cached_property
    def measures(self) -> Measures:
        """Last period measured once."""
        return Measures.of(self.look)

    def plan(
        self,
        goal: Goal | None = None,
        *,
        limits: Limits | None = None,
        risk: float | None = None,
        flight: bool = False,
    ) -> Plan:
        """The best split for `goal`; last period's total when none is given.

        `risk` is a quantile: the plan then brings the most in the sense that all but this share of possible worlds
        exceed what it is chosen by. `flight`: also when in the period. Raises PlanningError.
        """
        if goal is None:
            self._require_spend()
            goal = Budget(self.last_total)
        require_askable(goal, risk)
        if risk is not None and self.look.possible is None:
            raise RiskUnknown
        within = self.within(limits or Limits(), goal)
        spend = Solver(self.look, within, risk).split(goal)
        if not flight:
            return plan_report(self.measures, spend, within, goal=goal, risk=risk)
        rhythm = best_rhythm(self.look, spend)
        moved = self.look.with_pattern(rhythm.pattern)
        spend = Solver(moved, within, risk, past=self.look).split(goal)
        measures = Measures(moved, self.measures.last)
        return plan_report(measures, spend, within, goal=goal, risk=risk, rhythm=rhythm)

    def what_if(self, changes: Sequence[Change]) -> WhatIf:
        """What changed media would have brought in the last period. Raises PlanningError."""
        return what_if(self.measures, changes)

    def frontier(self, *, limits: Limits | None = None) -> Frontier:
        """Best splits for several budgets around last period's, and for several risks of the same budget.

        Raises PlanningError, also where last period cost nothing.
        """
        self._require_spend()
        within = limits or Limits()
        budgets = budget_frontier(self.measures, lambda goal: self.within(within, goal))
        risks = risk_frontier(self.measures, self.within(within, Budget(self.last_total)), self.last_total)
        return Frontier(budgets, risks)

    def within(self, limits: Limits, goal: Goal) -> Feasible:
        """The limits in money. Raises LimitsContradict and the like."""
        period = self.look.period
        return feasible(
            limits,
            parts=tuple(part.name for part in self.basis.parts),
            channels=self.basis.channels,
            last=period.spend,
            plannable=self.look.plannable,
            total=goal.total if isinstance(goal, Budget) else None,
        )

    def _require_spend(self) -> None:
        """Raises QuestionInvalid where there is no money of the last period to plan with."""
        if not self.last_total > 0:
            raise QuestionInvalid(
                f"nothing was spent in the last {self.look.period.weeks} weeks, so there is no total to start from; "
                "nothing was planned",
                hint="ask for a total and give channels ceilings in money, or plan for a longer period",
            )

    @property
    def last_total(self) -> float:
        """Last period's money."""
        return float(self.look.period.spend.sum())

    @property
    def last_outcome(self) -> float:
        """Last period's whole outcome."""
        return float(self.look.period.outcome.sum())
