"""How media really works in a world: carry-over, saturation, synergy, all different in each unit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulations.scenario import Scenario
from simulations.scenario_tables import KERNEL_WEEKS, CarryOver, ChannelSpec, Saturation

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrueResponse:
    """The response of one silo's units, relative to each unit's level.

    `kernel` [unit, lag, channel] sums to one over lags; `half_saturation` and `effect` [unit, channel];
    `drift` [week, channel] multiplies effects over time; `synergy` [channel, channel] is upper triangular.
    """

    channels: tuple[ChannelSpec, ...]
    kernel: Array
    half_saturation: Array
    effect: Array
    drift: Array
    synergy: Array

    def contributions(self, media: Array) -> Array:
        """Contribution `[unit, week, channel]` relative to level; a pair's synergy is shared equally.

        Equal halves are the exact Shapley values of a product of two channels (Shapley 1953).
        """
        saturated = self.saturated(media)
        direct = self.effect[:, None, :] * self.drift * saturated
        pairs = self.synergy + self.synergy.T
        shared = 0.5 * saturated * np.einsum("utc,cd->utd", saturated, pairs)
        return np.asarray(direct + shared)

    def repeated(self, media: Array, *, before: int) -> Array:
        """Contributions `[unit, week, channel]` of the last weeks' media, had they been so `before` times already.

        Effects are those of the panel's last weeks.
        """
        weeks = media.shape[1]
        last = replace(self, drift=np.tile(self.drift[-weeks:], (before + 1, 1)))
        return last.contributions(np.tile(media, (1, before + 1, 1)))[:, -weeks:]

    def saturated(self, media: Array) -> Array:
        """Carried-over media after diminishing returns `[unit, week, channel]`."""
        carried = carry_over(media, self.kernel)
        columns = [
            saturate(carried[..., index], self.half_saturation[:, index, None], channel)
            for index, channel in enumerate(self.channels)
        ]
        return np.stack(columns, axis=-1)

    def scaled(self, effect_scale: Array, synergy_scale: Array) -> "TrueResponse":
        """The same response with effects multiplied per channel `[channel]` and pair `[channel, channel]`."""
        return replace(self, effect=self.effect * effect_scale, synergy=self.synergy * synergy_scale)


def carry_over(media: Array, kernel: Array) -> Array:
    """Causal convolution of `[unit, week, channel]` with `[unit, lag, channel]`."""
    carried = np.zeros_like(media)
    for lag in range(min(kernel.shape[1], media.shape[1])):
        carried[:, lag:] += kernel[:, lag, None, :] * media[:, : media.shape[1] - lag]
    return carried


def saturate(carried: Array, half: Array, channel: ChannelSpec) -> Array:
    """Diminishing returns in [0, 1) (unbounded for `power`); one half is reached at `half`."""
    ratio = carried / half
    match channel.saturation:
        case Saturation.HILL:
            powered = ratio**channel.slope
            return np.asarray(powered / (1.0 + powered))
        case Saturation.EXPONENTIAL:
            return np.asarray(1.0 - np.exp(-np.log(2.0) * ratio))
        case Saturation.LOGISTIC:
            return np.asarray(np.tanh(0.5 * np.log(3.0) * ratio))
        case Saturation.POWER:
            return np.asarray(0.5 * ratio**0.5)


def synergy_matrix(scenario: Scenario, values: Sequence[float]) -> Array:
    """One value per synergy of the scenario as an upper triangular `[channel, channel]` matrix."""
    names = scenario.channel_names
    matrix = np.zeros((len(names), len(names)))
    for pair, value in zip(scenario.synergies, values, strict=True):
        low, high = sorted((names.index(pair.first), names.index(pair.second)))
        matrix[low, high] = value
    return matrix


def draw_response(scenario: Scenario, units: int, silo_rng: np.random.Generator) -> TrueResponse:
    """Draw one silo's response: each parameter varies by silo and, within it, by unit."""
    channels = scenario.channels
    shape = (units, len(channels))

    def spread() -> Array:
        silo = scenario.silo_log_sd * silo_rng.standard_normal(shape[1])
        return np.exp(silo + scenario.unit_log_sd * silo_rng.standard_normal(shape))

    half_life = spread() * np.array([channel.half_life_weeks for channel in channels])
    half = spread() * np.array([channel.half_saturation for channel in channels])
    kernels = [_kernel(channel, half_life[:, index]) for index, channel in enumerate(channels)]
    drift = np.stack([_drift(channel, scenario.weeks, silo_rng) for channel in channels], axis=-1)
    together = synergy_matrix(scenario, [1.0] * len(scenario.synergies))
    return TrueResponse(channels, np.stack(kernels, axis=-1), half, spread(), drift, together)


def _kernel(channel: ChannelSpec, half_life: Array) -> Array:
    """Lag weights `[unit, lag]` with the given half-life in weeks, summing to one."""
    weights = _kernel_shape(channel, half_life[:, None])
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _kernel_shape(channel: ChannelSpec, half_life: Array) -> Array:
    """Geometric: the weight halves every half-life; delayed: one half-life from its peak; Weibull: half of
    all effect has come by then (differences of its distribution function at whole weeks)."""
    lags = np.arange(KERNEL_WEEKS, dtype=np.float64)
    match channel.carry_over:
        case CarryOver.GEOMETRIC:
            return np.asarray(0.5 ** (lags / half_life))
        case CarryOver.DELAYED:
            distance = ((lags - channel.peak_week) / half_life) ** 2
            # Relative to the nearest lag: a short half-life beside a peak between two weeks must not vanish.
            return np.asarray(0.5 ** (distance - distance.min(axis=1, keepdims=True)))
        case CarryOver.WEIBULL:
            scale = half_life / np.log(2.0) ** (1.0 / channel.weibull_shape)
            survival = np.exp(-((np.arange(KERNEL_WEEKS + 1) / scale) ** channel.weibull_shape))
            return np.asarray(survival[:, :-1] - survival[:, 1:])


def _drift(channel: ChannelSpec, weeks: int, rng: np.random.Generator) -> Array:
    """A slow swing of the effect over time, mean one."""
    phase = rng.uniform(0, 2 * np.pi)
    return np.asarray(1.0 + channel.effect_drift * np.sin(2 * np.pi * np.arange(weeks) / weeks + phase))
