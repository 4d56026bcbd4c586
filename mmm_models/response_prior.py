"""What is believed of the shared response before any data: where training starts and what holds it back."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmm_models.spec import ResponsePrior

LEAST_CREDIBLE_SPEND, LARGEST_CREDIBLE_SPEND = 0.005, 0.5  # of revenue, all channels together


def starting_values(
    prior: ResponsePrior, spend_per_revenue: Sequence[float], *, reach_frequency: bool = False
) -> dict[str, list[float]]:
    """The prior's centre, per parameter and channel; a response of frequency only with `reach_frequency`."""
    channels = len(spend_per_revenue)
    effect = [
        prior.log_roi_mean + math.log(share) if judged else prior.log_effect_mean
        for share, judged in zip(spend_per_revenue, judged_by_roi(spend_per_revenue), strict=True)
    ]
    priors = _shape_priors(prior) | (_frequency_priors(prior) if reach_frequency else {})
    shapes = {name: [mean] * channels for name, (mean, _) in priors.items()}
    return {"log_effect": effect, **shapes}


def negative_log_prior(
    prior: ResponsePrior, parameters: Mapping[str, Tensor], spend_per_revenue: Sequence[float]
) -> Tensor:
    """Of one set of shared parameters, up to a constant."""
    total = _effect_penalty(prior, parameters["log_effect"], spend_per_revenue)
    for name, (mean, sd) in (_shape_priors(prior) | _frequency_priors(prior)).items():
        if name in parameters:
            total = total + 0.5 * (((parameters[name] - mean) / sd) ** 2).sum()
    if "synergy" in parameters:
        total = total + (torch.nn.functional.softplus(parameters["synergy"]) / prior.synergy_sd).sum()
    if "effect_wave" in parameters:
        total = total + 0.5 * ((parameters["effect_wave"] / prior.wave_sd) ** 2).sum()
    return total


def prior_weight(prior: ResponsePrior, units: float) -> float:
    """Weight of the prior beside the mean loss of `units` units (see `ResponsePrior`)."""
    return 1.0 / (units * coarsening(prior, units))


def coarsening(prior: ResponsePrior, units: float) -> float:
    """Power of the likelihood of `units` units beside the prior, in (0, 1] (see `ResponsePrior`)."""
    return 1.0 / (1.0 + units / prior.units_per_prior)


def judged_by_roi(spend_per_revenue: Sequence[float]) -> tuple[bool, ...]:
    """Which channels the ROI prior is for; the others are judged by their effect.

    Channels with spend, unless all spend together is so small or large a share of revenue that the two cannot
    be in the same unit of money (an outcome in orders without a revenue, spend in thousands or as an index).
    An ROI near one would then say next to nothing or nonsense about the effect, and hold it there.
    """
    credible = LEAST_CREDIBLE_SPEND <= sum(spend_per_revenue) <= LARGEST_CREDIBLE_SPEND
    return tuple(credible and share > 0 for share in spend_per_revenue)


def _effect_penalty(prior: ResponsePrior, log_effect: Tensor, spend_per_revenue: Sequence[float]) -> Tensor:
    judged = judged_by_roi(spend_per_revenue)
    by_roi = torch.tensor(judged, dtype=torch.bool)
    by_effect = log_effect[~by_roi] - prior.log_effect_mean
    total = 0.5 * ((by_effect / prior.log_effect_sd) ** 2).sum()
    if not any(judged):
        return total
    offset = torch.tensor(
        [math.log(share) for share, roi in zip(spend_per_revenue, judged, strict=True) if roi]
    )
    log_roi = log_effect[by_roi] - offset
    common = log_roi.mean()
    total = total + 0.5 * (((log_roi - common) / prior.log_roi_sd) ** 2).sum()
    return total + 0.5 * ((common - prior.log_roi_mean) / prior.log_roi_mean_sd) ** 2


def _shape_priors(prior: ResponsePrior) -> dict[str, tuple[float, float]]:
    return {
        "log_half_saturation": (prior.log_half_saturation_mean, prior.log_half_saturation_sd),
        "log_slope": (prior.log_slope_mean, prior.log_slope_sd),
        "decay_logit": (prior.decay_logit_mean, prior.decay_logit_sd),
        "delay": (prior.delay_mean, prior.delay_sd),
    }


def _frequency_priors(prior: ResponsePrior) -> dict[str, tuple[float, float]]:
    return {
        "log_half_frequency": (prior.log_half_frequency_mean, prior.log_half_frequency_sd),
        "log_slope_frequency": (prior.log_slope_frequency_mean, prior.log_slope_frequency_sd),
    }
