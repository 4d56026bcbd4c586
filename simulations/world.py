"""Known-truth worlds: panels whose true contributions are known per unit, week and channel."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmm_models.panel import Channel, ChannelKind, Panel
from simulations.scenario import Scenario
from simulations.world_demand import Demand, draw_demand
from simulations.world_media import draw_media
from simulations.world_response import TrueResponse, draw_response

Array = NDArray[np.float64]
SALES_PER_HEAD = 8.0
POPULATION_LOG_SD = 0.1
PRICE_LOG_SD = 0.08
CURVE_STEP = 0.01


@dataclass(frozen=True, eq=False)
class SiloTruth:
    """One silo's panel and everything that made it."""

    panel: Panel
    intensity: Array  # [unit, week, channel] media per head in typical weeks
    level: Array  # [unit]
    response: TrueResponse
    contribution: Array  # [unit, week, channel] in outcome units

    def contributions_at(self, multiplier: Array) -> Array:
        """True contributions `[channel]` in outcome units had each channel's media been scaled by `multiplier`."""
        relative = self.response.contributions(self.intensity * multiplier)
        return np.asarray(np.einsum("utc,u->c", relative, self.level))


@dataclass(frozen=True, eq=False)
class ChannelTruth:
    """What a channel truly did over all weeks; share is of the total outcome, ROI is per unit of money spent."""

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
        names = [channel.name for channel in self.scenario.channels]
        now = self.contributions_at(np.ones(len(names)))
        return tuple(self._channel_truth(index, name, now) for index, name in enumerate(names))

    def contributions_at(self, multiplier: Array) -> Array:
        """True contributions `[channel]` with every silo's media scaled by `multiplier` `[channel]`."""
        return np.asarray(sum(silo.contributions_at(multiplier) for silo in self.silos))

    def _channel_truth(self, index: int, name: str, now: Array) -> ChannelTruth:
        spend = float(sum(silo.panel.spend[..., index].sum() for silo in self.silos))
        step = np.ones(now.size)
        step[index] += CURVE_STEP
        gain = float((self.contributions_at(step) - now).sum())
        contribution = float(now[index])
        return ChannelTruth(
            name, contribution, contribution / self.total_outcome, spend, contribution / spend, gain / (CURVE_STEP * spend)
        )


@dataclass(frozen=True, eq=False)
class _Draft:
    name: str
    demand: Demand
    intensity: Array
    response: TrueResponse


def make_world(scenario: Scenario) -> World:
    """Draw a world; the scenario, seed included, fixes every number."""
    streams = np.random.SeedSequence(scenario.seed).spawn(scenario.silos)
    drafts = [_draft_silo(scenario, name, np.random.default_rng(s)) for name, s in zip(scenario.silo_names, streams, strict=True)]
    effect, synergy = _scales_for_target_shares(scenario, drafts)
    drafts = [replace(draft, response=draft.response.scaled(effect, synergy)) for draft in drafts]
    per_head, price = _money_scales(scenario, drafts)
    return World(scenario, tuple(_finish_silo(scenario, draft, per_head, price) for draft in drafts))


def _draft_silo(scenario: Scenario, name: str, rng: np.random.Generator) -> _Draft:
    demand = draw_demand(scenario, rng)
    intensity = draw_media(scenario, name, demand.base, rng)
    return _Draft(name, demand, intensity, draw_response(scenario, rng))


def _scales_for_target_shares(scenario: Scenario, drafts: list[_Draft]) -> tuple[Array, Array]:
    """Factors that give each channel and each synergy its `sales_share` of all sales."""
    channels = len(scenario.channels)
    base = sum(float((draft.demand.base * draft.demand.level[:, None]).sum()) for draft in drafts)
    targets = np.array([channel.sales_share for channel in scenario.channels])
    pair_targets = np.zeros((channels, channels))
    raw_pairs = np.zeros((channels, channels))
    raw = np.zeros(channels)
    names = [channel.name for channel in scenario.channels]
    for draft in drafts:
        saturated = draft.response.saturated(draft.intensity)
        weight = draft.demand.level[:, None, None]
        raw += (draft.response.effect[:, None, :] * draft.response.drift * saturated * weight).sum(axis=(0, 1))
        raw_pairs += np.einsum("utc,utd,u->cd", saturated, saturated, draft.demand.level)
    for pair in scenario.synergies:
        low, high = sorted((names.index(pair.first), names.index(pair.second)))
        pair_targets[low, high] = pair.sales_share
    total = base / (1.0 - targets.sum() - pair_targets.sum())
    pairs = np.divide(pair_targets * total, raw_pairs, out=np.zeros_like(raw_pairs), where=raw_pairs > 0)
    return targets * total / raw, pairs


def _money_scales(scenario: Scenario, drafts: list[_Draft]) -> tuple[Array, Array]:
    """Typical exposures per head and the price of one exposure, so that `spend_share` of sales is spent."""
    sales = sum(float((draft.demand.base * draft.demand.level[:, None]).sum()) for draft in drafts)
    weeks = sum(np.einsum("utc,u->c", draft.intensity, draft.demand.level / SALES_PER_HEAD) for draft in drafts)
    price = np.array([channel.cost_per_thousand for channel in scenario.channels]) / 1000.0
    spend = np.array([channel.spend_share for channel in scenario.channels]) * sales
    return spend / price / weeks, price


def _finish_silo(scenario: Scenario, draft: _Draft, per_head: Array, price: Array) -> SiloTruth:
    demand = draft.demand
    rng = np.random.default_rng(np.random.SeedSequence([scenario.seed, int(draft.name.rsplit("-", 1)[1])]))
    population = np.round(demand.level / SALES_PER_HEAD * np.exp(POPULATION_LOG_SD * rng.standard_normal(demand.level.size)))
    exposure = np.round(draft.intensity * per_head * (demand.level / SALES_PER_HEAD)[:, None, None])
    spend = np.round(exposure * price * np.exp(PRICE_LOG_SD * rng.standard_normal(exposure.shape[1:])), 2)
    contribution = draft.response.contributions(draft.intensity) * demand.level[:, None, None]
    sales = (demand.base + demand.noise) * demand.level[:, None] + contribution.sum(axis=-1)
    panel = _panel(scenario, draft, exposure, spend, np.round(np.maximum(sales, 0.0), 2), population)
    return SiloTruth(panel, draft.intensity, demand.level, draft.response, contribution)


def _panel(scenario: Scenario, draft: _Draft, exposure: Array, spend: Array, sales: Array, population: Array) -> Panel:
    units, weeks = sales.shape
    demand = draft.demand
    holiday = np.broadcast_to(demand.holiday[None, :, None], (units, weeks, 1))
    return Panel(
        silo=draft.name,
        units=tuple(f"{draft.name}-store-{number:03d}" for number in range(1, units + 1)),
        weeks=np.datetime64(scenario.start) + np.arange(weeks) * np.timedelta64(7, "D"),
        outcome=sales,
        observed=np.ones((units, weeks), dtype=np.bool_),
        media=exposure,
        spend=spend,
        controls=np.concatenate([np.round(demand.controls, 4), holiday, demand.promotion[..., None]], axis=-1),
        revenue_per_outcome=np.ones((units, weeks)),
        population=population,
        channels=tuple(Channel(c.name, ChannelKind.PAID, "impressions") for c in scenario.channels),
        control_names=(*(control.name for control in scenario.controls), "holiday", "promotion"),
        treatment_names=("promotion",),
        currency=scenario.currency,
        outcome_unit=scenario.currency,
    )
