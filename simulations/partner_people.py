"""The people of a partner world: whom each partner knows, and how they differ."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Codes = NDArray[np.int64]
Array = NDArray[np.float64]

SEGMENTS = ("loyal", "new", "lapsed", "prospect", "staff")
REGIONS = ("north", "south", "east", "west")
AGE_BANDS = ("18-29", "30-44", "45-59", "60-89")
STAFF = SEGMENTS.index("staff")
_SEGMENT_SHARES = (0.3, 0.2, 0.2, 0.3)
_ACTIVITY_LOG_SD = 0.7


@dataclass(frozen=True, eq=False)
class People:
    """One entry per person, in the order of their numbers."""

    activity: Array  # relative to the mean person: how many ads they see, and (less so) how much they buy
    with_publisher: Flags  # logged in there, so that exposures carry an address
    with_advertiser: Flags  # a row in the CRM
    in_test: Flags  # of those: may see the experiment's campaign
    in_control: Flags  # of those: may not; staff are in neither group
    segment: Codes
    region: Codes
    age_band: Codes

    @property
    def count(self) -> int:
        return len(self.activity)

    @property
    def in_experiment(self) -> Flags:
        """Both groups."""
        return self.in_test | self.in_control


def draw_people(count: int, staff: int, rng: np.random.Generator) -> People:
    """Who exists. Which half of the CRM is the test group is drawn at random, whatever else a person is.

    staff: people of the CRM in a segment of their own and outside the experiment, too few for any number about them
    to leave.
    """
    activity = np.exp(_ACTIVITY_LOG_SD * rng.standard_normal(count))
    with_advertiser = rng.random(count) < 0.6
    segment = rng.choice(len(_SEGMENT_SHARES), size=count, p=_SEGMENT_SHARES)
    segment[np.flatnonzero(with_advertiser)[:staff]] = STAFF
    in_experiment = with_advertiser & (segment != STAFF)
    in_test = in_experiment & (rng.random(count) < 0.5)
    return People(
        activity=activity / activity.mean(),
        with_publisher=rng.random(count) < 0.7,
        with_advertiser=with_advertiser,
        in_test=in_test,
        in_control=in_experiment & ~in_test,
        segment=segment,
        region=rng.integers(len(REGIONS), size=count),
        age_band=rng.integers(len(AGE_BANDS), size=count),
    )
