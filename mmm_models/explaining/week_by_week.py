"""Each week's outcome taken apart: what every channel added, and the rest."""

from dataclasses import dataclass

import numpy as np

from mmm_models.planning.plan_basis import PlanBasis


@dataclass(frozen=True)
class WeekParts:
    """One week in the outcome's unit; `contributions` in the order of channels. They and the baseline add up."""

    first_day: str
    outcome: float
    baseline: float
    contributions: tuple[float, ...]


def week_by_week(basis: PlanBasis) -> tuple[WeekParts, ...]:
    """Over all parts together; nothing where the run released no weeks."""
    if not basis.by_week:
        return ()
    outcome = sum(part.outcome for part in basis.parts)
    contribution = sum(part.contribution for part in basis.parts)
    return tuple(
        WeekParts(
            first_day=str(np.datetime_as_string(day, "D")),
            outcome=float(sold),
            baseline=float(sold - added.sum()),
            contributions=tuple(map(float, added)),
        )
        for day, sold, added in zip(basis.weeks, np.asarray(outcome), np.asarray(contribution), strict=True)
    )
