"""What should make a reader look twice before the next budget: returns, saturation, priors, effects cut off."""

from collections.abc import Callable, Iterable, Iterator

from mmm_models.explaining.channel_facts import ChannelFacts
from mmm_models.explaining.explanation import Explanation
from mmm_models.reporting.health import Health, HealthCheck
from mmm_models.reporting.number_format import percent
from mmm_models.reporting.report_words import join_some
from mmm_models.results import Finding

MUCH = 0.5  # of all spend
FULL = 0.9  # of what twice the media would bring: doubling brings a ninth more
LATE = 0.05  # of an effect in the last week the model looks at
PRIOR_ONLY = "prior-only"


def spending_checks(told: Explanation, findings: Iterable[Finding]) -> tuple[HealthCheck, ...]:
    """Of today's spend; empty for a run without any. `findings` say which channels the data hardly tell about."""
    paid = [fact for fact in told.channels if fact.is_paid and fact.has_effect]
    if not paid:
        return ()
    unknown = {name for finding in findings if finding.code == PRIOR_ONLY for name in finding.channels}
    return (
        *(_margin(paid) if told.is_money else ()),
        _saturation(paid),
        _knowledge(paid, unknown),
        _carry_over(paid),
    )


def _margin(paid: list[ChannelFacts]) -> Iterator[HealthCheck]:
    """Whether the last money came back; without intervals nothing can be said."""
    known = [fact for fact in paid if fact.marginal_roi.interval.low == fact.marginal_roi.interval.low]
    if not known:
        return
    name = "Last money spent"
    losing = _spent(paid, lambda fact: fact.marginal_roi.interval.high < 1.0)
    unsure = _spent(paid, lambda fact: fact.marginal_roi.interval.low < 1.0)
    if losing.share > MUCH:
        advice = "Spend less there: mixroom plan shows where it brings more."
        finding = f"Did not come back for {losing.names}, {percent(losing.share, 0)} of all spend."
        yield HealthCheck(name, Health.FAIL, finding, advice)
    elif unsure.share > MUCH or losing.names:
        advice = "Plan in small steps, and test the largest of them by experiment."
        finding = f"May not have come back for {unsure.names}, {percent(unsure.share, 0)} of all spend."
        yield HealthCheck(name, Health.REVIEW, finding, advice)
    else:
        sure = _spent(paid, lambda fact: fact.marginal_roi.interval.low >= 1.0)
        finding = f"Came back for {sure.names}, {percent(sure.share, 0)} of all spend."
        yield HealthCheck(name, Health.PASS, finding)


def _saturation(paid: list[ChannelFacts]) -> HealthCheck:
    name, full = "Saturation", _spent(paid, lambda fact: fact.of_double.value > FULL)
    if not full.names:
        return HealthCheck(name, Health.PASS, "In every channel more media would still bring more.")
    much = percent(full.share, 0)
    finding = f"{full.names}: twice the media would bring less than a ninth more ({much} of all spend)."
    advice = "Move some of its money: mixroom plan shows where."
    return HealthCheck(name, Health.REVIEW, finding, advice)


def _knowledge(paid: list[ChannelFacts], unknown: set[str]) -> HealthCheck:
    name, guessed = "What the data know", _spent(paid, lambda fact: fact.channel in unknown)
    if guessed.share <= MUCH / 2:
        finding = "Most money is in channels about which the data say something."
        return HealthCheck(name, Health.PASS, finding)
    finding = f"The data hardly tell about {guessed.names}, {percent(guessed.share, 0)} of all spend."
    advice = (
        "A plan moves this money by what is usual elsewhere: run an experiment first (docs/experiments.md)."
    )
    worst = Health.FAIL if guessed.share > 1.5 * MUCH else Health.REVIEW
    return HealthCheck(name, worst, finding, advice)


def _carry_over(paid: list[ChannelFacts]) -> HealthCheck:
    name, late = "Carry-over", _spent(paid, lambda fact: fact.timing.last_week > LATE)
    weeks = paid[0].timing.weeks
    if not late.names:
        return HealthCheck(
            name, Health.PASS, f"Effects are over within the {weeks} weeks the model looks at."
        )
    finding = f"{late.names}: more than {percent(LATE, 0)} of the effect comes in the last of {weeks} weeks."
    return HealthCheck(name, Health.REVIEW, finding, "Effects may last longer: raise max_lag_weeks.")


class _Spent:
    """Some channels' names and their share of all spend."""

    def __init__(self, chosen: list[ChannelFacts], paid: list[ChannelFacts]) -> None:
        self.names = join_some([fact.channel for fact in chosen]) if chosen else ""
        self.share = sum(fact.spend for fact in chosen) / sum(fact.spend for fact in paid)


def _spent(paid: list[ChannelFacts], which: Callable[[ChannelFacts], bool]) -> _Spent:
    return _Spent([fact for fact in paid if which(fact)], paid)
