"""What an experiment must say to be one."""

from datetime import date
from math import inf, nan

import pytest

from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.lift_errors import LiftInvalid

WEEKS = (date(2024, 3, 4), date(2024, 4, 22))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"standard_error": 0.0}, "its standard error is 0"),
        ({"standard_error": nan}, "its standard error is nan"),
        ({"lift": inf}, "its lift is not a finite number"),
        ({"change": 0.0}, "its change is 0"),
        ({"change": -1.5}, "its change is -1.5"),
        ({"units": ()}, "it is about no unit"),
        ({"first_week": WEEKS[1], "last_week": WEEKS[0]}, "it ends before it starts"),
    ],
)
def test_numbers_that_make_no_sense_are_refused_with_a_way_out(changes, told):
    fields = {
        "channel": "search",
        "first_week": WEEKS[0],
        "last_week": WEEKS[1],
        "units": None,
        "lift": 12.0,
        "standard_error": 3.0,
        **changes,
    }

    with pytest.raises(LiftInvalid) as refused:
        LiftTest(**fields)

    assert told in str(refused.value)
    assert refused.value.hint


def test_an_experiment_is_called_by_its_source_or_by_channel_and_day():
    assert LiftTest("search", *WEEKS, None, 1.0, 1.0).name == "search from 2024-03-04"
    assert LiftTest("search", *WEEKS, None, 1.0, 1.0, source="spring test").name == "spring test (search)"
