"""What is said of a channel's frequency, from a response whose best frequency is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmm_models.frequency_findings import frequency_findings
from mmm_models.network import MediaResponse
from mmm_models.panel import Panel
from mmm_models.spec import ModelSpec
from tests.mmm_models.small_panels import small_panel

BEST = 3.0  # half-saturation of three contacts and a slope of two: best at the half itself


def panel_at(frequency: float) -> Panel:
    panel = small_panel()
    known = np.zeros(panel.media.shape)
    known[..., 0] = frequency
    return replace(panel, frequency=known)


def response_with(*, reach_frequency: bool = True) -> MediaResponse:
    response = MediaResponse(ModelSpec(reach_frequency=reach_frequency), [0.05, 0.05])
    if reach_frequency:
        with torch.no_grad():
            response.parameters_by_name["log_half_frequency"].fill_(0.0)
            response.parameters_by_name["log_slope_frequency"].fill_(float(np.log(2.0)))
    return response


def test_a_channel_that_reaches_people_too_often_should_reach_more_of_them() -> None:
    (found,) = frequency_findings(panel_at(6.0), response_with())

    assert (found.code, found.channels) == ("optimal-frequency", ("c0",))
    assert "6.0 contacts" in found.text
    assert f"at {BEST:.1f}" in found.text
    # worth of an impression is f / (f^2 + 9): 1/6 at three, 6/45 at six
    assert f"{(1 / 6) / (6 / 45) - 1:.0%} more" in found.text
    assert "more people" in found.advice


@pytest.mark.parametrize(("frequency", "advice"), [(1.2, "more often"), (BEST, "as it is")])
def test_too_few_contacts_and_enough_of_them(frequency: float, advice: str) -> None:
    (found,) = frequency_findings(panel_at(frequency), response_with())
    assert advice in found.advice


def test_nothing_is_said_without_a_response_of_frequency() -> None:
    assert frequency_findings(panel_at(6.0), response_with(reach_frequency=False)) == ()
