"""What one silo may move: shortened and capped in the silo, and untouched when it is honest."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clients.update_bound import UpdateBound
from mmm_models.federated_spec import LocalTraining
from mmm_models.scaling import Scales
from privacy.quantization import FixedPoint
from server.sum_questions import FRACTION_BITS, MAX_ABS
from tests.clients.silo_visits import Visit, visit
from tests.small_federation import STORES

Files = tuple[Path, ...]
THREE_FOUR = np.array([3.0, 4.0])  # five long


def test_a_long_change_keeps_its_direction_and_loses_its_length() -> None:
    assert UpdateBound(2.5, np.inf).shorten(THREE_FOUR).tolist() == [1.5, 2.0]


@pytest.mark.parametrize("length", [5.0, 6.0, np.inf])
def test_a_change_within_the_bound_comes_back_to_the_last_bit(length: float) -> None:
    assert UpdateBound(length, np.inf).shorten(THREE_FOUR) is THREE_FOUR


def test_what_is_not_finite_is_left_for_the_gate_to_refuse() -> None:
    assert np.isnan(UpdateBound(1.0, np.inf).shorten(np.array([np.nan, 1.0]))).any()


@pytest.mark.parametrize("units, share", [(100.0, 0.25), (25.0, 1.0), (10.0, 1.0)])
def test_a_crowd_counts_for_the_units_allowed(units: float, share: float) -> None:
    assert UpdateBound(np.inf, 25.0).share(units) == share


def test_the_bound_is_a_gradients_length_times_rate_and_steps() -> None:
    training = LocalTraining(learning_rate=0.01, steps=3, update_norm_bound=20.0)

    assert UpdateBound.of(training).length == pytest.approx(20.0 * 0.01 * 3)


def test_without_settings_nothing_is_bounded() -> None:
    bound = UpdateBound.of(LocalTraining())

    assert (bound.length, bound.units) == (np.inf, np.inf)


class TestASiloThatWasAskedForARound:
    """Its vector: the weighted change, the weight, then metrics."""

    def test_sends_a_shortened_change_of_full_weight(self, silo_files: Files) -> None:
        free, bound = (round_of(silo_files, update_norm_bound=length) for length in (0.0, 0.1))
        change, shortened = (vector[:-6] / vector[-6] for vector in (free, bound))

        assert np.linalg.norm(shortened) == pytest.approx(0.1 * 0.002, rel=1e-4)  # times the learning rate
        direction = change / np.linalg.norm(change)
        assert shortened / np.linalg.norm(shortened) == pytest.approx(direction, abs=1e-4)
        assert bound[-6:].tolist() == free[-6:].tolist()

    def test_sends_the_same_bits_under_the_default_bound_as_without(self, silo_files: Files) -> None:
        assert round_of(silo_files).tobytes() == round_of(silo_files, update_norm_bound=0.0).tobytes()

    def test_counts_for_as_many_units_as_agreed_and_no_more(self, silo_files: Files) -> None:
        whole, capped = (round_of(silo_files, max_units_per_silo=most) for most in (0, STORES // 2))

        assert (whole[-6], capped[-6]) == (STORES, STORES / 2)
        assert capped == pytest.approx(whole / 2, abs=2.0**-FRACTION_BITS)

    def test_counts_the_same_in_the_scales(self, silo_files: Files) -> None:
        visited = visit(silo_files[0], max_units_per_silo=1)
        counts = in_floats(visited.ask(visited.started(), visited.scales_request()).integers)

        assert counts[-1] == 1.0
        octaves = visited.plan.model.scales_sum(private=False).octaves(counts)
        assert octaves.sum(axis=1) == pytest.approx(1.0)


def test_noised_changes_are_not_shortened_because_noise_is_long(silo_files: Files) -> None:
    visited = visit(silo_files[0], privacy="local", epsilon=8.0, delta=1e-4, update_norm_bound=0.1)

    assert visited.plan.model.local.largest_change == np.inf


def round_of(silo_files: Files, **settings: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The first round's vector of a silo with STORES units."""
    visited: Visit = visit(silo_files[0], strategy="fedadam", **settings)
    session = visited.ask(visited.started(), visited.scales_request()).session
    ones = np.ones(len(visited.plan.model.channels))
    scales = Scales(visited.plan.model.media_per, ones, 0.05 * ones, 1.0, 100.0, 1.0)
    return in_floats(visited.ask(session, visited.round_request(2, scales)).integers)


def in_floats(integers: np.ndarray[Any, np.dtype[np.uint64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return FixedPoint(FRACTION_BITS, MAX_ABS).dequantize(integers)
