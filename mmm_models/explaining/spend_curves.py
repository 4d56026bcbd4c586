"""What a channel would bring at other spends, from nothing to twice today's."""

from dataclasses import dataclass

import numpy as np

from mmm_models.explaining.cells import Cells, asked
from mmm_models.explaining.channel_facts import ChannelFacts
from mmm_models.planning.alone import own_at
from mmm_models.planning.measures import Measures
from mmm_models.planning.outlook import Outlook

TIMES = tuple(round(0.1 * step, 1) for step in range(21))


@dataclass(frozen=True)
class SpendCurve:
    """`revenue` of a period at `times` today's media, the other channels as they are; `low` and `high` bound it,
    empty without intervals. Up to `seen` times today's there were media in the data, beyond it is extrapolated.
    `slope`: revenue gained per one times the media, today."""

    part: str
    channel: str
    times: tuple[float, ...]
    spend: tuple[float, ...]
    revenue: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    seen: float
    slope: float


def spend_curves(measures: Measures, facts: tuple[ChannelFacts, ...]) -> tuple[SpendCurve, ...]:
    """One per fact, in their order."""
    look = measures.look
    points = [_revenue(look, times) for times in TIMES]
    names = [part.name for part in look.basis.parts]
    return tuple(
        _curve(fact, points, names.index(fact.part), look.basis.channels.index(fact.channel))
        for fact in facts
    )


def _curve(fact: ChannelFacts, points: list[Cells], part: int, channel: int) -> SpendCurve:
    at = [cells.at(part, channel) for cells in points]
    bounded = np.isfinite([point.interval.low for point in at]).all()
    return SpendCurve(
        part=fact.part,
        channel=fact.channel,
        times=TIMES,
        spend=tuple(fact.spend * times for times in TIMES),
        revenue=tuple(point.value for point in at),
        low=tuple(point.interval.low for point in at) if bounded else (),
        high=tuple(point.interval.high for point in at) if bounded else (),
        seen=fact.seen,
        slope=fact.marginal_roi.value * fact.spend,
    )


def _revenue(look: Outlook, times: float) -> Cells:
    """Nothing at no media, where logarithms leave a trace."""
    if times == 0.0:
        nothing = np.zeros(look.period.spend.shape)
        return Cells(nothing, np.zeros((0 if look.possible is None else 1, *nothing.shape)))
    return asked(look, lambda response: own_at(look, response, times) * look.worth[:, None])
