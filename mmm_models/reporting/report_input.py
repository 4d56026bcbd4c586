"""What a report is made of besides results: privacy statement, training history, truth, comparison."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mmm_models.errors import ModelError
from mmm_models.explaining.explanation import Explanation
from mmm_models.results import Results


@dataclass(frozen=True, kw_only=True)
class PrivacyBox:
    """Who is protected from what, as the report states it; `None` and empty where it does not apply.

    `unit` and `neighbours` are phrases ("one store's whole series", "one unit added or removed");
    `epsilon` covers everything that left the silos, `epsilon_replace_one` the same when a unit is replaced by
    another one; `clip_norm` bounds one unit's gradient; `colluding`: epsilon when so many silos pool what they
    know with the coordinator; `left_silo` and `not_covered` hold one sentence each.
    """

    mode: Literal["none", "distributed", "local"]
    silos: int
    secure_aggregation: str
    unit: str = ""
    neighbours: str = ""
    epsilon: float | None = None
    delta: float | None = None
    epsilon_replace_one: float | None = None
    accountant: str = ""
    noise: str = ""
    noise_multiplier: float | None = None
    clip_norm: float | None = None
    colluding: tuple[tuple[int, float], ...] = ()
    left_silo: tuple[str, ...] = ()
    not_covered: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        stated = self.epsilon is not None and self.delta is not None and self.unit and self.accountant
        if self.mode != "none" and not stated:
            raise ModelError(
                "a privacy statement with noise must name unit, epsilon, delta and accountant",
                hint="pass all four, or mode='none'",
            )


@dataclass(frozen=True)
class TruthRow:
    """What a channel truly did in a known-truth world; same meaning as in `ChannelResult`."""

    channel: str
    contribution: float
    share: float
    roi: float
    marginal_roi: float


@dataclass(frozen=True)
class RoundPoint:
    """One finished round; `epsilon` is spent so far, `nrmse` is on held-out weeks."""

    round: int
    loss: float | None
    nrmse: float | None
    silos: int
    seconds: float
    epsilon: float | None = None


@dataclass(frozen=True, kw_only=True)
class ArmRow:
    """One way of training the same world. The first arm of a report is the one others are compared with.

    `share_error_points` is the mean absolute error of channel shares in percentage points,
    `channel_errors` the signed relative error of each channel's contribution, `mean_relative_error` the mean
    of their absolute values, `total_media_error` the signed relative error of all media together.
    `model` names its family, `interval_coverage` is the share of channels whose interval holds the truth.
    `privacy` says who adds noise: nobody, a curator trusted with all data, each silo for itself, or all silos
    together; noise is random, so the same may be trained again as another `run`. `failure` says why a run
    ended without a model; its numbers are then not numbers.
    """

    name: str
    nrmse: float
    mape: float
    share_error_points: float
    channel_errors: Mapping[str, float]
    mean_relative_error: float
    total_media_error: float
    model: str = "neural"
    interval_coverage: float = math.nan
    privacy: Literal["none", "central", "local", "distributed"] = "none"
    epsilon: float | None = None
    run: int = 1
    failure: str = ""
    seconds: float = math.nan
    bytes_per_silo: float = math.nan


@dataclass(frozen=True)
class ReportInput:
    """Everything one report shows. `settings` are label and value, `notes` one sentence each; `explained` is None where
    a run holds nothing to explain from, as those of other families."""

    title: str
    subtitle: str
    results: Results
    privacy: PrivacyBox | None = None
    rounds: tuple[RoundPoint, ...] = ()
    truth: tuple[TruthRow, ...] = ()
    arms: tuple[ArmRow, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    explained: Explanation | None = None
    truth_by_channel: Mapping[str, TruthRow] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.title:
            raise ModelError("a report needs a title", hint="name the run")
        object.__setattr__(self, "truth_by_channel", {row.channel: row for row in self.truth})
