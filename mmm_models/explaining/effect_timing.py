"""When media have their effect: half-life and peak, read off the carry-over kernel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.explaining.estimate import Estimate, estimate
from mmm_models.planning.outlook import Outlook

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Timing:
    """Of one channel. `half_life_weeks`: from the start of a week of media until half of what it carries has come,
    effects spread evenly over each week; `peak_week`: 1 is the week of the media; `last_week`: the share that comes
    in the last week the model looks at, `weeks` in all."""

    half_life_weeks: Estimate
    peak_week: int
    last_week: float
    weeks: int


def timings(look: Outlook) -> tuple[Timing, ...]:
    """Of every channel; all parts share it."""
    kernel = look.likely.draws.kernel.numpy()
    likely = weeks_until_half(kernel)
    drawn = likely[:0] if look.possible is None else weeks_until_half(look.possible.draws.kernel.numpy())
    return tuple(
        Timing(
            estimate(float(likely[0, channel]), drawn[:, channel]),
            int(kernel[0, :, channel].argmax()) + 1,
            float(kernel[0, -1, channel]),
            kernel.shape[1],
        )
        for channel in range(kernel.shape[2])
    )


def weeks_until_half(kernel: Array) -> Array:
    """From weights `[draw, lag, channel]` that sum to one, to weeks `[draw, channel]`."""
    reached = kernel.cumsum(axis=1)
    lag = (reached < 0.5).sum(axis=1, keepdims=True)  # the week in which half is passed
    within = np.take_along_axis(kernel, lag, axis=1)
    before = np.take_along_axis(reached, lag, axis=1) - within
    return np.asarray((lag + (0.5 - before) / within)[:, 0])
