"""What changed media would have brought: the question people ask before they ask for a plan."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.planning.changes import Change
from mmm_models.planning.doubts import doubts, nothing_to_change, toss_up
from mmm_models.planning.measures import Measures, measure
from mmm_models.planning.outlook import Outlook
from mmm_models.planning.plan import ChangedChannel, WhatIf
from mmm_models.planning.plan_report import outcome_interval
from mmm_models.planning.planning_errors import (
    ChannelUnknown,
    ChannelWithoutSpend,
    PartUnknown,
    QuestionInvalid,
)
from mmm_models.results import Finding

Array = NDArray[np.float64]
LARGEST_FACTOR = 100.0


def what_if(measures: Measures, changes: Sequence[Change]) -> WhatIf:
    """Last period with these changes. Raises ChannelUnknown, PartUnknown, ChannelWithoutSpend, QuestionInvalid."""
    look, last = measures.look, measures.last
    _require_single(changes)
    change, spend = np.zeros(last.spend.shape), last.spend.copy()
    for asked in changes:
        rows, column = _rows(measures, asked), look.basis.channels.index(asked.channel)
        if asked.spend is not None and not look.period.intensity[rows, column].any():
            change[rows, column], spend[rows, column] = np.nan, _begun(look, asked, rows)
        else:
            factor = _factor(measures, asked, rows)
            change[rows, column], spend[rows, column] = factor - 1.0, last.spend[rows, column] * factor
    found = measure(look, changed_media(look, change, spend), spend)
    split = measures.split("what if", found)
    more = found.intensity.numpy() > look.period.intensity
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
                float(change[p, c]),
                float(last.spend[p, c]),
                float(found.spend[p, c]),
                float(last.expected[p, c]),
                float(found.expected[p, c]),
                found.interval(p, c),
            )
            for p, part in enumerate(look.basis.parts)
            for c, channel in enumerate(look.basis.channels)
        ),
        findings=(
            *_percentages_of_nothing(measures, changes),
            *doubts(look, np.where(more, look.reach(found.intensity.numpy()), 0.0)),
            *toss_up(measures.compared(found, last), "last period"),
        ),
        outcome_interval=outcome_interval(outcome, gain_interval),
    )


def changed_media(look: Outlook, change: Array, spend: Array) -> Tensor:
    """Mean intensities `[part, channel]` of media changed by these shares, or, where they are NaN as there were none,
    of what the spend buys."""
    begun = np.isnan(change)
    scaled = look.period.intensity * (1.0 + np.where(begun, 0.0, change))
    return torch.from_numpy(np.where(begun, look.period.intensity_for(spend), scaled))


def _require_single(changes: Sequence[Change]) -> None:
    """Raises QuestionInvalid where two changes are of the same media, whichever of them would count."""
    for index, change in enumerate(changes):
        for other in changes[:index]:
            if change.channel == other.channel and (change.part is None or other.part in (None, change.part)):
                raise QuestionInvalid(
                    f"{change.channel} is changed twice in one question",
                    hint="say one change a channel, everywhere or part by part",
                )


def _percentages_of_nothing(measures: Measures, changes: Sequence[Change]) -> Iterator[Finding]:
    look = measures.look
    for asked in changes:
        cells = _rows(measures, asked), look.basis.channels.index(asked.channel)
        if asked.factor not in (None, 1.0) and not look.period.intensity[cells].any():
            name = asked.channel if asked.part is None else f"{asked.part}/{asked.channel}"
            yield nothing_to_change(look, asked.channel, name, priced=bool(look.plannable[cells].any()))


def _rows(measures: Measures, change: Change) -> list[int]:
    parts = [part.name for part in measures.look.basis.parts]
    if change.channel not in measures.look.basis.channels:
        raise ChannelUnknown(change.channel, measures.look.basis.channels)
    if change.part is None:
        return list(range(len(parts)))
    if change.part not in parts:
        raise PartUnknown(change.part, parts)
    return [parts.index(change.part)]


def _begun(look: Outlook, change: Change, rows: list[int]) -> Array:
    """Money `[row]` for media that did not run in the period, at the prices they had before, as much of them relative
    to typical weeks in every part."""
    column, total = look.basis.channels.index(change.channel), change.spend or 0.0
    price = np.where(look.plannable[rows, column], look.period.price[rows, column], 0.0)
    if not price.any():
        raise ChannelWithoutSpend(change.channel)
    media = np.zeros(look.period.intensity.shape)
    media[rows, column] = total / (price.sum() * look.period.weeks)
    times = float(look.reach(media)[rows, column][price > 0].max())
    if not times <= LARGEST_FACTOR:
        raise QuestionInvalid(
            f"{change.channel} would be {times:g} times the most media there ever were; 0 to {LARGEST_FACTOR:g} times "
            "can be asked",
            hint="name less money; beyond twice the most that was observed every answer is a guess",
        )
    return np.asarray(total * price / price.sum())


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
