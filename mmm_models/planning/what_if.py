"""What changed media would have brought: the question people ask before they ask for a plan."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mmm_models.planning.doubts import doubts
from mmm_models.planning.measures import Measures, measure
from mmm_models.planning.plan import ChangedChannel, WhatIf
from mmm_models.planning.plan_report import outcome_interval
from mmm_models.planning.planning_errors import (
    ChannelUnknown,
    ChannelWithoutSpend,
    PartUnknown,
    QuestionInvalid,
)

Array = NDArray[np.float64]
RELATIVE = re.compile(r"^([+-]?)(\d+(?:\.\d+)?)\s*%$")
ABSOLUTE = re.compile(r"^([+-]?)(\d+(?:\.\d+)?)$")
LARGEST_FACTOR = 100.0


@dataclass(frozen=True)
class Change:
    """A channel's media, everywhere or in one part: times `factor`, or, where it is paid, for `spend` in money."""

    channel: str
    factor: float | None = None
    spend: float | None = None
    part: str | None = None


def parse_change(text: str) -> Change:
    """`social=+20%`, `search=-10%`, `tv=80%` (of last period), `tv=250000` (money), `tv=+50000` or `north/tv=+20%`.

    Raises QuestionInvalid.
    """
    name, separator, amount = text.partition("=")
    part, _, channel = name.strip().rpartition("/")
    found = RELATIVE.match(amount.strip()) or ABSOLUTE.match(amount.strip())
    if not separator or not channel or found is None:
        raise QuestionInvalid(
            f"{text!r} is no change",
            hint="write social=+20%, search=-10%, tv=80% or tv=250000; for one silo north/tv=+20%",
        )
    sign, number = found.group(1), float(found.group(2))
    signed = -number if sign == "-" else number
    if amount.strip().endswith("%"):
        factor = 1.0 + signed / 100.0 if sign else number / 100.0
        return Change(channel, factor=factor, part=part or None)
    if sign:
        raise QuestionInvalid(
            f"{text!r} adds money, which needs a percentage",
            hint=f"write {name.strip()}=+20%, or the whole amount without a sign",
        )
    return Change(channel, spend=number, part=part or None)


def what_if(measures: Measures, changes: Sequence[Change]) -> WhatIf:
    """Last period with these changes. Raises ChannelUnknown, PartUnknown, ChannelWithoutSpend, QuestionInvalid."""
    look, last = measures.look, measures.last
    factor = np.ones(last.spend.shape)
    asked = [(change.part, change.channel) for change in changes]
    if len(set(asked)) < len(asked):
        twice = next(name for name in asked if asked.count(name) > 1)[1]
        raise QuestionInvalid(f"{twice} is changed twice in one question", hint="say one change a channel")
    for change in changes:
        rows = _rows(measures, change)
        factor[rows, look.basis.channels.index(change.channel)] = _factor(measures, change, rows)
    found = measure(look, torch.from_numpy(look.period.intensity * factor), last.spend * factor)
    split = measures.split("what if", found)
    reach = look.reach(found.intensity.numpy())
    gain, gain_interval = measures.outcome_gain(found)
    outcome = float(look.period.outcome.sum())
    return WhatIf(
        weeks=look.period.weeks,
        last_from=look.last_from,
        currency=look.basis.currency,
        outcome_unit=look.basis.outcome_unit,
        interval_level=look.interval_level,
        last_outcome=outcome,
        outcome=outcome + gain,
        changed=split,
        last=measures.last_split,
        channels=tuple(
            ChangedChannel(
                part.name,
                channel,
                float(factor[p, c] - 1.0),
                float(last.spend[p, c]),
                float(found.spend[p, c]),
                float(last.expected[p, c]),
                float(found.expected[p, c]),
                found.interval(p, c),
            )
            for p, part in enumerate(look.basis.parts)
            for c, channel in enumerate(look.basis.channels)
        ),
        findings=doubts(look, np.where(factor > 1.0, reach, 0.0), split),
        outcome_interval=outcome_interval(outcome, gain_interval),
    )


def _rows(measures: Measures, change: Change) -> list[int]:
    parts = [part.name for part in measures.look.basis.parts]
    if change.channel not in measures.look.basis.channels:
        raise ChannelUnknown(change.channel, measures.look.basis.channels)
    if change.part is None:
        return list(range(len(parts)))
    if change.part not in parts:
        raise PartUnknown(change.part, parts)
    return [parts.index(change.part)]


def _factor(measures: Measures, change: Change, rows: list[int]) -> float:
    column = measures.look.basis.channels.index(change.channel)
    last = float(measures.last.spend[rows, column].sum())
    if change.spend is not None and last <= 0:
        raise ChannelWithoutSpend(change.channel)
    factor = change.spend / last if change.spend is not None else change.factor
    if factor is None or not 0.0 <= factor <= LARGEST_FACTOR:
        raise QuestionInvalid(
            f"{change.channel} would be {'nothing' if factor is None else f'{factor:g} times'} last period's media; "
            f"0 to {LARGEST_FACTOR:g} times can be asked",
            hint="no media is -100%; beyond twice the most that was observed every answer is a guess",
        )
    return factor
