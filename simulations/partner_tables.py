"""Three partners' tables as they stand in their own systems, before anything is hashed."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simulations.partner_emails import UNUSABLE, spelt_addresses
from simulations.partner_media import CAMPAIGNS, Exposures
from simulations.partner_orders import Orders
from simulations.partner_people import AGE_BANDS, REGIONS, SEGMENTS, People
from simulations.partner_weeks import PartnerWeeks

Codes = NDArray[np.int64]

CELLS = ("none", "test", "control")
_UNUSABLE_SHARE = 0.004


@dataclass(frozen=True, eq=False)
class PartnerTables:
    """The publisher's `exposures`, the retailer's `conversions`, the advertiser's `crm`; each has a column email."""

    exposures: pa.Table
    conversions: pa.Table
    crm: pa.Table


def exposures_table(exposures: Exposures, weeks: PartnerWeeks, rng: np.random.Generator) -> pa.Table:
    """email, campaign, channel, ts, cost."""
    columns = {
        "email": spelt_addresses(exposures.person, rng),
        "campaign": _named(CAMPAIGNS, exposures.campaign),
        "channel": _named(weeks.channels, exposures.channel),
        "ts": _times(weeks, exposures.second),
        "cost": pa.array(exposures.cost),
    }
    return _with_unusable_rows(pa.table(columns), rng)


def conversions_table(orders: Orders, weeks: PartnerWeeks, rng: np.random.Generator) -> pa.Table:
    """email, order_id, ts, value."""
    number = pc.utf8_lpad(pc.cast(pa.array(np.arange(1, len(orders) + 1)), pa.string()), 8, "0")
    columns = {
        "email": spelt_addresses(orders.person, rng),
        "order_id": pc.binary_join_element_wise("o", number, "-"),
        "ts": _times(weeks, orders.second),
        "value": pa.array(orders.value),
    }
    return _with_unusable_rows(pa.table(columns), rng)


def crm_table(people: People, rng: np.random.Generator) -> pa.Table:
    """email, segment, region, age_band, cell; one row a person."""
    here = rng.permutation(np.flatnonzero(people.with_advertiser))
    columns = {
        "email": spelt_addresses(here, rng),
        "segment": _named(SEGMENTS, people.segment[here]),
        "region": _named(REGIONS, people.region[here]),
        "age_band": _named(AGE_BANDS, people.age_band[here]),
        "cell": _named(CELLS, (people.in_test + 2 * people.in_control)[here].astype(np.int64)),
    }
    return _with_unusable_rows(pa.table(columns), rng)


def _with_unusable_rows(table: pa.Table, rng: np.random.Generator) -> pa.Table:
    """The rows, and at the end some that repeat others but have no address that could be one."""
    count = max(1, round(_UNUSABLE_SHARE * table.num_rows))
    copied = table.take(pa.array(rng.integers(table.num_rows, size=count)))
    addresses = pc.take(pa.array(UNUSABLE), pa.array(rng.integers(len(UNUSABLE), size=count)))
    unusable = copied.set_column(0, "email", addresses)
    return pa.concat_tables([table, unusable]).combine_chunks()


def _named(names: tuple[str, ...], codes: Codes) -> pa.Array:
    return pc.take(pa.array(names), pa.array(codes))


def _times(weeks: PartnerWeeks, second: Codes) -> pa.Array:
    return pa.array(weeks.start.astype("datetime64[s]") + second.astype("timedelta64[s]"))
