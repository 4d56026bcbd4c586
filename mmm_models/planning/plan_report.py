"""A split of money as a plan: measured cell by cell, beside last period and naive splits, doubts said aloud."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mmm_models.planning.doubts import doubts, search_ended, spent_beyond, toss_up
from mmm_models.planning.feasible import AT_LIMIT, Feasible
from mmm_models.planning.flighting import Rhythm
from mmm_models.planning.goals import Goal, OutcomeTarget
from mmm_models.planning.measures import Measured, Measures, interval_of, marginal_returns
from mmm_models.planning.naive_splits import AS_LAST, naive_splits
from mmm_models.planning.plan import Flight, Plan, PlannedCell
from mmm_models.results import NO_INTERVAL, Finding, Interval

Array = NDArray[np.float64]
SEARCH_END = "search limit"


def plan_report(
    measures: Measures,
    spend: Array,
    within: Feasible,
    *,
    goal: Goal,
    risk: float | None,
    rhythm: Rhythm | None = None,
) -> Plan:
    """For this money `[part, channel]`."""
    look, last = measures.look, measures.last
    found = measures.of_spend(spend)
    returns, drawn_returns = marginal_returns(look, found)
    bounds = _bounds(spend, within)
    reach = look.reach(found.intensity.numpy())
    cells = tuple(
        PlannedCell(
            part=part.name,
            channel=channel,
            last_spend=float(last.spend[p, c]),
            spend=float(spend[p, c]),
            floor=float(within.low.reshape(spend.shape)[p, c]),
            ceiling=float(within.high.reshape(spend.shape)[p, c]),
            last_revenue=float(last.expected[p, c]),
            revenue=float(found.expected[p, c]),
            marginal_roi=float(returns[p, c]),
            bound=bounds[p][c],
            reach=float(reach[p, c]),
            revenue_interval=found.interval(p, c),
            marginal_roi_interval=NO_INTERVAL
            if drawn_returns is None
            else interval_of(drawn_returns[:, p, c]),
        )
        for p, part in enumerate(look.basis.parts)
        for c, channel in enumerate(look.basis.channels)
    )
    shared = _shared(returns, bounds)
    naive = {name: measures.of_spend(money) for name, money in naive_splits(measures, float(spend.sum()))}
    gain, gain_interval = measures.outcome_gain(found)
    last_outcome = float(look.period.outcome.sum())
    return Plan(
        goal=goal.words(look.basis.currency),
        weeks=look.period.weeks,
        last_from=look.last_from,
        currency=look.basis.currency,
        outcome_unit=look.basis.outcome_unit,
        risk=float("nan") if risk is None else risk,
        interval_level=look.interval_level,
        last_outcome=last_outcome,
        outcome=last_outcome + gain,
        planned=measures.split("plan", found),
        last=measures.last_split,
        others=tuple(
            replace(measures.split(name, other), keeps_limits=within.keeps(other.spend.ravel()))
            for name, other in naive.items()
        ),
        cells=cells,
        marginal_roi=shared,
        findings=(
            *doubts(look, reach, timed=rhythm is not None),
            *_no_better(measures, found, naive, goal),
            *spent_beyond(shared, look.basis),
            *search_ended(look, within, spend),
        ),
        flights=() if rhythm is None else _flights(measures, found, rhythm),
        outcome_interval=outcome_interval(last_outcome, gain_interval),
    )


def _no_better(
    measures: Measures, found: Measured, naive: Mapping[str, Measured], goal: Goal
) -> tuple[Finding, ...]:
    """Beside last period, unless the goal itself is as much as it brought; beside its split of the same money, which
    more money cannot beat by being more."""
    than_last = toss_up(measures.compared(found, measures.last), "last period")
    if AS_LAST not in naive or (than_last and not isinstance(goal, OutcomeTarget)):
        return than_last
    return toss_up(measures.compared(found, naive[AS_LAST]), "last period's split of the same money")


def outcome_interval(last_outcome: float, gain: Interval) -> Interval:
    """Of the whole outcome: last period's is known, what changes is not."""
    return Interval(last_outcome + gain.low, last_outcome + gain.high)


def _bounds(spend: Array, within: Feasible) -> list[list[str]]:
    """Which limit each cell lies at."""
    low, high, money = within.low, within.high, spend.ravel()
    close = AT_LIMIT * within.span(money)
    names = np.full(money.size, "", dtype=object)
    for row in within.rows:
        total, slack = float(row.cells @ money), AT_LIMIT * max(float(row.cells @ money), 1.0)
        if min(abs(total - row.low), abs(row.high - total)) <= slack:
            names[row.cells > 0] = row.name
    names[high - money <= close] = "ceiling"
    names[list(within.at_search_end(money))] = SEARCH_END
    names[money - low <= close] = "floor"
    names[high <= low] = "fixed"
    return [[str(name) for name in row] for row in names.reshape(spend.shape)]


def _shared(returns: Array, bounds: list[list[str]]) -> float:
    """The marginal return of cells that are free to move, which a best split makes equal."""
    free = np.array([[bound == "" for bound in row] for row in bounds]) & np.isfinite(returns)
    return float(np.median(returns[free])) if free.any() else float("nan")


def _flights(measures: Measures, found: Measured, rhythm: Rhythm) -> tuple[Flight, ...]:
    look, last = measures.look, measures.last
    weeks = look.period.weeks
    past = look.basis.parts
    return tuple(
        Flight(
            part.name,
            channel,
            tuple((found.spend[p, c] / weeks * rhythm.pattern[p, :, c]).tolist()),
            tuple(past[p].spend[-weeks:, c].tolist()),
            float(rhythm.gain[p, c]),
        )
        for p, part in enumerate(look.basis.parts)
        for c, channel in enumerate(look.basis.channels)
        if look.plannable[p, c] and last.spend[p, c] + found.spend[p, c] > 0
    )
