"""The period before the last one, with the same response."""

from dataclasses import replace

import numpy as np
import torch

from mmm_models.planning.outlook import Outlook
from mmm_models.planning.period import Period, last_period
from mmm_models.planning.plan_basis import Part, PlanBasis
from mmm_models.planning.surface import Surface


def look_before(look: Outlook) -> Outlook:
    """As if the calendar ended where the last period begins. Raises QuestionInvalid when it does not hold another."""
    basis = _without_last(look.basis, look.period.weeks)
    period = last_period(basis, look.period.weeks)
    possible = None if look.possible is None else _in(look.possible, period)
    return replace(look, basis=basis, period=period, likely=_in(look.likely, period), possible=possible)


def _without_last(basis: PlanBasis, weeks: int) -> PlanBasis:
    return replace(basis, weeks=basis.weeks[:-weeks], parts=tuple(_cut(part, weeks) for part in basis.parts))


def _cut(part: Part, weeks: int) -> Part:
    return replace(
        part,
        outcome=part.outcome[:-weeks],
        level=part.level[:-weeks],
        spend=part.spend[:-weeks],
        intensity=part.intensity[:-weeks],
        contribution=part.contribution[:-weeks],
    )


def _in(made: Surface, period: Period) -> Surface:
    """The same response to another period's weeks."""
    moved = made.with_pattern(torch.from_numpy(np.ascontiguousarray(period.pattern)))
    return replace(moved, level=torch.from_numpy(np.ascontiguousarray(period.level)))
