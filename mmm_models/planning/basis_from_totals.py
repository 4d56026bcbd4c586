"""A plan basis from released totals alone: of a run with noise, which says nothing of single weeks."""

import numpy as np

from mmm_models.planning.plan_basis import EVERYTHING, Array, Part, PlanBasis
from mmm_models.results import Results

FIRST_WEEK = np.datetime64("1970-01-05", "D")  # a Monday; the true dates are known to nobody


def basis_from_totals(results: Results, *, weeks: int, noise: Array) -> PlanBasis:
    """One part, everything, in `weeks` equal weeks of typical media.

    Only what results say is read, so it costs no privacy. `noise` [channel]: standard deviation of the noise in
    contributions, in the outcome's unit.
    """
    channels = results.channels
    contribution = np.array([channel.contribution for channel in channels], dtype=np.float64)
    spend = np.array([channel.spend for channel in channels], dtype=np.float64)
    outcome = np.full(weeks, results.outcome / weeks)
    everything = Part(
        name=EVERYTHING,
        outcome=outcome,
        level=outcome,
        spend=np.tile(spend / weeks, (weeks, 1)),
        intensity=np.ones((weeks, len(channels))),
        contribution=np.tile(contribution / weeks, (weeks, 1)),
        curves=np.array([curve.contribution for curve in results.curves], dtype=np.float64),
        revenue_per_outcome=results.revenue / results.outcome if results.outcome > 0 else 1.0,
    )
    return PlanBasis(
        channels=tuple(channel.channel for channel in channels),
        kinds=tuple(channel.kind for channel in channels),
        currency=results.currency,
        outcome_unit=results.outcome_unit,
        weeks=FIRST_WEEK + 7 * np.arange(weeks).astype("timedelta64[D]"),
        parts=(everything,),
        by_week=False,
        noise=np.asarray(noise, dtype=np.float64),
    )
