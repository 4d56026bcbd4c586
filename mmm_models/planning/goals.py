"""What a plan is for: one of four goals."""

from dataclasses import dataclass

from mmm_models.planning.planning_errors import QuestionInvalid


@dataclass(frozen=True)
class Budget:
    """Spend exactly `total` and bring the most revenue."""

    total: float

    def words(self, currency: str) -> str:
        return f"most revenue from {self.total:,.0f} {currency}".rstrip()


@dataclass(frozen=True)
class ReturnTarget:
    """The largest total whose revenue per unit of money is at least `roi`."""

    roi: float

    def words(self, currency: str) -> str:
        return f"the largest budget with a return of at least {self.roi:g}"


@dataclass(frozen=True)
class MarginalTarget:
    """Spend on until the last unit of money brings `marginal_roi`."""

    marginal_roi: float

    def words(self, currency: str) -> str:
        return f"spend until the last unit of money brings {self.marginal_roi:g}"


@dataclass(frozen=True)
class OutcomeTarget:
    """Reach this whole outcome, media's and the rest, with the least money."""

    outcome: float

    def words(self, currency: str) -> str:
        return f"an outcome of {self.outcome:,.0f} for the least money"


Goal = Budget | ReturnTarget | MarginalTarget | OutcomeTarget


def require_askable(goal: Goal, risk: float | None) -> None:
    """Raises QuestionInvalid for numbers no plan can have."""
    match goal:
        case Budget(number) | ReturnTarget(number) | MarginalTarget(number) | OutcomeTarget(number):
            if not 0 < number < float("inf"):
                raise QuestionInvalid(
                    f"a goal's number must be above 0, found {number:g}; nothing was planned",
                    hint="name a total, a return or an outcome above 0",
                )
    if risk is not None and not 0.05 <= risk <= 0.95:
        raise QuestionInvalid(
            f"a risk must be a quantile between 0.05 and 0.95, found {risk:g}; nothing was planned",
            hint="0.1 plans for the revenue that nine of ten possible worlds exceed",
        )
