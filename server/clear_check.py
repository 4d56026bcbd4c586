"""What the coordinator checks in a vector it can read: the bounds that an honest silo keeps by itself.

Under masks only the silos can keep them. A vector that passes may still be a lie, but a short one.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.federated_spec import LocalOptimizer, ScalesSum
from mmm_models.scaling import OCTAVES
from mmm_models.week_calendar import MARKS
from server.errors import UpdateOutOfBounds
from server.settings import RunSettings

Array = NDArray[np.float64]
ROUNDING = 1e-3  # relative; fixed point moves a shortened change by far less
FEWEST_UNITS = 1.0


@dataclass(frozen=True)
class ClearCheck:
    """The run's bounds: length of a mean change, units of one silo; infinite without.

    `weighted`: a round's vector holds the silo's weight, as it does unless silos send plain gradient sums.
    """

    largest_change: float = math.inf
    most_units: float = math.inf
    exact_counts: bool = True
    weighted: bool = True

    @classmethod
    def of(cls, settings: RunSettings) -> "ClearCheck":
        local, most_units = settings.local, settings.max_units_per_silo or math.inf
        weighted = local.optimizer is not LocalOptimizer.NONE
        return cls(local.largest_change, most_units, not settings.private, weighted)

    def require_scales(self, values: Array, silo: str) -> None:
        """Octave counts of a silo's units, each counted once a quantity at most, and marks of the calendar, each 0 or
        1. Raises UpdateOutOfBounds."""
        if not self.exact_counts:
            return  # noise may be negative
        self._require_units(float(values[-1]), silo)
        layout = ScalesSum(quantities=(values.size - 1 - MARKS) // OCTAVES, private=False)
        counted, marks = layout.octaves(values), layout.marks(values)
        if (marks < 0).any() or (marks > 1 + ROUNDING).any():
            raise UpdateOutOfBounds(f"{silo} marks weeks more than once", hint="leave it out")
        most = float(values[-1]) * (1 + ROUNDING)
        if (counted < 0).any() or (counted.sum(axis=1) > most).any():
            raise UpdateOutOfBounds(f"{silo} counts units that it does not have", hint="leave it out")

    def require_round(self, values: Array, parameters: int, silo: str) -> None:
        """A weighted change and its weight, or a gradient sum. Raises UpdateOutOfBounds, which tells no number."""
        units = float(values[parameters]) if self.weighted else self.most_units
        if self.weighted:
            self._require_units(units, silo)
        if float(np.linalg.norm(values[:parameters])) > units * self.largest_change * (1 + ROUNDING):
            raise UpdateOutOfBounds(
                f"{silo}'s change is longer than update-norm-bound allows; it was not used",
                hint="its client does not keep to the terms of the run: find out why, or leave the silo out",
            )

    def _require_units(self, units: float, silo: str) -> None:
        if not FEWEST_UNITS * (1 - ROUNDING) <= units <= self.most_units * (1 + ROUNDING):
            raise UpdateOutOfBounds(
                f"{silo} wants to count for fewer than one unit or for more than max-units-per-silo",
                hint="its client does not keep to the terms of the run: find out why, or leave the silo out",
            )
