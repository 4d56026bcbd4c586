"""What all silos of a run agree on about the model: the one description both sides parse."""

import math
from enum import StrEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from mmm_models.errors import ModelError
from mmm_models.network import MediaResponse
from mmm_models.panel import Channel, ChannelKind
from mmm_models.scaling import OCTAVES, MediaPer
from mmm_models.spec import ModelSpec
from mmm_models.unit_records import RecordLayout
from mmm_models.week_calendar import MARKS, Calendar

Positive = Annotated[float, Field(gt=0.0)]


class LocalOptimizer(StrEnum):
    """How a silo moves between two messages; with `none` it sends its gradient sum and the coordinator moves."""

    NONE = "none"
    SGD = "sgd"
    ADAM = "adam"


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ChannelDeclaration(_Spec):
    """A channel every silo knows by this name, whether it uses it or not."""

    name: str
    kind: ChannelKind
    exposure_unit: str = ""


class LocalTraining(_Spec):
    """A silo's work in one round. `proximal` pulls towards the round's start (FedProx, Li et al. 2020).

    `update_norm_bound` and `max_units` limit what one silo may move, so that a poisoned one moves little; 0: no
    limit. The bound is the length of one step's mean gradient; `largest_change` is the same in parameters.
    """

    optimizer: LocalOptimizer = LocalOptimizer.SGD
    steps: Annotated[int, Field(ge=1)] = 1
    learning_rate: Positive = 0.002
    proximal: Annotated[float, Field(ge=0.0)] = 0.0
    update_norm_bound: Annotated[float, Field(ge=0.0)] = 0.0
    max_units: Annotated[int, Field(ge=0)] = 0

    @property
    def largest_change(self) -> float:
        """Most L2 length of one silo's mean change in a round; infinite without a bound."""
        return self.update_norm_bound * self.learning_rate * self.steps or math.inf


class FederatedModel(_Spec):
    """The model of one federated run. `weeks` is a typical panel's length; it only scales private totals.

    `intervals`: the report also sums by how much each total would change with each shared parameter. `calibrated`:
    silos' experiments count in the last rounds, and the report says how many there are.
    """

    channels: Annotated[tuple[ChannelDeclaration, ...], Field(min_length=1)]
    media_per: MediaPer
    weeks: Annotated[int, Field(ge=1)]
    holdout_weeks: Annotated[int, Field(ge=0)]
    intervals: bool = False
    calibrated: bool = False
    model: ModelSpec = ModelSpec()
    local: LocalTraining = LocalTraining()
    currency: str = ""
    outcome_unit: str = ""

    @property
    def panel_channels(self) -> tuple[Channel, ...]:
        return tuple(Channel(c.name, c.kind, c.exposure_unit) for c in self.channels)

    def require_known(self, channels: tuple[str, ...]) -> None:
        """Raises ModelError when a silo has channels the run does not: their sales would turn into baseline."""
        missing = sorted(set(channels) - {channel.name for channel in self.channels})
        if missing:
            raise ModelError(
                f"the run does not know the channels {', '.join(missing)}",
                hint="name them in the run's channels, or remove them from the silo file",
            )

    @property
    def parameters(self) -> int:
        """Numbers in the shared vector."""
        response = MediaResponse(self.model, [1.0] * len(self.channels))
        return sum(parameter.numel() for parameter in response.parameters())

    @property
    def scale_quantities(self) -> int:
        return 2 * len(self.channels) + 3

    def scales_sum(self, *, private: bool) -> "ScalesSum":
        return ScalesSum(quantities=self.scale_quantities, private=private)

    def records(self, *, private: bool, calendar: Calendar | None = None) -> RecordLayout:
        """Of the report; with the calendar of a run without noise also of each of its weeks."""
        slopes = self.parameters if self.intervals and not private else 0
        weeks = None if private else calendar
        return RecordLayout(len(self.channels), private, slopes, weeks, self.calibrated and not private)


class ScalesSum(_Spec):
    """Layout of the scales' vector: octave counts, in runs without noise marks of the calendar, the number of units."""

    quantities: int
    private: bool

    @property
    def length(self) -> int:
        return self.quantities * OCTAVES + (0 if self.private else MARKS) + 1

    def join(
        self, counts: NDArray[np.float64], marks: NDArray[np.float64], units: float
    ) -> NDArray[np.float64]:
        """One silo's vector without noise."""
        return np.concatenate([counts.reshape(-1), marks, [units]])

    def octaves(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        """Counts `[quantity, octave]`."""
        return np.asarray(total[: self.quantities * OCTAVES].reshape(self.quantities, OCTAVES))

    def marks(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        """Marks as in `calendar_marks`; empty when private."""
        return np.asarray(total[self.quantities * OCTAVES : -1])

    def units(self, total: NDArray[np.float64]) -> float:
        return float(total[-1])


ROUND_METRICS = ("loss", "squared_error", "test_weeks", "mape", "tested_units")


class RoundSum(_Spec):
    """Layout of one round's vector: weighted change, weight, then metrics (or the clip count when private)."""

    parameters: int
    private: bool

    @property
    def length(self) -> int:
        return self.parameters + 1 + (1 if self.private else len(ROUND_METRICS))

    def join(
        self, change: NDArray[np.float64], weight: float, extra: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """One silo's vector: its change times its weight, its weight, its metrics."""
        return np.concatenate([weight * change, [weight], extra])

    def change(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        """The weighted mean change."""
        return np.asarray(total[: self.parameters] / max(float(total[self.parameters]), 1e-9))

    def extra(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(total[self.parameters + 1 :])


class GradientSum(_Spec):
    """Layout of a gradient sum: whitened gradient, then weight and metrics (or the centred clip count when private)."""

    parameters: int
    private: bool

    @property
    def length(self) -> int:
        return self.parameters + (1 if self.private else 1 + len(ROUND_METRICS))

    def join(self, gradient: NDArray[np.float64], extra: NDArray[np.float64]) -> NDArray[np.float64]:
        """One silo's vector."""
        return np.concatenate([gradient, extra])

    def gradient(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        """The summed whitened gradient."""
        return np.asarray(total[: self.parameters])

    def extra(self, total: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(total[self.parameters :])
