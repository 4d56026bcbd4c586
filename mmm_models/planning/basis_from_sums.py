"""A plan basis from sums over units: of a federated run's report, or of a part of a panel."""

from dataclasses import dataclass, replace

import numpy as np

from mmm_models.attribution import Naming
from mmm_models.contribution_totals import MULTIPLIERS
from mmm_models.planning.plan_basis import EVERYTHING, Array, Part, PlanBasis
from mmm_models.planning.planning_errors import PlanningError
from mmm_models.scaling import Scales
from mmm_models.unit_records import RecordLayout
from mmm_models.weekly_totals import WeeklyTotals, weekly_columns, weekly_totals_from


@dataclass(frozen=True, eq=False)
class PartSums:
    """What the units of one part add up to: their weeks with `curves` [channel, multiplier] over them, and over all
    weeks `outcome` in multiples of `Scales.outcome`, `revenue` of `Scales.money`."""

    weekly: WeeklyTotals
    curves: Array
    outcome: float
    revenue: float


def basis_from_sum(total: Array, *, layout: RecordLayout, naming: Naming, scales: Scales) -> PlanBasis:
    """One part, everything, from the summed records of all units. Weeks of the calendar before the first and after
    the last that was observed are left out. Raises PlanningError for a layout or a sum without weeks."""
    if layout.calendar is None:
        raise PlanningError("these sums say nothing of single weeks", hint="sum with a calendar")
    groups, calendar = layout.split(total), layout.calendar
    weekly = weekly_totals_from(groups["weekly"].reshape(calendar.weeks, weekly_columns(layout.channels)))
    curves = groups["curves"].reshape(layout.channels, len(MULTIPLIERS))
    sums = PartSums(
        weekly,
        curves * _kept_share(weekly.contribution.sum(axis=0), curves)[:, None],
        float(groups["outcome"][0]),
        float(groups["revenue"][0]),
    )
    return observed_weeks(
        PlanBasis(
            channels=tuple(channel.name for channel in naming.channels),
            kinds=tuple(channel.kind.value for channel in naming.channels),
            currency=naming.currency,
            outcome_unit=naming.outcome_unit,
            weeks=calendar.first_days,
            parts=(part_from(EVERYTHING, sums, scales),),
            noise=np.zeros(layout.channels),
        )
    )


def _kept_share(kept: Array, curves: Array) -> Array:
    """Of each channel's contribution over all weeks, what those of the calendar hold: curves are summed over all."""
    whole = curves[:, MULTIPLIERS.index(1.0)]
    return np.divide(kept, whole, out=np.zeros_like(whole), where=whole > 0)


def part_from(name: str, sums: PartSums, scales: Scales) -> Part:
    """In the units of the outcome and of money."""
    weekly, level = sums.weekly, sums.weekly.level
    intensity = np.divide(
        weekly.intensity, level[:, None], out=np.zeros_like(weekly.intensity), where=level[:, None] > 0
    )
    price = sums.revenue * scales.money / (sums.outcome * scales.outcome) if sums.outcome > 0 else 1.0
    return Part(
        name=name,
        outcome=weekly.outcome * scales.outcome,
        level=level * scales.outcome,
        spend=weekly.spend * scales.money,
        intensity=intensity,
        contribution=weekly.contribution * scales.outcome,
        curves=sums.curves * scales.outcome,
        revenue_per_outcome=price,
    )


def observed_weeks(basis: PlanBasis) -> PlanBasis:
    """Without the weeks before the first and after the last in which any part was observed. Raises PlanningError when
    there is none."""
    seen = np.flatnonzero(sum(part.level for part in basis.parts))
    if not seen.size:
        raise PlanningError("no week of the calendar was observed", hint="check the dates in the silos' data")
    kept = slice(int(seen[0]), int(seen[-1]) + 1)
    parts = tuple(
        replace(
            part,
            outcome=part.outcome[kept],
            level=part.level[kept],
            spend=part.spend[kept],
            intensity=part.intensity[kept],
            contribution=part.contribution[kept],
        )
        for part in basis.parts
    )
    return replace(basis, weeks=basis.weeks[kept], parts=parts)
