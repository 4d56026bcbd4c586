"""Changes as people write them."""

import pytest

from mmm_models.planning.changes import Change, changes_of, parse_change
from mmm_models.planning.planning_errors import QuestionInvalid


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("c0=+20%", Change("c0", factor=1.2)),
        ("c0=-10%", Change("c0", factor=0.9)),
        ("c0 = 80 %", Change("c0", factor=0.8)),
        ("c0=2500", Change("c0", spend=2500.0)),
        ("silo1/c0=+5%", Change("c0", factor=1.05, part="silo1")),
    ],
)
def test_changes_as_people_write_them(text: str, change: Change) -> None:
    found = parse_change(text)
    assert (found.channel, found.part, found.spend) == (change.channel, change.part, change.spend)
    assert found.factor == (None if change.factor is None else pytest.approx(change.factor))


@pytest.mark.parametrize("text", ["c0", "c0=", "=+20%", "c0=lots", "c0=+-3%", "c0=+500"])
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(QuestionInvalid) as caught:
        parse_change(text)
    assert "%" in caught.value.hint


def test_changes_are_a_mapping_or_a_list():
    expected = [Change("social", factor=1.2), Change("tv", spend=250_000.0, part="north")]

    assert changes_of({"social": "+20%", "north/tv": 250_000}) == expected
    assert changes_of(["social=+20%", "north/tv=250000"]) == expected


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), -1.0])
def test_a_number_that_is_no_money_is_refused(amount):
    with pytest.raises(QuestionInvalid):
        changes_of({"tv": amount})
