"""From a run directory: the same explanation, with the plan that lies beside it while it fits."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mmm_models.explaining.explained_run import explain_run, with_plan, with_stored_plan
from mmm_models.explaining.explanation import explain
from mmm_models.explaining.next_waterfall import PlanOfAnotherRun
from mmm_models.explaining.stored_plan import PlanUnreadable, read_plan
from mmm_models.planning.plan_files import write_answer
from mmm_models.planning.planner import Planner
from mmm_models.planning.stored_basis import PlanningDataMissing, save_basis
from tests.mmm_models.explaining.small_runs import small_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    basis, model = small_run()
    save_basis(basis, tmp_path)
    model.save(tmp_path)
    return tmp_path


def test_a_stored_run_is_explained_as_one_in_memory(run: Path) -> None:
    found, expected = explain_run(run, weeks=20), explain(*small_run(), weeks=20)

    assert found.channel_names == expected.channel_names
    for mine, other in zip(found.channels, expected.channels, strict=True):
        assert mine.revenue.value == pytest.approx(other.revenue.value, rel=1e-6)
    assert found.weeks == expected.weeks


def test_a_run_without_planning_data_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PlanningDataMissing) as refused:
        explain_run(tmp_path)

    assert refused.value.hint == "fit or train again: every run of the neural family writes it"


@pytest.mark.parametrize("by_part", [False, True])
def test_a_plan_is_read_back_and_drawn(run: Path, by_part: bool) -> None:
    plan = Planner.of_run(run, by_part=by_part).plan()
    write_answer(plan, run)

    told = with_stored_plan(explain_run(run), run)

    assert told.plan is not None
    assert told.plan.cells == read_plan(run).cells
    assert [cell.spend for cell in told.plan.cells] == [cell.spend for cell in plan.cells]
    assert told.waterfalls[-1].kind == "plan"
    assert told.waterfalls[-1].steps[-1].value == pytest.approx(plan.outcome)


def test_without_a_plan_nothing_is_missing(run: Path) -> None:
    told = explain_run(run)

    assert with_stored_plan(told, run) == told


def test_a_plan_from_before_the_last_fit_is_named_and_left_out(run: Path) -> None:
    write_answer(Planner.of_run(run).plan(), run)
    _, model = small_run()
    replace(model, parameters=model.parameters + 0.1).save(run)

    told = with_stored_plan(explain_run(run), run)

    assert told.plan is None
    assert "the plan" in [item.what for item in told.absences]
    with pytest.raises(PlanOfAnotherRun):
        with_plan(told, run, read_plan(run))


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"format": "mixroom-plan/1"}', "{"])
def test_a_damaged_plan_is_refused(tmp_path: Path, damage: str) -> None:
    (tmp_path / "plan.json").write_text(damage, encoding="utf-8")

    with pytest.raises(PlanUnreadable) as refused:
        read_plan(tmp_path)

    assert refused.value.hint == "make it again: mixroom plan RUN --out DIRECTORY"


def test_a_plan_of_another_version_is_refused(run: Path) -> None:
    write_answer(Planner.of_run(run).plan(), run)
    content = json.loads((run / "plan.json").read_text(encoding="utf-8"))
    (run / "plan.json").write_text(json.dumps({**content, "format": "mixroom-plan/9"}), encoding="utf-8")

    with pytest.raises(PlanUnreadable, match="of another version"):
        read_plan(run)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"format": "mixroom-plan/9"}'])
def test_a_plan_that_cannot_be_read_takes_nothing_else_away(run: Path, text: str) -> None:
    (run / "plan.json").write_text(text, encoding="utf-8")
    try:
        told = with_stored_plan(explain_run(run), run)
    finally:
        (run / "plan.json").unlink()

    assert told.plan is None
    assert told.channels
    assert any("plan.json" in absence.reason for absence in told.absences)
