"""A world before its money is known: each silo's demand, media and response, scaled to the target shares."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmm_models.panel import ChannelKind
from simulations.errors import ScenarioInvalid
from simulations.scenario import Scenario
from simulations.world_demand import Demand, draw_demand
from simulations.world_media import draw_media
from simulations.world_response import TrueResponse, draw_response, synergy_matrix

Array = NDArray[np.float64]
SALES_PER_HEAD = 8.0


@dataclass(frozen=True, eq=False)
class SiloDraft:
    """One silo in relative numbers: sales as multiples of each unit's level, media of its typical week."""

    name: str
    number: int  # from 1
    demand: Demand
    intensity: Array  # [unit, week, channel] media per head in typical weeks
    response: TrueResponse

    @property
    def heads(self) -> Array:
        """People each unit reaches `[unit]`."""
        return self.demand.level / SALES_PER_HEAD


@dataclass(frozen=True, eq=False)
class MediaScales:
    """How intensity becomes exposures and money, per channel."""

    per_head: Array  # [channel] exposures per head in a typical week
    price: Array  # [channel] money per exposure; 0 for organic


def draw_drafts(scenario: Scenario) -> list[SiloDraft]:
    """Every silo's draft, with effects such that channels and synergies reach their `sales_share`.

    Each silo has its own random stream, so that adding a silo leaves what the others draw unchanged.
    """
    streams = np.random.SeedSequence(scenario.seed).spawn(scenario.silos)
    drafts = [
        _draft_silo(scenario, number, np.random.default_rng(stream))
        for number, stream in enumerate(streams, start=1)
    ]
    effect, synergy = _effect_scales(scenario, drafts)
    return [replace(draft, response=draft.response.scaled(effect, synergy)) for draft in drafts]


def media_scales(scenario: Scenario, drafts: Sequence[SiloDraft]) -> MediaScales:
    """Scales at which each paid channel costs its `spend_share` of base sales."""
    sales = sum(_base_sales(draft) for draft in drafts)
    weeks = sum(np.einsum("utc,u->c", draft.intensity, draft.heads) for draft in drafts)
    paid = np.array([channel.kind is ChannelKind.PAID for channel in scenario.channels])
    price = np.array([channel.cost_per_thousand for channel in scenario.channels]) / 1000.0
    spend = np.array([channel.spend_share for channel in scenario.channels]) * sales
    free = np.array([channel.exposures_per_head for channel in scenario.channels])
    return MediaScales(np.where(paid, spend / price / weeks, free), np.where(paid, price, 0.0))


def _draft_silo(scenario: Scenario, number: int, rng: np.random.Generator) -> SiloDraft:
    name, units = scenario.silo_names[number - 1], scenario.unit_counts[number - 1]
    demand = draw_demand(scenario, units, rng)
    intensity = draw_media(scenario, name, demand.base, rng)
    return SiloDraft(name, number, demand, intensity, draw_response(scenario, units, rng))


def _base_sales(draft: SiloDraft) -> float:
    return float((draft.demand.base * draft.demand.level[:, None]).sum())


def _effect_scales(scenario: Scenario, drafts: Sequence[SiloDraft]) -> tuple[Array, Array]:
    """Factors `[channel]` and `[channel, channel]` that give the scenario's shares of all expected sales."""
    targets = np.array([channel.sales_share for channel in scenario.channels])
    pair_targets = synergy_matrix(scenario, [pair.sales_share for pair in scenario.synergies])
    raw, raw_pairs = np.zeros(targets.shape), np.zeros(pair_targets.shape)
    for draft in drafts:
        saturated, level = draft.response.saturated(draft.intensity), draft.demand.level
        effect = draft.response.effect[:, None, :] * draft.response.drift
        raw += (effect * saturated * level[:, None, None]).sum(axis=(0, 1))
        raw_pairs += np.einsum("utc,utd,u->cd", saturated, saturated, level)
    _refuse_empty_pairs(scenario, pair_targets, raw_pairs)
    base = sum(_base_sales(draft) for draft in drafts)
    total = base / (1.0 - targets.sum() - pair_targets.sum())
    pairs = np.divide(pair_targets * total, raw_pairs, out=np.zeros_like(raw_pairs), where=raw_pairs > 0)
    return targets * total / raw, pairs


def _refuse_empty_pairs(scenario: Scenario, targets: Array, raw: Array) -> None:
    names = scenario.channel_names
    for first, second in np.argwhere((targets > 0) & (raw <= 0)):
        raise ScenarioInvalid(
            f"synergy {names[first]!r} x {names[second]!r} has a sales_share, but they never run together",
            hint="let one silo have both channels (absent_in), or remove the synergy",
        )
