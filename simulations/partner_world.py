"""A publisher, a retailer and an advertiser whose tables are about the same people, and the truth behind them.

The tables add up to the weeks of one silo of a known-truth world: what exposures cost a week and channel is
proportional to that silo's spend, what conversions are worth a week to its sales.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from simulations.partner_media import draw_exposures, shown
from simulations.partner_orders import draw_purchases
from simulations.partner_people import draw_people
from simulations.partner_tables import PartnerTables, conversions_table, crm_table, exposures_table
from simulations.partner_truth import PartnerTruth, partner_truth
from simulations.partner_weeks import PartnerWeeks, partner_weeks


class PartnerWorldSpec(BaseModel):
    """How large, and how strong the experiment's campaign.

    people: everybody any partner may know; 0.6 of them are in the CRM, 0.7 can be reached by the publisher.
    exposures_per_person: mean of those who can be reached.
    lift: chance that somebody whom the experiment's campaign reaches very often buys once more because of it.
    staff: people in a CRM segment that is too small to be reported.
    scenario: the known-truth world the weeks are taken from; `seed` is its seed too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    people: Annotated[int, Field(ge=1000, le=20_000_000)] = 20_000
    weeks: Annotated[int, Field(ge=1, le=52)] = 8
    seed: Annotated[int, Field(ge=0)] = 1
    exposures_per_person: Annotated[float, Field(gt=0, le=100)] = 6.0
    lift: Annotated[float, Field(ge=0, le=1)] = 0.12
    staff: Annotated[int, Field(ge=0, le=100)] = 30
    scenario: str = "demo"


@dataclass(frozen=True, eq=False)
class PartnerWorld:
    """Three tables, and what nobody who has only one of them knows."""

    spec: PartnerWorldSpec
    weeks: PartnerWeeks
    tables: PartnerTables
    truth: PartnerTruth


def make_partner_world(spec: PartnerWorldSpec) -> PartnerWorld:
    """Draw a world; the spec, seed included, fixes every row."""
    weeks = partner_weeks(spec.scenario, spec.weeks, seed=spec.seed)
    who, ads, buying, spelling = (
        np.random.default_rng(stream) for stream in np.random.SeedSequence([spec.seed, 3]).spawn(4)
    )
    people = draw_people(spec.people, spec.staff, who)
    drawn = draw_exposures(people, weeks, spec.exposures_per_person, ads)
    purchases = draw_purchases(people, weeks, drawn, spec.lift, buying)
    exposures = shown(drawn, people, weeks, ads)
    tables = PartnerTables(
        exposures=exposures_table(exposures, weeks, spelling),
        conversions=conversions_table(purchases.orders, weeks, spelling),
        crm=crm_table(people, spelling),
    )
    return PartnerWorld(spec, weeks, tables, partner_truth(people, purchases, exposures.person))
