"""What money would truly do next period in a known-truth world: the yardstick for plans."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.contribution_totals import MULTIPLIERS
from mmm_models.planning.period import Period
from mmm_models.planning.plan_basis import EVERYTHING, Part, PlanBasis, sum_of
from simulations.world import SiloTruth, World

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrueOutlook:
    """As `Outlook`, of the truth: the period's media repeat, scaled, and all effects are those of its weeks.

    Every unit keeps its own share of its part's media. `worth` [part] is revenue per unit of outcome.
    """

    period: Period
    worth: Array
    silos: tuple[SiloTruth, ...]
    merged: bool  # one part for all silos

    def expected(self, intensity: Tensor) -> Tensor:
        """True contributions `[part, channel]` at these mean intensities."""
        now = np.where(self.period.intensity > 0, self.period.intensity, 1.0)
        factor = intensity.numpy() / now
        found = [
            self._silo(silo, factor[0 if self.merged else index]) for index, silo in enumerate(self.silos)
        ]
        return torch.from_numpy(np.stack([sum(found)] if self.merged else found))

    def intensity(self, spend: Array) -> Tensor:
        """What this spend `[part, channel]` buys."""
        return torch.from_numpy(self.period.intensity_for(spend))

    def revenue(self, spend: Array) -> float:
        """Of all channels together with this spend `[part, channel]`."""
        return float((self.expected(self.intensity(spend)).numpy() * self.worth[:, None]).sum())

    def _silo(self, silo: SiloTruth, factor: Array) -> Array:
        """The second of two such periods in a row: what came before is more of the same."""
        weeks = self.period.weeks
        last = silo.intensity[:, -weeks:] * factor
        repeats = -(-silo.response.kernel.shape[1] // weeks)
        relative = silo.response.repeated(last, before=repeats)
        return np.asarray(np.einsum("utc,u->c", relative, silo.level))


def true_basis(world: World) -> PlanBasis:
    """What a run of this world would store for planning if it knew the truth: everything as one part."""
    one = len(world.scenario.channel_names)
    level = np.concatenate([silo.level for silo in world.silos])
    media = np.concatenate([silo.intensity for silo in world.silos])
    panels = world.panels
    curves = np.stack([world.contributions_at(np.full(one, m)) for m in MULTIPLIERS], axis=1)
    everything = Part(
        name=EVERYTHING,
        outcome=sum_of(panel.outcome.sum(axis=0) for panel in panels),
        level=np.full(media.shape[1], level.sum()),
        spend=sum_of(panel.spend.sum(axis=0) for panel in panels),
        intensity=np.einsum("utc,u->tc", media, level) / level.sum(),
        contribution=sum_of(silo.contribution.sum(axis=0) for silo in world.silos),
        curves=curves,
        revenue_per_outcome=1.0,
    )
    channels, unit = panels[0].channels, panels[0].outcome_unit
    return PlanBasis(
        tuple(channel.name for channel in channels),
        tuple(channel.kind.value for channel in channels),
        panels[0].currency,
        unit,
        panels[0].weeks,
        (everything,),
    )


def true_outlook(world: World, period: Period) -> TrueOutlook:
    """For the period of an `Outlook` of a run on this world; parts are its silos, or one for all."""
    parts = len(period.level)
    return TrueOutlook(period, np.ones(parts), world.silos, merged=parts == 1)
