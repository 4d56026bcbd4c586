"""How far one silo may move the shared model: applied last before the gate, whatever the training did.

Guarantee: one silo moves the round's mean change by at most `length` times its share of all units, whichever
    data or training made it; its share is at most `units` over the units of all.
Unit: one silo. Neighbours: any two data sets of the same silo, and its absence.
Source: clipping of updates (Sun et al. 2019, "Can you really backdoor federated learning?").
Not covered: a silo that changes this code sends what it likes within the fixed-point range. Under masks nobody
    can tell; that would take zero-knowledge range proofs, which are not built. Without masks the coordinator
    checks both bounds itself.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.federated_spec import LocalTraining

Array = NDArray[np.float64]


@dataclass(frozen=True)
class UpdateBound:
    """`length` in parameters (L2), `units` a silo counts for; infinite where the run has no bound."""

    length: float
    units: float

    @classmethod
    def of(cls, training: LocalTraining) -> "UpdateBound":
        """The bounds the silo agreed to with the invitation."""
        return cls(training.largest_change, training.max_units or math.inf)

    def shorten(self, change: Array) -> Array:
        """The same direction, at most `length` long. An honest change comes back as it is, to the last bit."""
        norm = float(np.linalg.norm(change))
        return change * (self.length / norm) if norm > self.length else change

    def share(self, units: float) -> float:
        """The part of itself a silo of that many units may count for: 1 unless it is too large."""
        return min(1.0, self.units / units)
