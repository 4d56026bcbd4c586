"""Some weeks of one silo of a known-truth world: what partners' tables have to add up to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.scenario import load_scenario
from simulations.world import make_world

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PartnerWeeks:
    """One silo's weeks, all units together."""

    scenario: str
    silo: str
    channels: tuple[str, ...]
    start: np.datetime64  # first day of the first week
    exposures: Array  # [week, channel] what was bought
    spend: Array  # [week, channel] money
    sales: Array  # [week] money

    @property
    def count(self) -> int:
        return len(self.sales)


def partner_weeks(scenario: str, count: int, *, seed: int) -> PartnerWeeks:
    """`count` neighbouring weeks of the scenario's first silo, of all such the ones that its channels share best.

    Channels come in flights: an arbitrary month may hold no outdoor at all. Chosen are the weeks whose smallest
    channel has the largest share of spend, the later ones of equals.
    """
    panel = make_world(load_scenario(scenario, seed=seed)).silos[0].panel
    spend = panel.spend.sum(axis=0)
    running = np.concatenate([np.zeros((1, spend.shape[1])), spend.cumsum(axis=0)])
    windows = running[count:] - running[:-count]
    smallest = (windows / windows.sum(axis=1, keepdims=True)).min(axis=1)
    first = int(np.flatnonzero(smallest == smallest.max())[-1])
    chosen = slice(first, first + count)
    return PartnerWeeks(
        scenario=scenario,
        silo=panel.silo,
        channels=panel.channel_names,
        start=panel.weeks[first].astype("datetime64[D]"),
        exposures=panel.media.sum(axis=0)[chosen],
        spend=spend[chosen],
        sales=panel.outcome.sum(axis=0)[chosen],
    )
