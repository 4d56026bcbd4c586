"""Known-truth worlds: panels whose true contributions are known per unit, week and channel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.panel import Channel, Panel
from simulations.scenario import HOLIDAY, PROMOTION, UNIT_COLUMN, Scenario
from simulations.world_draft import MediaScales, SiloDraft, draw_drafts, media_scales
from simulations.world_response import TrueResponse

Array = NDArray[np.float64]
POPULATION_LOG_SD = 0.1
PRICE_LOG_SD = 0.08
CURVE_STEP = 0.01
CONTROL_DECIMALS, MONEY_DECIMALS = 4, 2


@dataclass(frozen=True, eq=False)
class SiloTruth:
    """One silo's panel and everything that made it, in outcome units unless said otherwise.

    Where it is not cut off at zero, `panel.outcome` is baseline + contributions + noise, to the cent.
    """

    panel: Panel
    intensity: Array  # [unit, week, channel] media per head in typical weeks
    level: Array  # [unit] what the response is relative to
    response: TrueResponse
    contribution: Array  # [unit, week, channel]
    baseline: Array  # [unit, week] expected sales without media
    noise: Array  # [unit, week]

    def contributions_at(self, multiplier: Array) -> Array:
        """True contributions `[channel]` had each channel's media been scaled by `multiplier` `[channel]`."""
        relative = self.response.contributions(self.intensity * multiplier)
        return np.asarray(np.einsum("utc,u->c", relative, self.level))


@dataclass(frozen=True)
class ChannelTruth:
    """What a channel truly did over all weeks; share is of the total outcome.

    ROI is per unit of money spent, NaN for a channel that cost nothing; marginal ROI counts what a one per
    cent step adds to all channels, synergies included.
    """

    name: str
    contribution: float
    share: float
    spend: float
    roi: float
    marginal_roi: float


@dataclass(frozen=True, eq=False)
class World:
    """All silos of a scenario, with the truth that no participant can see."""

    scenario: Scenario
    silos: tuple[SiloTruth, ...]

    @property
    def panels(self) -> tuple[Panel, ...]:
        return tuple(silo.panel for silo in self.silos)

    @property
    def total_outcome(self) -> float:
        return float(sum(silo.panel.outcome.sum() for silo in self.silos))

    def channel_truths(self) -> tuple[ChannelTruth, ...]:
        """Contribution, share, ROI and marginal ROI (a one per cent step) of every channel."""
        names = self.scenario.channel_names
        now = self.contributions_at(np.ones(len(names)))
        return tuple(self._channel_truth(index, now) for index in range(len(names)))

    def contributions_at(self, multiplier: Array) -> Array:
        """True contributions `[channel]` with every silo's media scaled by `multiplier` `[channel]`."""
        return np.asarray(sum(silo.contributions_at(multiplier) for silo in self.silos))

    def _channel_truth(self, index: int, now: Array) -> ChannelTruth:
        spend = float(sum(silo.panel.spend[..., index].sum() for silo in self.silos))
        step = np.ones(now.size)
        step[index] += CURVE_STEP
        gain = float((self.contributions_at(step) - now).sum())
        contribution = float(now[index])
        return ChannelTruth(
            name=self.scenario.channel_names[index],
            contribution=contribution,
            share=contribution / self.total_outcome,
            spend=spend,
            roi=contribution / spend if spend else float("nan"),
            marginal_roi=gain / (CURVE_STEP * spend) if spend else float("nan"),
        )


def make_world(scenario: Scenario) -> World:
    """Draw a world; the scenario, seed included, fixes every number.

    Raises `ScenarioInvalid` when a synergy's channels never run together.
    """
    drafts = draw_drafts(scenario)
    scales = media_scales(scenario, drafts)
    return World(scenario, tuple(_finish_silo(scenario, draft, scales) for draft in drafts))


def _finish_silo(scenario: Scenario, draft: SiloDraft, scales: MediaScales) -> SiloTruth:
    level = draft.demand.level
    rng = np.random.default_rng(np.random.SeedSequence([scenario.seed, draft.number]))
    population = np.round(draft.heads * np.exp(POPULATION_LOG_SD * rng.standard_normal(level.size)))
    exposure = np.round(draft.intensity * scales.per_head * draft.heads[:, None, None])
    price_swing = np.exp(PRICE_LOG_SD * rng.standard_normal(exposure.shape[1:]))
    contribution = draft.response.contributions(draft.intensity) * level[:, None, None]
    baseline = draft.demand.base * level[:, None]
    expected = baseline + contribution.sum(axis=-1)
    noise = draft.demand.noise * expected.mean(axis=1, keepdims=True)
    panel = _panel(
        scenario,
        draft,
        outcome=np.round(np.maximum(expected + noise, 0.0), MONEY_DECIMALS),
        media=exposure,
        spend=np.round(exposure * scales.price * price_swing, MONEY_DECIMALS),
        population=np.maximum(population, 1.0),
    )
    return SiloTruth(panel, draft.intensity, level, draft.response, contribution, baseline, noise)


def _panel(
    scenario: Scenario, draft: SiloDraft, *, outcome: Array, media: Array, spend: Array, population: Array
) -> Panel:
    units, weeks = outcome.shape
    demand, digits = draft.demand, max(3, len(str(units)))
    holiday = np.broadcast_to(demand.holiday[None, :, None], (units, weeks, 1))
    seen = [index for index, control in enumerate(scenario.controls) if control.observed]
    controls = np.round(demand.controls[..., seen], CONTROL_DECIMALS)
    return Panel(
        silo=draft.name,
        units=tuple(f"{draft.name}-{UNIT_COLUMN}-{number:0{digits}d}" for number in range(1, units + 1)),
        weeks=np.datetime64(scenario.start) + np.arange(weeks) * np.timedelta64(7, "D"),
        outcome=outcome,
        observed=np.ones((units, weeks), dtype=np.bool_),
        media=media,
        spend=spend,
        controls=np.concatenate([controls, holiday, demand.promotion[..., None]], axis=-1),
        revenue_per_outcome=np.ones((units, weeks)),
        population=population,
        channels=tuple(Channel(item.name, item.kind, item.exposure_unit) for item in scenario.channels),
        control_names=(*(scenario.controls[index].name for index in seen), HOLIDAY, PROMOTION),
        treatment_names=(PROMOTION,),
        currency=scenario.currency,
        outcome_unit=scenario.currency,
    )
