"""How sure a finished run is: from the curvature that was summed and the noise that was added; public numbers only."""

import math

import numpy as np
from numpy.typing import NDArray

from mmm_models.intervals import NoisedUncertainty
from mmm_models.network import MediaResponse
from mmm_models.posterior import laplace
from mmm_models.private_records import RecordFrame
from mmm_models.scaling import Scales
from mmm_models.steady_response import steady_log_slopes
from mmm_models.unit_records import RecordLayout
from privacy.run_terms import PrivacyTerms, Release
from server.aggregation import ModelState
from server.gauss_newton import noise_covariance
from server.run_plan import RunPlan

Array = NDArray[np.float64]


def posterior_covariance(
    plan: RunPlan, response: MediaResponse, state: ModelState, units: float
) -> Array | None:
    """Of the finished model's parameters `[parameter, parameter]`; None where no curvature was summed.

    Curvature was released already (and charged, with noise); what noise did to the gradients follows from the terms.
    """
    if not state.information.size:
        return None
    covariance = laplace(units * state.information, response, units)
    if not plan.privacy.private:
        return covariance
    privacy = plan.privacy
    counted = units * privacy.sample_rate
    deviation = privacy.gradient_noise_multiplier * state.clip_norm * _noise_shares(plan, privacy) / counted
    return covariance + noise_covariance(
        response, state.information, units, deviation=deviation, averaged=max(state.averaged, 1)
    )


def contribution_noise(plan: RunPlan, frame: RecordFrame, scales: Scales) -> Array:
    """Standard deviation of the noise in a private run's released contributions `[channel]`, in the outcome's unit."""
    deviation = (
        plan.privacy.noise_multiplier(Release.REPORT) * frame.bound * _noise_shares(plan, plan.privacy)
    )
    layout: RecordLayout = plan.model.records(private=True)
    return np.asarray(layout.split(frame.noise_of(deviation))["contribution"] * scales.outcome)


def noised_uncertainty(response: MediaResponse, covariance: Array, noise: Array) -> NoisedUncertainty:
    """Of a private run's released contributions, which carry `noise` [channel] and whose curves are the steady
    response."""
    slopes = steady_log_slopes(response)
    variance = np.einsum("kcp,pq,kcq->kc", slopes, covariance, slopes)
    return NoisedUncertainty(np.sqrt(np.maximum(variance, 0.0)), noise)


def _noise_shares(plan: RunPlan, privacy: PrivacyTerms) -> float:
    """Standard deviation of the noise in a sum over all silos, over the noise that is certain."""
    return math.sqrt(plan.silos / privacy.shares.honest)
