"""From a run directory to its explanation: of the run, or of one silo's own rows under the run's response."""

from dataclasses import replace
from pathlib import Path

from mmm_models.explaining.absence import Absence
from mmm_models.explaining.explanation import Explanation, explain
from mmm_models.explaining.next_waterfall import PlanOfAnotherRun, plan_waterfall
from mmm_models.explaining.stored_plan import FILE_NAME, PlanUnreadable, read_plan
from mmm_models.planning.open_planner import By, open_planner
from mmm_models.planning.plan import Plan
from mmm_models.planning.plan_basis import EVERYTHING
from mmm_models.planning.planning_errors import PlanningError
from mmm_models.planning.stored_basis import load_basis
from mmm_models.stored_model import load_model


def explain_run(run: Path, *, weeks: int | None = None, silo: Path | None = None) -> Explanation:
    """Of a run directory; with `silo`, of that silo file's own rows, which stay on this machine.

    Raises StoredModelDamaged, PlanningDataMissing, PlanningDataDamaged, QuestionInvalid, and the errors of the silo
    file.
    """
    if silo is None:
        return explain(load_basis(run), load_model(run), weeks=weeks)
    planner = open_planner(run, weeks=weeks, silo=silo)
    return explain(planner.basis, planner.model, weeks=weeks, own=True)


def with_plan(told: Explanation, run: Path, plan: Plan, *, silo: Path | None = None) -> Explanation:
    """With the plan and its waterfall. Raises PlanOfAnotherRun, and the errors of `explain_run`."""
    apart = By.SILO if silo is None else By.UNIT
    by = By.NOTHING if {cell.part for cell in plan.cells} == {EVERYTHING} else apart
    measures = open_planner(run, weeks=plan.weeks, by=by.value, silo=silo).measures
    return replace(told, plan=plan, waterfalls=(*told.waterfalls, plan_waterfall(measures, plan)))


def with_stored_plan(told: Explanation, run: Path) -> Explanation:
    """With the plan that lies in the run directory, where one does; one that no longer fits is named as absent."""
    if not (run / FILE_NAME).exists():
        return told
    try:
        return with_plan(told, run, read_plan(run))
    except PlanOfAnotherRun as error:
        gone = Absence(
            "the plan", f"{FILE_NAME} was made from another run, or before this one's last fit", error.hint
        )
        return replace(told, absences=(*told.absences, gone))
    except (PlanningError, PlanUnreadable) as error:
        gone = Absence("the plan", f"{FILE_NAME} cannot be shown beside this run: {error}", error.hint)
        return replace(told, absences=(*told.absences, gone))
