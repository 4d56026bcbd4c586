"""Two readings of a single series that its data cannot tell apart, averaged (Hoeting et al. 1999).

Trusting, all that media and sales have in common is the media's; careful, what they have in common at once may be
anything's (`same_week_media.py`). Where a shock was hidden the careful reading is right, elsewhere it gives evidence
away, and nothing in one series says which it is. So both are fitted, and what is believed lies between them and is as
wide as they are apart.

Their weights are fixed. A ratio of evidences is no judge here: the careful reading is charged for how wide its term
was allowed to be, which hardly moves what it finds (Bartlett 1957). In known-truth worlds (docs/benchmarks.md, national
worlds) weights by evidence were mostly that charge, and intervals held the truth less often.
"""

from collections.abc import Sequence

import numpy as np

from mmm_models.lift_likelihood import LiftTerm
from mmm_models.network import MediaResponse
from mmm_models.posterior import Posterior, fit_posterior
from mmm_models.same_week_media import with_same_week_media
from mmm_models.training import set_vector
from mmm_models.unit_data import UnitData

CAREFUL = 0.6  # of the careful reading: three to two


def fit_readings(response: MediaResponse, data: UnitData, lifts: Sequence[LiftTerm] = ()) -> Posterior:
    """Move `response` to the mean of both readings, in place; with one reading only to its mode, as `fit_posterior`.

    `data` must come from `prepare`. Lifts are evidence in either reading. Raises `TrainingDiverged`.
    """
    trusting = fit_posterior(response, data, lifts)
    also = with_same_week_media(data, response, {term.channel for term in lifts})
    if also is data:
        return trusting
    careful = fit_posterior(response, also, lifts)
    found = averaged((trusting, careful), (1.0 - CAREFUL, CAREFUL))
    set_vector(response, found.mode)
    return found


def averaged(readings: Sequence[Posterior], weights: Sequence[float]) -> Posterior:
    """The normal distribution with mean and covariance of the mixture; weights are at least zero and sum to one."""
    mean = sum((w * each.mode for w, each in zip(weights, readings, strict=True)), np.zeros(()))
    covariance = np.zeros((mean.size, mean.size))
    for weight, each in zip(weights, readings, strict=True):
        apart = each.mode - mean
        covariance += weight * (each.covariance + np.outer(apart, apart))
    return Posterior(mean, covariance)
