"""What a report shows of an explanation: sentences, figures, the plan, and what is missing."""

from dataclasses import dataclass

from mmm_models.explaining.explanation import Explanation
from mmm_models.explaining.waterfall import Kind
from mmm_models.explaining.words import insight, sentences
from mmm_models.planning.plan import Plan
from mmm_models.reporting.figure import Cell, Column, Table
from mmm_models.reporting.figure_parts import parts_figure
from mmm_models.reporting.figure_waterfall import waterfall_figure
from mmm_models.reporting.figure_weeks import weeks_figure
from mmm_models.reporting.number_format import amount, decimal, signed_percent
from mmm_models.reporting.section import Section
from mmm_models.reporting.table_facts import facts_table
from mmm_models.reporting.told_words import cells, in_unit, with_interval
from mmm_models.results import Finding

TITLES: dict[Kind, str] = {
    "outcome": "What made the last period",
    "past": "What changed since the period before",
    "plan": "The plan",
    "what-if": "What if",
}


@dataclass(frozen=True)
class ToldSections:
    """`channels`: each with its sentences; `waterfalls` stand in pairs; `absent`: what is missing, a sentence each."""

    insight: str
    channels: tuple[tuple[str, tuple[str, ...]], ...]
    facts: Table
    waterfalls: tuple[Section, ...]
    weeks: Section | None
    parts: Section | None
    plan: Section | None
    plan_cells: Table
    plan_findings: tuple[Finding, ...]
    absent: tuple[str, ...]


def told_sections(told: Explanation) -> ToldSections:
    """Sections without content are None."""
    drawn = {
        waterfall.kind: Section(TITLES[waterfall.kind], waterfall_figure(told, waterfall))
        for waterfall in told.waterfalls
    }
    return ToldSections(
        insight=insight(told),
        channels=tuple((fact.channel, sentences(fact, told)) for fact in told.channels),
        facts=facts_table(told),
        waterfalls=tuple(drawn[kind] for kind in ("outcome", "past") if kind in drawn),
        weeks=Section("Week by week", weeks_figure(told)) if told.weeks else None,
        parts=Section("Differences between silos", parts_figure(told)) if told.parts else None,
        plan=drawn.get("plan"),
        plan_cells=plan_table(told, told.plan) if told.plan else Table((), ()),
        plan_findings=told.plan.findings if told.plan else (),
        absent=tuple(f"No {item.what}: {item.reason}; {item.advice}." for item in told.absences),
    )


def plan_table(told: Explanation, plan: Plan) -> Table:
    """Money and what it brings, cell by cell; silos are named where there are several."""
    several = len({cell.part for cell in plan.cells}) > 1
    names = (Column("Silo"), Column("Channel")) if several else (Column("Channel"),)
    columns = (
        *names,
        Column(in_unit("Last", plan.currency), amount),
        Column("Plan", amount),
        Column("Change", signed_percent),
        *with_interval(told, Column("Brings", amount)),
        *with_interval(told, Column(f"Next {plan.currency or 'unit'}", decimal)),
        Column("At limit"),
    )
    rows = tuple(
        (
            *((cell.part, cell.channel) if several else (cell.channel,)),
            *(cell.last_spend, cell.spend, cell.change),
            *cells(told, cell.revenue, cell.revenue_interval),
            *cells(told, cell.marginal_roi, cell.marginal_roi_interval),
            cell.bound,
        )
        for cell in plan.cells
    )
    last, planned = plan.last.spend, plan.planned
    total: tuple[Cell, ...] = (
        *("All", *[""] * (len(names) - 1)),
        *(last, planned.spend, planned.spend / last - 1.0 if last > 0 else ""),
        *cells(told, planned.revenue, planned.revenue_interval),
        *cells(told, "", ""),
        "",
    )
    return Table(columns, rows, totals=(total,))
