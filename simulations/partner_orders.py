"""Who bought what when: with the ads, and what everybody would have bought without the experiment's campaign."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulations.partner_media import CAMPAIGNS, EXPERIMENT, SECONDS_PER_WEEK, Exposures, experiment_contacts
from simulations.partner_people import People
from simulations.partner_weeks import PartnerWeeks

Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]
Array = NDArray[np.float64]

_VALUE_LOG_MEAN, _VALUE_LOG_SD = 3.6, 0.6
_CONTACTS_TO_REACH = 2.0
_MEAN_DELAY_SECONDS = 1.5 * 86_400


@dataclass(frozen=True, eq=False)
class Orders:
    """One entry per order. `second` counts from the first day on."""

    person: Codes
    second: Codes
    value: Array

    def __len__(self) -> int:
        return len(self.person)


@dataclass(frozen=True, eq=False)
class Purchases:
    """What was bought, and of every person what the campaign would add to that if it reached them."""

    orders: Orders
    buys_anyway: Flags  # [person]
    bought_more: Flags  # [person] one further order, because of the campaign
    value_of_more: Array  # [person] what it is worth; 0 without one


def draw_purchases(
    people: People, weeks: PartnerWeeks, drawn: Exposures, lift: float, rng: np.random.Generator
) -> Purchases:
    """Orders that do not depend on the campaign, and the ones that do.

    lift: chance that somebody whom the campaign reaches very often buys once more because of it; after n contacts
    it is lift * (1 - exp(-n / 2)). Active people see more ads and buy more anyway, so that comparing the exposed with
    the others, as they come, shows too much.
    """
    contacts = experiment_contacts(drawn, people.count)
    more = rng.random(people.count) < lift * -np.expm1(-contacts / _CONTACTS_TO_REACH)
    worth = np.round(_values(people.count, rng), 2) * more
    caused = _caused(np.flatnonzero(more & ~people.in_control), drawn, weeks, worth, rng)
    base = _base(people, weeks, caused, rng)
    orders = Orders(*(np.concatenate([getattr(base, name), getattr(caused, name)]) for name in vars(base)))
    shuffled = rng.permutation(len(orders))
    return Purchases(
        orders=Orders(orders.person[shuffled], orders.second[shuffled], orders.value[shuffled]),
        buys_anyway=np.bincount(base.person, minlength=people.count) > 0,
        bought_more=more,
        value_of_more=worth,
    )


def _caused(
    buyers: Codes, drawn: Exposures, weeks: PartnerWeeks, worth: Array, rng: np.random.Generator
) -> Orders:
    """One order of each buyer, a few days after one of the campaign's ads."""
    own = np.flatnonzero(drawn.campaign == CAMPAIGNS.index(EXPERIMENT))
    own = own[rng.permutation(len(own))]
    seen = np.full(len(worth), -1)
    seen[drawn.person[own]] = drawn.second[own]
    delay = rng.exponential(_MEAN_DELAY_SECONDS, size=len(buyers)).astype(np.int64)
    second = np.minimum(seen[buyers] + delay, weeks.count * SECONDS_PER_WEEK - 1)
    return Orders(buyers, second, worth[buyers])


def _base(people: People, weeks: PartnerWeeks, caused: Orders, rng: np.random.Generator) -> Orders:
    """Orders anyway; valued so that every week's total, with the caused ones, is its sales times one factor."""
    rate = np.sqrt(people.activity)
    person = np.repeat(np.arange(people.count), rng.poisson(0.15 * rate / rate.mean()))
    week = rng.choice(weeks.count, size=len(person), p=weeks.sales / weeks.sales.sum())
    second = week * SECONDS_PER_WEEK + rng.integers(SECONDS_PER_WEEK, size=len(person))
    value = _values(len(person), rng)
    drawn = np.bincount(week, weights=value, minlength=weeks.count)
    more = np.bincount(caused.second // SECONDS_PER_WEEK, weights=caused.value, minlength=weeks.count)
    factor = (drawn.sum() + more.sum()) / weeks.sales.sum()
    scale = (factor * weeks.sales - more) / drawn
    return Orders(person, second, np.round(value * scale[week], 2))


def _values(count: int, rng: np.random.Generator) -> Array:
    return np.exp(_VALUE_LOG_MEAN + _VALUE_LOG_SD * rng.standard_normal(count))
