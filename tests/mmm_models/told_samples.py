"""Explanations as reports show them: with a plan, with many channels, of totals only, without intervals."""

from dataclasses import replace

from mmm_models.explaining.explanation import Explanation, explain
from mmm_models.explaining.next_waterfall import plan_waterfall
from mmm_models.planning.goals import Budget
from mmm_models.planning.planner import Planner
from mmm_models.reporting.report_input import ReportInput
from tests.mmm_models.explaining.small_runs import PERIOD, small_run
from tests.mmm_models.report_samples import SURE


def planned(channels: int = 3, *, sure: bool = True) -> Explanation:
    """Two silos, sixty weeks, and a plan for a tenth more money."""
    basis, model = small_run(channels, sure=sure)
    planner = Planner(model, basis.merged(), PERIOD)
    plan = planner.plan(Budget(1.1 * planner.last_total))
    told = explain(basis, model, weeks=PERIOD)
    return replace(told, plan=plan, waterfalls=(*told.waterfalls, plan_waterfall(planner.measures, plan)))


def totals_only() -> Explanation:
    """As a run with noise knows: no weeks, no silos."""
    basis, model = small_run()
    return explain(replace(basis.merged(), by_week=False), model, weeks=PERIOD)


def many_parts(told: Explanation, count: int) -> Explanation:
    """With so many silos, awkwardly named."""
    own = told.parts[: len(told.channels)]
    parts = tuple(
        replace(
            fact, part=f"a silo nobody can pronounce {number}", share=replace(fact.share, value=number / 100)
        )
        for number in range(count)
        for fact in own
    )
    return replace(told, parts=parts)


def told_reports() -> dict[str, ReportInput]:
    """Reports with every kind of explanation."""
    whole = planned()
    return {
        "planned": replace(SURE, explained=whole),
        "unsure": replace(SURE, explained=planned(sure=False)),
        "totals": replace(SURE, explained=totals_only()),
        "crowded": replace(SURE, explained=many_parts(planned(10), 12)),
        "five": replace(SURE, explained=many_parts(whole, 5)),
    }
