"""Directions without curvature get a little, and no step is long."""

import numpy as np
import pytest

from mmm_models.positive_curvature import LEAST_CURVATURE, PositiveCurvature


def test_negative_and_flat_directions_are_raised_and_the_others_kept() -> None:
    raised = PositiveCurvature.of(np.diag([4.0, 0.0, -9.0]))

    np.testing.assert_allclose(sorted(raised.values), [LEAST_CURVATURE, LEAST_CURVATURE, 4.0])
    np.testing.assert_allclose(
        raised.inverse, np.diag([0.25, 1 / LEAST_CURVATURE, 1 / LEAST_CURVATURE]), rtol=1e-12
    )


@pytest.mark.parametrize(
    ("damping", "step"), [(0.0, [-0.5, 0.25]), (4.0, [-0.25, 0.2])], ids=["whole", "damped"]
)
def test_a_step_solves_for_the_gradient(damping: float, step: list[float]) -> None:
    """-2 / (4 + damping) and 4 / (16 + damping)."""
    curvature = PositiveCurvature.of(np.diag([4.0, 16.0]))

    assert curvature.newton_step(np.array([2.0, -4.0]), damping) == pytest.approx(step)


def test_a_long_step_keeps_its_direction() -> None:
    """Alone it would be (-10, 5): the largest parameter moves by 1, and the other by half as much."""
    curvature = PositiveCurvature.of(np.diag([1.0, 2.0]))

    assert curvature.newton_step(np.array([10.0, -10.0])) == pytest.approx([-1.0, 0.5])


def test_without_a_gradient_there_is_no_step() -> None:
    assert PositiveCurvature.of(np.eye(2)).newton_step(np.zeros(2)) == pytest.approx([0.0, 0.0])
