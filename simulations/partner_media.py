"""Who saw which ad when: exposures that add up to a silo's weekly spend, with an experiment in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from simulations.partner_people import People
from simulations.partner_weeks import PartnerWeeks

Codes = NDArray[np.int64]
Array = NDArray[np.float64]

CAMPAIGNS = ("spring", "brand", "clearance")
EXPERIMENT = "spring"
SECONDS_PER_WEEK = 7 * 86_400
_MEAN_COST = 0.02
COST_DECIMALS = 4
_USUAL_MIX = (0.4, 0.3, 0.3)
# What a channel's ads are for, in the order of CAMPAIGNS.
_MIX: Mapping[str, tuple[float, float, float]] = MappingProxyType(
    {
        "tv": (0.4, 0.6, 0.0),
        "outdoor": (0.0, 1.0, 0.0),
        "social": (0.5, 0.2, 0.3),
        "display": (0.5, 0.0, 0.5),
        "search": (0.1, 0.5, 0.4),
    }
)


@dataclass(frozen=True, eq=False)
class Exposures:
    """One entry per ad shown. `second` counts from the first day on."""

    person: Codes
    campaign: Codes
    channel: Codes
    second: Codes
    cost: Array

    def __len__(self) -> int:
        return len(self.person)


def draw_exposures(
    people: People, weeks: PartnerWeeks, per_person: float, rng: np.random.Generator
) -> Exposures:
    """What everybody would see if the experiment had no control group; nothing costs anything yet.

    Weeks and channels have their share of exposures exactly (to one), people as many as their activity says.
    """
    reached = np.flatnonzero(people.with_publisher)
    person = np.repeat(reached, rng.poisson(per_person * people.activity[reached]))
    slot = rng.permutation(_slots(weeks.exposures, len(person)))
    week, channel = np.divmod(slot, len(weeks.channels))
    mix = np.array([_MIX.get(name, _USUAL_MIX) for name in weeks.channels]).cumsum(axis=1)
    drawn = rng.random(len(person))
    campaign = (drawn[:, None] >= mix[channel]).sum(axis=1).clip(max=len(CAMPAIGNS) - 1)
    second = week * SECONDS_PER_WEEK + rng.integers(SECONDS_PER_WEEK, size=len(person))
    return Exposures(person, campaign, channel, second, np.zeros(len(person)))


def shown(drawn: Exposures, people: People, weeks: PartnerWeeks, rng: np.random.Generator) -> Exposures:
    """What was really shown, with its price: no ad of the experiment's campaign to its control group.

    In the order of time. The cost of each week and channel is the silo's spend there times one factor for all.
    """
    kept = np.flatnonzero(
        ~((drawn.campaign == CAMPAIGNS.index(EXPERIMENT)) & people.in_control[drawn.person])
    )
    kept = kept[np.argsort(drawn.second[kept], kind="stable")]
    person, campaign, channel, second = (
        part[kept] for part in (drawn.person, drawn.campaign, drawn.channel, drawn.second)
    )
    slot = second // SECONDS_PER_WEEK * len(weeks.channels) + channel
    price = np.exp(0.3 * rng.standard_normal(len(person)))
    per_slot = np.bincount(slot, weights=price, minlength=weeks.spend.size)
    factor = _MEAN_COST * len(person) / weeks.spend.sum()
    scale = np.divide(factor * weeks.spend.ravel(), per_slot, out=np.zeros_like(per_slot), where=per_slot > 0)
    return Exposures(person, campaign, channel, second, np.round(price * scale[slot], COST_DECIMALS))


def experiment_contacts(drawn: Exposures, count: int) -> Codes:
    """How many ads of the experiment's campaign each person would see `[person]`."""
    own = drawn.person[drawn.campaign == CAMPAIGNS.index(EXPERIMENT)]
    return np.bincount(own, minlength=count)


def _slots(exposures: Array, total: int) -> Codes:
    """`total` slots (week x channel), each as often as its share says."""
    share = exposures.ravel() / exposures.sum()
    edges = np.round(total * share.cumsum()).astype(np.int64)
    return np.repeat(np.arange(share.size), np.diff(edges, prepend=0))
