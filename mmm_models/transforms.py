"""Carry-over and saturation: the two curves through which media act."""

import torch
from jaxtyping import Float
from torch import Tensor

TINY = 1e-6


def gamma_kernel(
    decay_logit: Float[Tensor, "*unit channel"],
    delay: Float[Tensor, "*unit channel"],
    lags: int,
) -> Float[Tensor, "*unit lag channel"]:
    """Lag weights proportional to (lag + 1)^softplus(delay) * sigmoid(decay_logit)^lag, summing to one.

    A discrete gamma lag distribution (Schmidt 1974): geometric where softplus(delay) is zero, humped where
    it is not.
    """
    lag = torch.arange(lags, dtype=decay_logit.dtype, device=decay_logit.device).unsqueeze(-1)
    log_decay = torch.nn.functional.logsigmoid(decay_logit).unsqueeze(-2)
    power = torch.nn.functional.softplus(delay).unsqueeze(-2)
    return torch.softmax(power * torch.log1p(lag) + log_decay * lag, dim=-2)


def carry_over(
    media: Float[Tensor, "unit week channel"],
    kernel: Float[Tensor, "*unit lag channel"],
) -> Float[Tensor, "unit week channel"]:
    """Causal convolution over weeks; media before the first week count as zero."""
    if kernel.ndim == 2:
        return torch.einsum("usc,tsc->utc", media, _toeplitz(kernel, media.shape[1]))
    lags = min(kernel.shape[1], media.shape[1])
    windows = torch.nn.functional.pad(media, (0, 0, lags - 1, 0)).unfold(1, lags, 1)
    return torch.einsum("utcl,ulc->utc", windows, kernel[:, :lags].flip(1))


def _toeplitz(kernel: Tensor, weeks: int) -> Tensor:
    """Kernel as a matrix `[to week, from week, channel]`: one product is faster than many shifted sums."""
    lag = torch.arange(weeks)[:, None] - torch.arange(weeks)[None, :]
    reached = (lag >= 0) & (lag < kernel.shape[0])
    return torch.where(reached[..., None], kernel[lag.clamp(0, kernel.shape[0] - 1)], 0.0)


def hill(
    carried: Float[Tensor, "unit week channel"],
    log_half_saturation: Float[Tensor, "*unit channel"],
    log_slope: Float[Tensor, "*unit channel"],
) -> Float[Tensor, "unit week channel"]:
    """Hill saturation scaled to one at typical media (carried = 1): zero at zero, non-decreasing."""
    half, slope = _per_week(log_half_saturation), _per_week(log_slope).exp()
    positive = carried.clamp_min(TINY)
    log_odds = slope * (positive.log() - half)
    at_one = torch.sigmoid(-slope * half)
    return torch.where(carried > TINY, torch.sigmoid(log_odds) / at_one, 0.0)


def _per_week(parameter: Tensor) -> Tensor:
    return parameter.unsqueeze(-2)
