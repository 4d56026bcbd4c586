"""What one channel does at today's spend: how much, how much more could come, and when it comes."""

from dataclasses import dataclass

from mmm_models.explaining.cells import Array, Cells, asked, asked_as_fitted
from mmm_models.explaining.effect_timing import Timing, timings
from mmm_models.explaining.estimate import UNKNOWN, Estimate
from mmm_models.planning.alone import Response, gain_at, own_at
from mmm_models.planning.measures import Measures, marginal_returns
from mmm_models.planning.outlook import Outlook

MORE, LESS = 1.1, 0.9  # times today's media
TWICE = 2.0
ENDLESS = 1e9  # times today's media: where any Hill curve has reached its ceiling


@dataclass(frozen=True)
class ChannelFacts:
    """One channel in one part over the last period.

    Money: `spend` of the period, `revenue` it brings when media go on like this, `ten_more` what ten per cent more
    media would add and `ten_less` what ten per cent less would lose (positive). Returns: `roi` of all the spend,
    `marginal_roi` of one per cent of it around today's, the number of plans, NaN without spend. `share`: revenue over
    the part's whole revenue. Saturation: `of_double`: revenue now over what twice the media would bring, one half for a
    straight line, one for a flat one; `of_ceiling`: over what endless media would bring if the Hill curve went on for
    ever. `seen`: the most media there ever were, in multiples of today's, at least one.
    """

    part: str
    channel: str
    kind: str
    spend: float
    revenue: Estimate
    share: Estimate
    roi: Estimate
    marginal_roi: Estimate
    ten_more: Estimate
    ten_less: Estimate
    of_double: Estimate
    of_ceiling: Estimate
    timing: Timing
    seen: float

    @property
    def is_paid(self) -> bool:
        """Whether it cost anything in the period."""
        return self.spend > 0

    @property
    def has_effect(self) -> bool:
        """Whether the model sees any at today's media."""
        return self.revenue.value > 0


def channel_facts(measures: Measures) -> tuple[ChannelFacts, ...]:
    """Of every channel in every part, part by part."""
    look, period = measures.look, measures.look.period
    now = _revenue(look, 1.0)
    last, more, less = marginal(measures), _change(look, MORE), _change(look, LESS)
    of_double = now.over(_revenue(look, TWICE))
    of_ceiling = _as_fitted(look, 1.0).over(_as_fitted(look, ENDLESS))
    times = timings(look)

    def facts(p: int, c: int) -> ChannelFacts:
        spend = float(period.spend[p, c])
        return ChannelFacts(
            part=look.basis.parts[p].name,
            channel=look.basis.channels[c],
            kind=look.basis.kinds[c],
            spend=spend,
            revenue=now.at(p, c),
            share=now.at(p, c, per=float(period.revenue[p])),
            roi=now.at(p, c, per=spend),
            marginal_roi=last.at(p, c) if spend > 0 else UNKNOWN,
            ten_more=more.at(p, c),
            ten_less=less.at(p, c),
            of_double=of_double.at(p, c),
            of_ceiling=of_ceiling.at(p, c),
            timing=times[c],
            seen=seen(look, p, c),
        )

    parts, channels = period.spend.shape
    return tuple(facts(p, c) for p in range(parts) for c in range(channels))


def marginal(measures: Measures) -> Cells:
    """Revenue per further unit of money today, the number of plans."""
    central, drawn = marginal_returns(measures.look, measures.last)
    return Cells(central, central[None][:0] if drawn is None else drawn)


def seen(look: Outlook, part: int, channel: int) -> float:
    """The most media there ever were, in multiples of the last period's, which were seen as well; NaN without any."""
    reach = float(look.reach(look.period.intensity)[part, channel])
    return max(1.0 / reach, 1.0) if reach > 0 else float("nan")


def _revenue(look: Outlook, factor: float) -> Cells:
    """Of each channel with its own media times `factor`."""
    return asked(look, lambda response: own_at(look, response, factor) * look.worth[:, None])


def _change(look: Outlook, factor: float) -> Cells:
    """Revenue of all channels gained with more of one, or lost with less of it; positive."""
    sign = 1.0 if factor > 1.0 else -1.0
    return asked(look, lambda response: sign * gain_at(look, response, factor) * look.worth[:, None])


def _as_fitted(look: Outlook, factor: float) -> Cells:
    def question(response: Response) -> Array:
        return own_at(look, response, factor)

    return asked_as_fitted(look, question)
