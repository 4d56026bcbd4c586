"""The response at steady typical media, and how it moves with the parameters."""

import copy

import numpy as np
import torch

from mmm_models.contribution_totals import COLUMNS, MULTIPLIERS, STEP
from mmm_models.spec import ModelSpec
from mmm_models.steady_response import steady_log_slopes, steady_shape
from mmm_models.training import get_vector
from tests.mmm_models.small_panels import scattered_response

SPEC = ModelSpec(max_lag_weeks=4)
ALL = np.array([*MULTIPLIERS, 1.0 + STEP])


def test_a_shape_is_one_at_typical_media_nothing_without_and_never_falls() -> None:
    shape = steady_shape(scattered_response(SPEC, 3), ALL[:-1])

    assert shape.shape == (3, len(MULTIPLIERS))
    np.testing.assert_allclose(shape[:, MULTIPLIERS.index(1.0)], 1.0)
    assert (shape[:, 0] == 0).all()
    assert (np.diff(shape, axis=1) > 0).all()


def test_slopes_are_what_small_changes_of_parameters_do_to_logarithms() -> None:
    response = copy.deepcopy(scattered_response(SPEC, 2)).double()
    slopes, point = steady_log_slopes(response), get_vector(response)
    size = len(response.parameters_by_name["log_effect"])

    assert slopes.shape == (2, COLUMNS, point.size)
    assert (slopes[:, 0] == 0).all()  # nothing at no media
    for channel in range(size):  # an effect twice as large is twice as large at all media
        np.testing.assert_allclose(slopes[channel, 1:, channel], 1.0)
    half = list(response.parameters_by_name).index("log_half_saturation") * size

    def doubled() -> float:
        shape = steady_shape(response, ALL[:-1])
        return float(np.log(shape[0, -1]))

    before = doubled()
    with torch.no_grad():
        response.parameters_by_name["log_half_saturation"][0] += 1e-4
    np.testing.assert_allclose(slopes[0, len(MULTIPLIERS) - 1, half], (doubled() - before) / 1e-4, rtol=1e-2)
