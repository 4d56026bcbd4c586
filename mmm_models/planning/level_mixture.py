"""How media are spread over a part's units, read off its curves.

A part's curve is no single Hill curve: its units stand at different points of theirs. Weights on a few levels relative
to the mean, found by non-negative least squares (Lawson and Hanson 1974), reproduce the summed curve exactly enough,
need no unit's data, and follow when the shared response is another one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from torch import Tensor

from mmm_models.contribution_totals import MULTIPLIERS
from mmm_models.planning.draws import Draws
from mmm_models.planning.plan_basis import Part, PlanBasis
from mmm_models.transforms import carry_over, hill

Array = NDArray[np.float64]
LEVELS = np.geomspace(1 / 8, 8, 7)


@dataclass(frozen=True, eq=False)
class LevelMixture:
    """`levels` and `weights` [part, channel, level]: multiples of the part's intensity, and how much of it is there.

    Weights times effect times level are outcome; they are zero for a channel that never did anything there.
    """

    levels: Array
    weights: Array


def level_mixture(basis: PlanBasis, response: Draws) -> LevelMixture:
    """The spread that reproduces every part's curves under the central `response`."""
    fits = [_part_mixture(part, response) for part in basis.parts]
    most = max(1, max((levels.shape[1] for levels, _ in fits), default=1))
    levels, weights = (
        np.stack([np.pad(fit[side], ((0, 0), (0, most - fit[side].shape[1]))) for fit in fits])
        for side in (0, 1)
    )
    return LevelMixture(np.where(levels > 0, levels, 1.0), weights)


def _part_mixture(part: Part, response: Draws) -> tuple[Array, Array]:
    channels = part.intensity.shape[1]
    found = [_channel_mixture(part, response, channel) for channel in range(channels)]
    most = max((len(levels) for levels, _ in found), default=0)
    levels, weights = np.zeros((channels, most)), np.zeros((channels, most))
    for channel, (at, weight) in enumerate(found):
        levels[channel, : len(at)], weights[channel, : len(at)] = at, weight
    return levels, weights


def _channel_mixture(part: Part, response: Draws, channel: int) -> tuple[Array, Array]:
    curve = part.curves[channel]
    one = curve[MULTIPLIERS.index(1.0)]
    if one <= 0 or not part.intensity[:, channel].any():
        return np.zeros(0), np.zeros(0)
    rows = [index for index, multiplier in enumerate(MULTIPLIERS) if multiplier > 0]
    scaled = np.array(MULTIPLIERS)[rows][:, None] * LEVELS  # [multiplier, level]
    design = _curve_at(part, response, channel, scaled.ravel()).reshape(scaled.shape)
    # Relative errors: the low end of the curve, where money is moved away from, counts like the high one.
    own = np.maximum(curve[rows] - _synergies(part, response, channel, np.array(MULTIPLIERS)[rows]), 0.0)
    solution, _ = nnls(design / curve[rows, None], own / curve[rows])
    used = solution > 0
    return LEVELS[used], solution[used]


def _synergies(part: Part, response: Draws, channel: int, multipliers: Array) -> Array:
    """The channel's half of what it does together with others, they being as they were `[multiplier]`."""
    found = np.zeros(len(multipliers))
    for index, pair in enumerate(response.pairs):
        if channel in pair:
            (other,) = set(pair) - {channel}
            mine = _shape(part, response, channel, multipliers)
            theirs = _shape(part, response, other, np.ones(1))
            strength = float(response.synergy[0, index])
            found += 0.5 * strength * np.asarray((mine * theirs).numpy() @ part.level)
    return found


def _curve_at(part: Part, response: Draws, channel: int, multipliers: Array) -> Array:
    """What the shared response alone says of all weeks with the channel's media scaled `[multiplier]`."""
    shape = _shape(part, response, channel, multipliers)
    return np.asarray(float(response.effect[0, channel]) * (shape.numpy() @ part.level))


def _shape(part: Part, response: Draws, channel: int, multipliers: Array) -> Tensor:
    """Carried-over and saturated media `[multiplier, week]`."""
    media = torch.from_numpy(part.intensity[:, channel])[None, :, None]
    carried = carry_over(media, response.kernel[0][:, [channel]])
    scaled = carried * torch.from_numpy(multipliers)[:, None, None]
    return hill(scaled, response.log_half[0][[channel]], response.log_slope[0][[channel]])[..., 0]
