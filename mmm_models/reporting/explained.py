"""A stored run explained: its numbers, sentences, health checks and figures, for whoever asks from Python."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from mmm_models.explaining.explained_run import explain_run, with_plan, with_stored_plan
from mmm_models.explaining.explanation import Explanation
from mmm_models.explaining.stored_plan import read_plan
from mmm_models.explaining.words import insight, sentences
from mmm_models.planning.planning_errors import ChannelUnknown
from mmm_models.reporting.figure import Figure
from mmm_models.reporting.health import HealthCheck
from mmm_models.reporting.health_checks import health_checks
from mmm_models.reporting.report_files import read_report_input
from mmm_models.reporting.result_files import read_results
from mmm_models.reporting.spending_checks import spending_checks
from mmm_models.reporting.told_figures import told_figures


@dataclass(frozen=True)
class Explained:
    """`told` holds every number; `checks` are of the run, or of one silo's own spend."""

    told: Explanation
    checks: tuple[HealthCheck, ...]

    @property
    def insight(self) -> str:
        """All channels in one sentence."""
        return insight(self.told)

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """By name: curves, weeks, silos, outcome, last-period, next-period; those the run has something for."""
        return told_figures(self.told)

    def sentences(self, channel: str) -> tuple[str, ...]:
        """What a channel does, in plain words. Raises ChannelUnknown."""
        facts = {fact.channel: fact for fact in self.told.channels}
        if channel not in facts:
            raise ChannelUnknown(channel, tuple(facts))
        return sentences(facts[channel], self.told)


def explained(
    run: Path, *, weeks: int | None = None, silo: Path | None = None, plan: Path | None = None
) -> Explained:
    """Of a run directory, or with `silo` of that file's own rows, which stay on this machine.

    `plan`: a directory that holds a `plan.json` made from the run; one in the run directory is shown without asking.
    Raises PlanningDataMissing for a run of another family, and the errors of `explain_run` and `with_plan`.
    """
    told = explain_run(run, weeks=weeks, silo=silo)
    if plan is not None:
        told = with_plan(told, run, read_plan(plan), silo=silo)
    elif silo is None:
        told = with_stored_plan(told, run)
    if silo is not None:
        return Explained(told, spending_checks(told, read_results(run).findings))
    return Explained(told, health_checks(replace(read_report_input(run), explained=told)))
