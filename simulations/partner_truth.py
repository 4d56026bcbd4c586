"""What is true of a partner world: what the experiment did, and how many people partners share."""

from dataclasses import dataclass

import numpy as np

from simulations.partner_media import EXPERIMENT
from simulations.partner_orders import Purchases
from simulations.partner_people import People


@dataclass(frozen=True)
class OverlapTruth:
    """People in each table and in several at once, as addresses really mean them."""

    publisher: int
    retailer: int
    advertiser: int
    publisher_and_retailer: int
    publisher_and_advertiser: int
    retailer_and_advertiser: int
    all_three: int


@dataclass(frozen=True)
class PartnerTruth:
    """The experiment's true effect, as known only where both outcomes of every person were drawn.

    Both effects are means over all people of the experiment, test and control: what allowing the campaign adds for a
    person who may see it, whether or not they do (intention to treat).
    """

    campaign: str
    test_people: int
    control_people: int
    conversion_rate_without: float  # share of people who buy at least once anyway
    incremental_conversion_rate: float  # share who buy only because of the campaign
    incremental_value: float  # money per person
    overlap: OverlapTruth


def partner_truth(
    people: People, purchases: Purchases, seen: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> PartnerTruth:
    """The truth; `seen` are the people with at least one exposure."""
    anyway, more = purchases.buys_anyway[people.in_experiment], purchases.bought_more[people.in_experiment]
    return PartnerTruth(
        campaign=EXPERIMENT,
        test_people=int(people.in_test.sum()),
        control_people=int(people.in_control.sum()),
        conversion_rate_without=float(anyway.mean()),
        incremental_conversion_rate=float((more & ~anyway).mean()),
        incremental_value=float(purchases.value_of_more[people.in_experiment].mean()),
        overlap=_overlap(people, purchases, seen),
    )


def _overlap(
    people: People, purchases: Purchases, seen: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> OverlapTruth:
    publisher, retailer = np.zeros((2, people.count), dtype=np.bool_)
    publisher[seen] = True
    retailer[purchases.orders.person] = True
    advertiser = people.with_advertiser
    return OverlapTruth(
        publisher=int(publisher.sum()),
        retailer=int(retailer.sum()),
        advertiser=int(advertiser.sum()),
        publisher_and_retailer=int((publisher & retailer).sum()),
        publisher_and_advertiser=int((publisher & advertiser).sum()),
        retailer_and_advertiser=int((retailer & advertiser).sum()),
        all_three=int((publisher & retailer & advertiser).sum()),
    )
