"""All that a stored run says about what media do, made once and shown in many ways."""

from dataclasses import dataclass

from mmm_models.explaining.absence import Absence, absences
from mmm_models.explaining.channel_facts import ChannelFacts, channel_facts
from mmm_models.explaining.past_waterfalls import past_waterfalls
from mmm_models.explaining.spend_curves import SpendCurve, spend_curves
from mmm_models.explaining.waterfall import Waterfall
from mmm_models.explaining.week_by_week import WeekParts, week_by_week
from mmm_models.planning.measures import Measures
from mmm_models.planning.outlook import outlook
from mmm_models.planning.plan import Plan
from mmm_models.planning.plan_basis import PlanBasis
from mmm_models.stored_model import StoredModel


@dataclass(frozen=True)
class Explanation:
    """Of the last `period_weeks`, from `last_from` ("" where the run knows no dates).

    `channels` and `curves` are of everything together, `parts` the same facts silo by silo (empty for one). `weeks`
    are all the calendar's; `plan` is one made from the run, None without. Money and revenue are in `value_unit`;
    without a known revenue that is the outcome's unit and returns are outcome per money. All intervals are at
    `interval_level`, NaN without any. What is missing is named in `absences`.
    """

    period_weeks: int
    last_from: str
    currency: str
    outcome_unit: str
    value_unit: str
    interval_level: float
    outcome: float
    spend: float
    channels: tuple[ChannelFacts, ...]
    curves: tuple[SpendCurve, ...]
    parts: tuple[ChannelFacts, ...]
    weeks: tuple[WeekParts, ...]
    waterfalls: tuple[Waterfall, ...]
    absences: tuple[Absence, ...]
    plan: Plan | None = None

    @property
    def channel_names(self) -> tuple[str, ...]:
        return tuple(fact.channel for fact in self.channels)

    @property
    def period(self) -> str:
        """In words; a run that released totals only knows what a period is like on average."""
        return (
            f"the last {self.period_weeks} weeks"
            if self.last_from
            else f"a typical {self.period_weeks} weeks"
        )

    @property
    def is_money(self) -> bool:
        """Whether returns are money per money."""
        return bool(self.currency) and self.value_unit == self.currency


def explain(
    basis: PlanBasis, model: StoredModel, *, weeks: int | None = None, own: bool = False
) -> Explanation:
    """Of the basis's parts and of all together; `own` says that it is one silo's, made on its own machine.

    Raises QuestionInvalid for a period longer than the run's.
    """
    whole = Measures.of(outlook(basis.merged(), model, weeks=weeks))
    look, facts = whole.look, channel_facts(whole)
    several = len(basis.parts) > 1
    return Explanation(
        period_weeks=look.period.weeks,
        last_from=look.last_from,
        currency=basis.currency,
        outcome_unit=basis.outcome_unit,
        value_unit=basis.value_unit,
        interval_level=look.interval_level,
        outcome=float(look.period.outcome.sum()),
        spend=float(look.period.spend.sum()),
        channels=facts,
        curves=spend_curves(whole, facts),
        parts=channel_facts(Measures.of(outlook(basis, model, weeks=weeks))) if several else (),
        weeks=week_by_week(basis),
        waterfalls=past_waterfalls(look),
        absences=absences(whole, parts=len(basis.parts), own=own),
    )
