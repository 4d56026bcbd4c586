"""Flower's robust rules in place of the weighted mean of silos' changes.

Guarantee: with at most `suspected` lying silos, the combined change stays near those of the honest ones: between
    them in every parameter (median, trimmed mean), one of them or a mean of those that agree best (krum,
    multi-krum), or both (bulyan). How near depends on how much honest silos differ.
Unit: one silo. Silos count alike: a weight is a silo's own word, so it says nothing here.
Source: Yin et al. 2018 (median, trimmed mean), Blanchard et al. 2017 (krum), El Mhamdi et al. 2018 (bulyan).
Not covered: scales and report are plain sums; a silo that lies within its honest neighbours' spread.

The rule replaces the mean only; the strategy then takes its step (Adam or averaging) as ever.
"""

from dataclasses import dataclass

import numpy as np
from flwr.server.strategy.aggregate import (
    aggregate_bulyan,
    aggregate_krum,
    aggregate_median,
    aggregate_trimmed_avg,
)
from numpy.typing import NDArray

from server.errors import SettingsInvalid
from server.settings import RobustRule, RunSettings

Array = NDArray[np.float64]
# Silos needed to stand f liars: a * f + b.
FEWEST = {
    RobustRule.NONE: (0, 1),
    RobustRule.MEDIAN: (2, 1),
    RobustRule.TRIMMED_MEAN: (2, 1),
    RobustRule.KRUM: (2, 3),
    RobustRule.MULTI_KRUM: (2, 3),
    RobustRule.BULYAN: (4, 3),
}


@dataclass(frozen=True)
class RobustAggregation:
    """A rule and the number of silos that may lie."""

    rule: RobustRule = RobustRule.NONE
    suspected: int = 1

    @classmethod
    def of(cls, settings: RunSettings) -> "RobustAggregation":
        return cls(settings.robust_rule, settings.suspected_silos)

    @property
    def fewest_silos(self) -> int:
        """Silos that must answer a round."""
        times, more = FEWEST[self.rule]
        return times * self.suspected + more

    def require_enough(self, silos: int) -> None:
        """Raises SettingsInvalid before anybody is asked for data."""
        if silos < self.fewest_silos:
            raise SettingsInvalid(
                f"{self.rule} needs {self.fewest_silos} silos to stand {self.suspected} that lie; "
                f"the run has {silos}",
                hint="choose another robust-rule (median needs the fewest), or lower suspected-silos",
            )

    def total(self, vectors: Array, parameters: int) -> Array:
        """`[silo, value]` -> `[value]`: a sum whose mean change is the rule's; weights and metrics are added up."""
        total: Array = vectors.sum(axis=0)
        changes = vectors[:, :parameters] / vectors[:, [parameters]]
        total[:parameters] = self.change(changes) * total[parameters]
        return total

    def change(self, changes: Array) -> Array:
        """`[silo, parameter]` -> `[parameter]`, by Flower's own functions."""
        liars, silos = self.suspected, len(changes)
        results = [([change], 1) for change in changes]
        if self.rule is RobustRule.MEDIAN:
            combined = aggregate_median(results)
        elif self.rule is RobustRule.TRIMMED_MEAN:
            combined = aggregate_trimmed_avg(results, (liars + 0.25) / silos)  # Flower cuts the whole number
        elif self.rule is RobustRule.KRUM:
            combined = aggregate_krum(results, liars, 0)
        elif self.rule is RobustRule.MULTI_KRUM:
            combined = aggregate_krum(results, liars, silos - liars - 2)  # Damaskinos et al. 2019
        elif self.rule is RobustRule.BULYAN:
            combined = aggregate_bulyan(results, liars, aggregate_krum, to_keep=0)
        else:
            combined = [changes.mean(axis=0)]
        return np.asarray(combined[0], dtype=np.float64)
