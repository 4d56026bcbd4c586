"""Few, large steps: Newton's method on the shared vector with curvature summed over units like a gradient.

Everything is measured in whitened coordinates: a linear map turns parameters into ones in which data and prior
together know every direction equally well. There a unit's gradient has about the same length in all directions,
so one clip norm fits all, and the same noise hurts no direction more than another. In plain coordinates the
well-known directions set the clip norm and its noise drowns the others.

The map starts from a public rule (`typical_information`) and is made anew from each curvature sum. That sum is
post-processed: negative eigenvalues, which only noise makes, are cut off, and all are raised by the size that
noise gives them, as AdaSSP does for private regression (Wang 2018).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.curvature import prior_hessian, typical_information, unpack_symmetric
from mmm_models.network import MediaResponse
from mmm_models.positive_curvature import PositiveCurvature
from mmm_models.response_prior import prior_weight
from mmm_models.training import prior_gradient

Array = NDArray[np.float64]
RIDGE_SHARE = 0.5  # of the largest eigenvalue that noise alone is expected to have
# Length of a typical unit's packed curvature per square root of the number of parameters: by the public rule,
# and once whitened by an earlier sum. Seen in simulated worlds.
FIRST_LENGTH, LATER_LENGTH = 1.2, 0.7


@dataclass(frozen=True, eq=False)
class Whitening:
    """`forward` [white, parameter] maps a gradient to whitened coordinates; `inverse` maps it back."""

    forward: Array
    inverse: Array


def whitening(response: MediaResponse, information: Array, units: float) -> Whitening:
    """The map at the current parameters. `information` [parameter, parameter]: of a mean unit, or empty."""
    prior = prior_hessian(response) * prior_weight(response.spec.prior, units)
    if not information.size:
        scale = np.sqrt(typical_information(response) + np.maximum(np.diag(prior), 0.0))
        return Whitening(np.diag(1.0 / scale), np.diag(scale))
    whole = PositiveCurvature.of(information + prior)
    scale = np.sqrt(whole.values)
    return Whitening((whole.vectors / scale).T, whole.vectors * scale)


def curvature_bound(parameters: int, information: Array) -> float:
    """Public bound on the length of one unit's packed whitened curvature."""
    return (LATER_LENGTH if information.size else FIRST_LENGTH) * math.sqrt(parameters)


def learned_information(mean: Array, white: Whitening, *, deviation: float) -> Array:
    """Curvature of a mean unit `[parameter, parameter]` from a packed whitened mean.

    deviation: standard deviation of the noise on each packed number of the mean; zero without privacy.
    """
    size = white.forward.shape[0]
    values, vectors = np.linalg.eigh(unpack_symmetric(mean, size))
    # A symmetric matrix of such noise has eigenvalues up to deviation * sqrt(2 n) (Wigner's semicircle).
    ridge = RIDGE_SHARE * deviation * math.sqrt(2 * size)
    cleaned = (vectors * (np.maximum(values, 0.0) + ridge)) @ vectors.T
    return np.asarray(white.inverse @ cleaned @ white.inverse.T)


def newton_step(response: MediaResponse, gradient: Array, information: Array, units: float) -> Array:
    """Change of the parameters. `gradient`: of the mean unit's loss, in plain coordinates."""
    weight = prior_weight(response.spec.prior, units)
    prior = prior_hessian(response) * weight
    data = information if information.size else np.diag(typical_information(response))
    return PositiveCurvature.of(data + prior).newton_step(gradient + weight * prior_gradient(response))


def noise_covariance(
    response: MediaResponse, information: Array, units: float, *, deviation: float, averaged: int
) -> Array:
    """What gradient noise does to the mean of so many iterates `[parameter, parameter]`, at the current parameters.

    deviation: standard deviation of the noise on each whitened number of a mean gradient. The mean of many damped
    steps varies like that of as many whole ones, whatever the damping (Polyak and Juditsky 1992).
    """
    white = whitening(response, information, units)
    prior = prior_hessian(response) * prior_weight(response.spec.prior, units)
    step = PositiveCurvature.of(information + prior).inverse @ white.inverse
    return np.asarray(deviation**2 / averaged * step @ step.T)
