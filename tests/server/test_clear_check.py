"""Bounds that honest silos keep, checked where the coordinator can read a vector."""

import math

import numpy as np
import pytest

from mmm_models.scaling import OCTAVES
from mmm_models.week_calendar import MARKS
from server.clear_check import ClearCheck
from server.errors import UpdateOutOfBounds
from server.settings import RunSettings, Strategy

CHECK = ClearCheck(largest_change=5.0, most_units=10.0)


def a_round(change: list[float], weight: float) -> np.ndarray:
    """Weighted change, weight, one metric."""
    return np.array([*(weight * value for value in change), weight, 0.0])


def scales(units: float, *counts: float) -> np.ndarray:
    """One quantity whose first octaves hold `counts`, no marks of weeks, then the number of units."""
    return np.array([*counts, *[0.0] * (OCTAVES - len(counts) + MARKS), units])


def marked(value: float) -> np.ndarray:
    """The same of four units without counts, with one mark."""
    values = scales(4.0)
    values[OCTAVES + 3] = value
    return values


@pytest.mark.parametrize("change, weight", [([3.0, 4.0], 10.0), ([0.0, 0.0], 1.0), ([-3.0, 4.0], 2.5)])
def test_a_change_as_long_as_allowed_passes(change: list[float], weight: float) -> None:
    CHECK.require_round(a_round(change, weight), 2, "north")


@pytest.mark.parametrize(
    "what, change, weight",
    [
        ("a longer change", [3.1, 4.1], 5.0),
        ("more units than allowed", [0.0, 0.0], 11.0),
        ("no units", [0.0, 0.0], 0.0),
        ("half a unit, which makes any change long", [0.0, 0.0], 0.5),
        ("negative units, which take others' away", [0.0, 0.0], -8.0),
    ],
)
def test_a_round_out_of_bounds_is_refused_by_name(what: str, change: list[float], weight: float) -> None:
    with pytest.raises(UpdateOutOfBounds, match="north"):
        CHECK.require_round(a_round(change, weight), 2, "north")


def test_units_counted_once_a_quantity_pass() -> None:
    CHECK.require_scales(scales(4.0, 3.0, 1.0), "north")
    CHECK.require_scales(marked(1.0), "north")


@pytest.mark.parametrize(
    "what, values",
    [
        ("five counted of four", scales(4.0, 3.0, 2.0)),
        ("a count below zero", scales(4.0, 3.0, -1.0)),
        ("more units than allowed", scales(11.0)),
        ("no units", scales(0.0)),
        ("a week marked twice", marked(2.0)),
        ("a week unmarked for others", marked(-1.0)),
    ],
)
def test_scales_that_cannot_be_are_refused(what: str, values: np.ndarray) -> None:
    with pytest.raises(UpdateOutOfBounds, match="north"):
        CHECK.require_scales(values, "north")


def test_noised_counts_may_be_negative() -> None:
    private = RunSettings.model_validate({"privacy": "local", "epsilon": 8.0, "delta": 1e-4})

    ClearCheck.of(private).require_scales(scales(4.0, -30.0), "north")


def test_a_gradient_sum_is_as_long_as_all_its_units_may_be() -> None:
    """Newton's method sends no weight: 5 times 10 units."""
    check = ClearCheck(5.0, 10.0, weighted=False)

    check.require_round(np.array([30.0, 40.0, 1e9]), 2, "north")
    with pytest.raises(UpdateOutOfBounds, match="north"):
        check.require_round(np.array([30.1, 40.1, 1e9]), 2, "north")
    ClearCheck(5.0, weighted=False).require_round(np.array([1e9, 1e9, 0.0]), 2, "north")


def test_the_bounds_are_those_the_silos_agreed_to() -> None:
    """8 times FedAdam's local learning rate of 0.002, and no limit on units unless there is one."""
    fedadam = RunSettings(strategy=Strategy.FEDADAM)
    assert ClearCheck.of(fedadam).largest_change == pytest.approx(0.016)
    assert ClearCheck.of(fedadam).most_units == math.inf
    assert ClearCheck.of(RunSettings(max_units_per_silo=7)).most_units == 7
