"""The panel: one silo's weekly series per unit, as plain arrays every model family reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from mmm_models.errors import ModelError

DAYS_PER_WEEK = 7
PER_UNIT_WEEK = ("outcome", "observed", "media", "spend", "frequency", "controls", "revenue_per_outcome")


class ChannelKind(StrEnum):
    """Paid media have spend; organic media have exposure only."""

    PAID = "paid"
    ORGANIC = "organic"


@dataclass(frozen=True)
class Channel:
    """One medium; `exposure_unit` is the unit of `Panel.media` ("" when unknown)."""

    name: str
    kind: ChannelKind
    exposure_unit: str


@dataclass(frozen=True, eq=False)
class Panel:
    """Weekly series of every unit of one silo, complete and finite.

    A week a unit has no usable data for is `observed=False`: its outcome is 0 and must be ignored,
    its media are 0 (or what is known) and its controls carry the nearest known
    value. Raises `ModelError` when an array does not fit.
    """

    silo: str
    units: tuple[str, ...]
    weeks: NDArray[np.datetime64]  # [week], first day of each week, 7 days apart
    outcome: NDArray[np.float64]  # [unit, week], in outcome_unit
    observed: NDArray[np.bool_]  # [unit, week]
    media: NDArray[np.float64]  # [unit, week, channel], exposure where given, else spend; >= 0
    spend: NDArray[np.float64]  # [unit, week, channel], in currency; 0 for organic; >= 0
    controls: NDArray[np.float64]  # [unit, week, control], raw; controls, then treatments
    revenue_per_outcome: NDArray[np.float64]  # [unit, week], in currency; 1.0 when the outcome is money
    population: NDArray[np.float64]  # [unit], people; NaN where unknown
    channels: tuple[Channel, ...]
    control_names: tuple[str, ...]
    treatment_names: tuple[str, ...]  # the last of control_names
    currency: str  # "" when unknown
    outcome_unit: str  # "" when unknown
    # [unit, week, channel], contacts per person reached (media are reach x frequency); 0 where unknown or nobody
    # was reached, and everywhere when it is left out
    frequency: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if self.frequency.shape == (0,):
            object.__setattr__(self, "frequency", np.zeros(self.media.shape))
        self._check_names()
        self._check_shapes()
        self._check_weeks()
        self._check_values()

    @property
    def n_units(self) -> int:
        return len(self.units)

    @property
    def n_weeks(self) -> int:
        return len(self.weeks)

    @property
    def n_channels(self) -> int:
        return len(self.channels)

    @property
    def channel_names(self) -> tuple[str, ...]:
        return tuple(channel.name for channel in self.channels)

    @property
    def reach(self) -> NDArray[np.float64]:
        """People reached `[unit, week, channel]`: media over frequency; 0 where frequency is unknown."""
        known = self.frequency > 0
        return np.asarray(np.where(known, self.media / np.where(known, self.frequency, 1.0), 0.0))

    @property
    def has_frequency(self) -> NDArray[np.bool_]:
        """Channels whose frequency is known wherever they ran `[channel]`; those that never ran have none."""
        runs, known = self.media > 0, self.frequency > 0
        return np.asarray(known.any(axis=(0, 1)) & (known | ~runs).all(axis=(0, 1)))

    def select_units(self, idx: Sequence[int] | NDArray[np.int_] | NDArray[np.bool_]) -> Panel:
        """The same panel with only these units, in this order (indices or a mask)."""
        chosen = np.arange(self.n_units)[np.asarray(idx)]
        arrays = {name: getattr(self, name)[chosen] for name in (*PER_UNIT_WEEK, "population")}
        return replace(self, units=tuple(self.units[i] for i in chosen), **arrays)

    def select_weeks(self, start: int, stop: int) -> Panel:
        """The same panel with only weeks start <= index < stop."""
        arrays = {name: getattr(self, name)[:, start:stop] for name in PER_UNIT_WEEK}
        return replace(self, weeks=self.weeks[start:stop], **arrays)

    def with_channels(self, channels: Sequence[Channel] | Sequence[str]) -> Panel:
        """The same panel with exactly these channels, in this order.

        A channel this silo lacks is added as zero media, spend and frequency (given as a bare name it counts as
        paid). Leaving out a channel the panel has raises `ModelError`: its sales would turn into baseline.
        """
        wanted = [_as_channel(channel, self.channels) for channel in channels]
        missing = set(self.channel_names) - {channel.name for channel in wanted}
        if missing:
            raise ModelError(
                f"silo {self.silo!r} has channels the model does not: {', '.join(sorted(missing))}",
                hint="add them to the model's channels, or remove them from the silo file",
            )
        mine = {name: index for index, name in enumerate(self.channel_names)}
        source = [mine.get(channel.name, -1) for channel in wanted]
        return replace(
            self,
            channels=tuple(
                self.channels[index] if index >= 0 else new for index, new in zip(source, wanted, strict=True)
            ),
            media=_take_or_zero(self.media, source),
            spend=_take_or_zero(self.spend, source),
            frequency=_take_or_zero(self.frequency, source),
        )

    def with_controls(self, names: Sequence[str], treatment_names: Sequence[str] = ()) -> Panel:
        """The same panel with exactly these controls then treatments; one this silo lacks is all zero.

        A constant says nothing a unit's own intercept does not, so an absent control has no effect.
        """
        wanted = (*names, *treatment_names)
        missing = set(self.control_names) - set(wanted)
        if missing:
            raise ModelError(
                f"silo {self.silo!r} has controls the model does not: {', '.join(sorted(missing))}",
                hint="add them to the model's controls, or remove them from the silo file",
            )
        mine = {name: index for index, name in enumerate(self.control_names)}
        controls = _take_or_zero(self.controls, [mine.get(name, -1) for name in wanted])
        return replace(self, controls=controls, control_names=wanted, treatment_names=tuple(treatment_names))

    def _check_names(self) -> None:
        for what, names in (
            ("unit", self.units),
            ("channel", self.channel_names),
            ("control", self.control_names),
        ):
            repeated = (
                {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
            )
            if repeated:
                raise ModelError(f"{what} named twice: {', '.join(sorted(repeated))}")
        if not self.units or not len(self.weeks):
            raise ModelError(
                f"silo {self.silo!r} has {len(self.units)} units and {len(self.weeks)} weeks; both need one"
            )
        n_treatments = len(self.treatment_names)
        if self.control_names[len(self.control_names) - n_treatments :] != self.treatment_names:
            raise ModelError("treatment_names must be the last of control_names")

    def _check_shapes(self) -> None:
        cell = (self.n_units, self.n_weeks)
        expected = {
            "outcome": cell,
            "observed": cell,
            "media": (*cell, self.n_channels),
            "spend": (*cell, self.n_channels),
            "frequency": (*cell, self.n_channels),
            "controls": (*cell, len(self.control_names)),
            "revenue_per_outcome": cell,
            "population": cell[:1],
        }
        for name, shape in expected.items():
            found = getattr(self, name).shape
            if found != shape:
                raise ModelError(f"panel {self.silo!r}: {name} has shape {found}, expected {shape}")

    def _check_weeks(self) -> None:
        steps = np.diff(self.weeks.astype("datetime64[D]").astype(np.int64))
        if np.any(steps != DAYS_PER_WEEK):
            raise ModelError(f"panel {self.silo!r}: weeks must be {DAYS_PER_WEEK} days apart")

    def _check_values(self) -> None:
        for name in ("outcome", "media", "spend", "controls", "revenue_per_outcome", "frequency"):
            if not np.isfinite(getattr(self, name)).all():
                raise ModelError(f"panel {self.silo!r}: {name} holds values that are not finite")
        for name in ("media", "spend", "frequency"):
            if (getattr(self, name) < 0).any():
                raise ModelError(f"panel {self.silo!r}: {name} holds negative values")
        if (self.revenue_per_outcome <= 0).any():
            raise ModelError(f"panel {self.silo!r}: revenue_per_outcome must be above 0")
        if not (np.isnan(self.population) | ((self.population > 0) & np.isfinite(self.population))).all():
            raise ModelError(f"panel {self.silo!r}: population must be above 0, or NaN where unknown")
        if self.outcome[~self.observed].any():
            raise ModelError(f"panel {self.silo!r}: outcome must be 0 where observed is False")


def pool(panels: Sequence[Panel]) -> Panel:
    """One panel of all units of all silos, for centralised training; units become "silo/unit".

    Channels and controls are the union (absent ones are zero), weeks the union of the calendars
    (`observed=False` outside a silo's own). Silos whose weeks start on another day than the first silo's
    are moved to the nearest week of its calendar, by at most three days.
    Raises `ModelError` when silos share a name, or disagree on currency, outcome unit or a channel's unit.
    """
    from mmm_models.panel_pool import pool_panels

    return pool_panels(panels)


def _as_channel(channel: Channel | str, known: tuple[Channel, ...]) -> Channel:
    if isinstance(channel, Channel):
        return channel
    by_name = {item.name: item for item in known}
    return by_name.get(channel, Channel(channel, ChannelKind.PAID, ""))


def _take_or_zero(array: NDArray[np.float64], source: list[int]) -> NDArray[np.float64]:
    """Columns of the last axis by index; -1 gives zeros."""
    taken = np.zeros((*array.shape[:-1], len(source)))
    for target, index in enumerate(source):
        if index >= 0:
            taken[..., target] = array[..., index]
    return taken
