"""Goals as people write them."""

import pytest

from mmm_models.planning.goal_text import GoalsContradict, parse_target, parse_total, require_one_goal
from mmm_models.planning.goals import MarginalTarget, OutcomeTarget, ReturnTarget
from mmm_models.planning.planning_errors import QuestionInvalid


@pytest.mark.parametrize(
    ("written", "money"),
    [(1200.5, 1200.5), ("1200.5", 1200.5), ("1.2e6", 1.2e6), ("+10%", 220.0), ("-5 %", 190.0), ("110%", 220.0)],
)  # fmt: skip
def test_a_total_is_money_or_a_percentage_of_last_periods(written, money):
    assert parse_total(written, 200.0) == pytest.approx(money)


@pytest.mark.parametrize("written", ["", "much", "+10", "-5", "1,200", "10%%", "+-3%", "nan", "1_000"])
def test_anything_else_is_no_total(written):
    with pytest.raises(QuestionInvalid, match="is no total") as refused:
        parse_total(written, 200.0)

    assert "110%" in refused.value.hint


@pytest.mark.parametrize(
    ("written", "goal"),
    [
        ("sales=+15%", OutcomeTarget(575.0)),
        ("outcome = 90%", OutcomeTarget(450.0)),
        ("Outcome=1200000", OutcomeTarget(1.2e6)),
        ("policies=+10%", OutcomeTarget(550.0)),
        ("roi=3", ReturnTarget(3.0)),
        ("marginal-roi=1.2", MarginalTarget(1.2)),
        ("marginal_roi=1.2", MarginalTarget(1.2)),
    ],
)
def test_a_target_names_what_is_to_be_reached(written, goal):
    assert parse_target(written, 500.0, "Policies") == goal


@pytest.mark.parametrize(
    "written", ["sales", "sales=", "=3", "profit=3", "roi=+3%", "roi=x", "policies=+10%"]
)
def test_anything_else_is_no_target(written):
    with pytest.raises(QuestionInvalid, match="is no target"):
        parse_target(written, 500.0)


def test_a_total_and_a_target_contradict_each_other():
    require_one_goal(None, "roi=3")
    with pytest.raises(GoalsContradict, match=r"a total \(\+10%\) and a target \(roi=3\)"):
        require_one_goal("+10%", "roi=3")
