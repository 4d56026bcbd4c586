"""A geographic experiment to the lift it measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmm_models.experiments.difference_in_differences import difference_in_differences
from mmm_models.experiments.geo_design import GeoDesign, GeoMethod, GeoSeries, geo_series
from mmm_models.experiments.lift import SWITCHED_OFF, LiftTest
from mmm_models.experiments.lift_errors import LiftChannelUnknown, MediaUnchanged
from mmm_models.experiments.synthetic_control import synthetic_control
from mmm_models.intake.nearest_name import nearest_name
from mmm_models.panel import Panel

NONE_OF_IT = 0.02  # of usual media: as good as switched off
LEAST_CHANGE = 0.1

_METHODS = {GeoMethod.DID: difference_in_differences, GeoMethod.SYNTHETIC_CONTROL: synthetic_control}


@dataclass(frozen=True)
class MediaChange:
    """The channel's media in the treated units: over what they would have been; infinite when switched on."""

    ratio: float

    @property
    def is_off(self) -> bool:
        """Whether the experiment switched the channel off."""
        return self.ratio < NONE_OF_IT

    @property
    def change(self) -> float:
        """From the media as they were to those without the experiment."""
        return max(SWITCHED_OFF, 1 / self.ratio - 1) if 1 / self.ratio >= NONE_OF_IT else SWITCHED_OFF


def measure_geo(design: GeoDesign, panel: Panel, *, source: str = "") -> LiftTest:
    """The lift of the experiment, with its standard error, against the panel's media.

    Where media were raised, lowered or switched on, it is that of the treated units. Where they were switched off,
    the panel holds no media there that could be taken away: then it is what control units sold by theirs, if an effect
    is the same part of every unit's outcome. Raises `GeoExperimentUnusable` and `LiftMisplaced`.
    """
    series = geo_series(design, panel)
    media = _media_change(design, panel, series)
    effect = _METHODS[design.method](series)
    who = ~series.treated if media.is_off else series.treated
    change = SWITCHED_OFF if media.is_off else media.change
    outcome = float(series.level[who].sum()) * series.during.shape[1]
    # More media than without the experiment: the effect is what they added. Less: what was missed, its opposite.
    sign = 1.0 if media.ratio > 1 else -1.0
    return LiftTest(
        channel=design.channel,
        first_week=design.first_week,
        last_week=design.last_week,
        units=tuple(panel.units[place] for place in series.units[who]),
        lift=sign * effect.relative * outcome,
        standard_error=effect.standard_error * outcome,
        change=change,
        source=source or f"geo experiment, {design.method}",
    )


def _media_change(design: GeoDesign, panel: Panel, series: GeoSeries) -> MediaChange:
    """Without the experiment the treated units' media would have moved as those of the control units did."""
    if design.channel not in panel.channel_names:
        best = nearest_name(design.channel, panel.channel_names)
        raise LiftChannelUnknown(
            f"the experiment's channel {design.channel!r} is not in the panel",
            hint=f"did you mean {best!r}?" if best else f"channels are {', '.join(panel.channel_names)}",
        )
    media = panel.media[series.units, series.weeks, panel.channel_names.index(design.channel)]
    split = series.before.shape[1]
    treated, controls = series.treated, ~series.treated
    before, during = media[:, :split].mean(axis=1), media[:, split:].mean(axis=1)
    moved = during[controls].sum() / before[controls].sum() if before[controls].any() else 1.0
    usual, seen = float(before[treated].sum() * moved), float(during[treated].sum())
    ratio = seen / usual if usual > 0 else (np.inf if seen > 0 else 1.0)
    if abs(ratio - 1) < LEAST_CHANGE:
        raise MediaUnchanged(
            f"the media of {design.channel!r} in the treated units were {100 * ratio:.0f} % of what they would have "
            "been without the experiment",
            hint="check the channel, the treated units and the weeks of the experiment",
        )
    return MediaChange(float(ratio))
