"""How well each channel's contribution is known, before and after the data, and how much one says about another."""

import numpy as np
import torch
from numpy.typing import NDArray

from mmm_models.contribution_totals import COLUMNS, MULTIPLIERS
from mmm_models.diagnostics.posterior_summary import PosteriorSummary
from mmm_models.network import MediaResponse
from mmm_models.response_prior import judged_by_roi
from mmm_models.spec import ResponsePrior
from mmm_models.transforms import gamma_kernel
from mmm_models.unit_records import RecordLayout

Array = NDArray[np.float64]


def summarise(
    total: Array, layout: RecordLayout, response: MediaResponse, covariance: Array, *, outcome: float
) -> PosteriorSummary:
    """From summed records that hold slopes, and the covariance; contributions are in multiples of `outcome`."""
    groups, one = layout.split(total), MULTIPLIERS.index(1.0)
    contribution = groups["curves"].reshape(layout.channels, -1)[:, one]
    slopes = groups["slopes"].reshape(layout.channels, COLUMNS, layout.parameters)[:, one]
    relative = np.divide(
        slopes, contribution[:, None], out=np.zeros_like(slopes), where=contribution[:, None] > 0
    )
    log_covariance = relative @ covariance @ relative.T
    return PosteriorSummary(
        log_contribution_cov=log_covariance,
        prior_sd=_prior_sd(response.spec.prior, response.spend_per_revenue),
        posterior_sd=np.sqrt(np.maximum(np.diag(log_covariance), 0.0)),
        contribution=contribution * outcome,
        at_once=_at_once(response),
    )


def _at_once(response: MediaResponse) -> Array:
    """First lag's weight in each channel's carry-over `[channel]`."""
    own = response.parameters_by_name
    with torch.no_grad():
        kernel = gamma_kernel(own["decay_logit"], own["delay"], response.spec.max_lag_weeks)
    return np.asarray(kernel[0].double().numpy())


def _prior_sd(prior: ResponsePrior, spend_per_revenue: tuple[float, ...]) -> Array:
    """Of a log contribution at typical media, whose shape counts as one: that of the log effect."""
    by_roi = np.hypot(prior.log_roi_sd, prior.log_roi_mean_sd)
    return np.array(
        [by_roi if judged else prior.log_effect_sd for judged in judged_by_roi(spend_per_revenue)]
    )
