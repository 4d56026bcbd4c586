"""From the last period's outcome to the next one's, as a plan or a what-if answer has it."""

import numpy as np

from mmm_models.explaining.estimate import estimate
from mmm_models.explaining.waterfall import LAST, NEXT, Kind, Step, Waterfall
from mmm_models.planning.measures import Measured, Measures, measure
from mmm_models.planning.outlook import Outlook
from mmm_models.planning.plan import Plan, WhatIf
from mmm_models.planning.planning_errors import PlanningError
from mmm_models.planning.what_if import changed_media

SAME = 1e-6  # of the revenue: rounding


class PlanOfAnotherRun(PlanningError):
    """A stored plan does not fit the run it lies beside; it was left out."""

    def __init__(self) -> None:
        super().__init__(
            "the plan was made from another run, or before this one was fitted again; it was left out",
            hint="make it again: mixroom plan RUN --out RUN",
        )


def plan_waterfall(measures: Measures, plan: Plan) -> Waterfall:
    """Of a plan made from the same run, parts and period. Raises PlanOfAnotherRun."""
    look, cells = measures.look, plan.cells
    names = [(part.name, channel) for part in look.basis.parts for channel in look.basis.channels]
    if [(cell.part, cell.channel) for cell in cells] != names or plan.weeks != look.period.weeks:
        raise PlanOfAnotherRun
    spend = np.array([cell.spend for cell in cells]).reshape(look.period.spend.shape)
    planned = _in_rhythm(look, plan)
    found = measure(planned, planned.intensity(spend), spend)
    if abs(found.expected.sum() - plan.planned.revenue) > SAME * abs(plan.planned.revenue):
        raise PlanOfAnotherRun
    return _waterfall(measures, found, "plan")


def what_if_waterfall(measures: Measures, answer: WhatIf) -> Waterfall:
    """Of an answer that the same measures gave."""
    look = measures.look
    change, spend = (
        np.array(column).reshape(look.period.spend.shape)
        for column in zip(*((channel.change, channel.spend) for channel in answer.channels), strict=True)
    )
    return _waterfall(measures, measure(look, changed_media(look, change, spend), spend), "what-if")


def _in_rhythm(look: Outlook, plan: Plan) -> Outlook:
    """With the plan's own weeks, where it says when money is spent."""
    if not plan.flights:
        return look
    pattern = look.period.pattern.copy()
    parts = [part.name for part in look.basis.parts]
    for flight in plan.flights:
        weeks = np.array(flight.spend)
        if weeks.sum() > 0:
            pattern[parts.index(flight.part), :, look.basis.channels.index(flight.channel)] = (
                weeks / weeks.mean()
            )
    return look.with_pattern(pattern)


def _waterfall(measures: Measures, found: Measured, kind: Kind) -> Waterfall:
    """The baseline stays as it was."""
    look, last = measures.look, measures.last
    worth = look.worth[:, None]
    change = ((found.expected - last.expected) / worth).sum(axis=0)
    drawn = change[None][:0]
    if found.drawn is not None and last.drawn is not None:
        drawn = ((found.drawn - last.drawn) / worth).sum(axis=1)
    outcome = float(look.period.outcome.sum())
    after = estimate(outcome + float(change.sum()), outcome + drawn.sum(axis=1))
    steps = [estimate(float(change[index]), drawn[:, index]) for index in range(len(change))]
    return Waterfall(
        kind,
        (
            Step(LAST, outcome, is_total=True),
            *(Step(name, s.value, s.interval) for name, s in zip(look.basis.channels, steps, strict=True)),
            Step(NEXT, after.value, after.interval, is_total=True),
        ),
    )
