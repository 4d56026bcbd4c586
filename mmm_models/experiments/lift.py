"""What one experiment says about one channel, as every model reads it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

from mmm_models.experiments.lift_errors import LiftInvalid

SWITCHED_OFF = -1.0


@dataclass(frozen=True)
class LiftTest:
    """The outcome that a channel's media caused in some weeks and units, with its standard error.

    `first_week` and `last_week` are the first days of the first and last week, `units` those of the panel (None: all).
    The experiment compares the media of the panel with the same media times `1 + change`: -1 with none at all, so that
    `lift` is what the media added; 0.5 with half as much again, so that `lift` is what the further half would add.
    `lift` and `standard_error` are in outcome units, summed over those weeks and units; positive means that more media
    sell more, whatever the sign of `change`. `source` is in words. Raises `LiftInvalid`.
    """

    channel: str
    first_week: date
    last_week: date
    units: tuple[str, ...] | None
    lift: float
    standard_error: float
    change: float = SWITCHED_OFF
    source: str = ""

    def __post_init__(self) -> None:
        if not math.isfinite(self.lift):
            raise self._invalid("its lift is not a finite number", "leave the experiment out")
        if not (math.isfinite(self.standard_error) and self.standard_error > 0):
            raise self._invalid(
                f"its standard error is {self.standard_error:g}",
                "give one above 0; from a 95 % interval it is (high - low) / 3.92",
            )
        if not (math.isfinite(self.change) and self.change >= SWITCHED_OFF and self.change != 0):
            raise self._invalid(
                f"its change is {self.change:g}", "-1 means none of the media, 0.5 half as much again"
            )
        if self.last_week < self.first_week:
            raise self._invalid("it ends before it starts", "swap its first and last week")
        if self.units is not None and not self.units:
            raise self._invalid("it is about no unit", "name units, or leave them out to mean all")

    @property
    def name(self) -> str:
        """In a sentence: its source and channel, or its channel and first day."""
        return f"{self.source} ({self.channel})" if self.source else f"{self.channel} from {self.first_week}"

    def _invalid(self, problem: str, hint: str) -> LiftInvalid:
        return LiftInvalid(f"experiment {self.name}: {problem}", hint=hint)
