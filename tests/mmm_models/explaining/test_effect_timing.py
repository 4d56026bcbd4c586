"""Half-life and peak are those of the carry-over kernel."""

import numpy as np
import pytest
import torch

from mmm_models.explaining.effect_timing import timings, weeks_until_half
from mmm_models.planning.outlook import outlook
from mmm_models.transforms import gamma_kernel
from tests.mmm_models.explaining.small_runs import small_run


@pytest.mark.parametrize(
    ("weights", "weeks"),
    [
        ([1.0, 0.0, 0.0], 0.5),  # everything in the first week: half of it by its middle
        ([0.5, 0.5, 0.0], 1.0),
        ([0.25, 0.25, 0.5], 2.0),
        ([0.4, 0.2, 0.4], 1.5),  # a tenth is missing after the first week, half of what the second brings
    ],
)
def test_half_of_an_effect_comes_within_its_half_life(weights: list[float], weeks: float) -> None:
    assert weeks_until_half(np.array(weights)[None, :, None])[0, 0] == pytest.approx(weeks)


def test_effects_that_fade_by_a_constant_share_have_the_half_life_of_their_rate() -> None:
    kernel = gamma_kernel(torch.tensor([3.0]), torch.tensor([-40.0]), 400).double().numpy()
    rate = float(torch.sigmoid(torch.tensor(3.0)))

    # Whole weeks fade exactly; within a week the effect is spread evenly, which is at most 2 % of it off here.
    assert weeks_until_half(kernel[None])[0, 0] == pytest.approx(np.log(0.5) / np.log(rate), rel=0.02)


def test_timing_is_read_off_the_models_kernel_and_its_draws() -> None:
    basis, model = small_run()
    look = outlook(basis.merged(), model)
    named = dict(model.response().named_parameters())
    kernel = gamma_kernel(named["decay_logit"], named["delay"], 4).detach().double().numpy()

    found = timings(look)

    assert [timing.weeks for timing in found] == [4, 4]
    for channel, timing in enumerate(found):
        half = timing.half_life_weeks
        assert half.value == pytest.approx(weeks_until_half(kernel[None])[0, channel], rel=1e-6)
        assert half.interval.low < half.value < half.interval.high
        assert timing.peak_week == int(kernel[:, channel].argmax()) + 1
        assert timing.last_week == pytest.approx(kernel[-1, channel], rel=1e-5)
