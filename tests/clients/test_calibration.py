"""A silo's experiments in its sums: whole, in the coordinates of the sum, and nothing where there are none."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from clients.calibration import NOT_CALIBRATED, calibration, compare_with_model
from clients.errors import ExperimentsUnusable, OutOfOrder
from clients.gradient_sums import exact_curvature, exact_gradient
from clients.own_experiments import read_own_experiments, save_experiments
from clients.update_bound import UpdateBound
from mmm_models.curvature import unpack_symmetric
from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.placed_lift import place
from mmm_models.lift_likelihood import lift_term
from mmm_models.response_prior import coarsening
from mmm_models.spec import ModelSpec
from mmm_models.training import get_vector
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel

SPEC = ModelSpec(max_lag_weeks=4)
PANEL = small_panel(units=4)
LIFT = LiftTest("c0", date(2023, 5, 1), date(2023, 6, 26), None, 500.0, 25.0)
UNBOUNDED = UpdateBound(np.inf, np.inf)
OF_ALL = 120.0  # units of all silos: a coarsening of one third
RELEASE = """
[[lift]]
channel = "c0"
start = 2023-05-01
end = 2023-06-25
release = "none.json"
home = "room/acme"
people = 1000
"""


def parts():
    _, data = prepared(PANEL, SPEC)
    response = scattered_response(SPEC, 2).double()
    return data.double(), response, place([LIFT], PANEL)


def test_the_coordinators_coarsening_of_the_sum_leaves_an_experiment_whole() -> None:
    """Coarsening times what the experiment added is the term of a pooled fit."""
    data, response, placed = parts()
    forward = np.diag(1.0 + np.arange(get_vector(response).size))
    with_it = calibration(placed, data, response, units_of_all=OF_ALL)
    added = (
        exact_gradient(response, data, forward, UNBOUNDED, with_it).gradient
        - exact_gradient(response, data, forward, UNBOUNDED).gradient
    )
    bent = exact_curvature(response, data, forward, UNBOUNDED, with_it) - exact_curvature(
        response, data, forward, UNBOUNDED
    )

    term, share = lift_term(placed[0], data, response, units_of_all=OF_ALL), coarsening(SPEC.prior, OF_ALL)
    assert share == pytest.approx(1 / 3)
    distance = float(term.predicted(response).detach()) - 500.0
    pull = distance / term.sd**2 * term.slope(response)
    np.testing.assert_allclose(share * added, forward @ pull, rtol=1e-6, atol=1e-8)
    information = unpack_symmetric(share * bent, len(forward))
    np.testing.assert_allclose(
        information, forward @ term.information(response) @ forward, rtol=1e-6, atol=1e-6
    )


def test_a_test_in_all_units_of_one_silo_is_one_in_few_of_all() -> None:
    """0.2 (1/4 - 1/120)^(1/2) of the lift is what the silo's four units may have on their own."""
    data, response, placed = parts()
    (term,) = calibration(placed, data, response, units_of_all=OF_ALL).terms
    assert term.sd == pytest.approx(np.hypot(25.0, 0.2 * 500.0 * np.sqrt(1 / 4 - 1 / 120)))


def test_an_experiment_is_shortened_with_the_rest_of_the_silos_sum() -> None:
    data, response, placed = parts()
    forward, bound = np.eye(get_vector(response).size), UpdateBound(0.01, 2.0)
    with_it = calibration(placed, data, response, units_of_all=OF_ALL)

    found = exact_gradient(response, data, forward, bound, with_it).gradient
    assert np.linalg.norm(found) == pytest.approx(2.0 * 0.01)  # counts for two of its four units


def test_a_silo_without_experiments_adds_nothing() -> None:
    _, response, _ = parts()
    assert not NOT_CALIBRATED.gradient(response).any()
    assert not NOT_CALIBRATED.information(response).any()
    assert compare_with_model(NOT_CALIBRATED, response, get_vector(response), np.eye(10)) == ()


def test_an_experiment_is_compared_with_the_model_without_it() -> None:
    data, response, placed = parts()
    before = get_vector(response)
    (term,) = calibration(placed, data, response, units_of_all=OF_ALL).terms
    sold = float(term.predicted(response).detach())
    with_it = calibration(placed, data, response, units_of_all=OF_ALL)
    after = scattered_response(SPEC, 2).double()
    after.parameters_by_name["log_effect"].data += np.log(2.0)

    (check,) = compare_with_model(with_it, after, before, np.zeros((before.size, before.size)))
    assert check.before == pytest.approx(sold, rel=1e-5)
    assert check.after == pytest.approx(2.0 * sold, rel=1e-5)
    assert get_vector(after) != pytest.approx(before)  # the finished model is as it was


@pytest.mark.parametrize("units", [0.0, -5.0, np.nan, np.inf])
def test_a_number_of_units_that_is_none_is_refused(units: float) -> None:
    data, response, placed = parts()
    with pytest.raises(OutOfOrder, match="number of units"):
        calibration(placed, data, response, units_of_all=units)


def test_a_release_is_refused_with_the_way_to_use_it(tmp_path: Path) -> None:
    path = tmp_path / "lifts.toml"
    path.write_text(RELEASE, encoding="utf-8")
    with pytest.raises(ExperimentsUnusable, match="cannot verify") as caught:
        read_own_experiments(path, PANEL)
    assert "mixroom fit" in caught.value.hint
    assert "none.json" not in str(caught.value)


def test_no_file_is_no_experiment(tmp_path: Path) -> None:
    assert read_own_experiments(None, PANEL) == ()
    with pytest.raises(ExperimentsUnusable):
        read_own_experiments(tmp_path / "absent.toml", PANEL)


def test_a_number_that_is_none_is_null_on_the_silos_disk(tmp_path: Path) -> None:
    data, response, placed = parts()
    with_it = calibration(placed, data, response, units_of_all=OF_ALL)
    size = get_vector(response).size
    checks = compare_with_model(with_it, response, get_vector(response), np.zeros((size, size)))
    path = save_experiments((replace(checks[0], before_sd=np.nan),), tmp_path)
    assert '"before_sd": null' in path.read_text(encoding="utf-8")
