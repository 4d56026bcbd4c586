"""A response network in small with invented units, for tests of per-unit gradients and of their private sum."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from privacy.per_unit_gradients import PerUnitGradients

CHANNELS, LAGS = 3, 4


class ResponseNetwork(nn.Module):
    """Adstock, saturation, effect, trend in small; inputs [unit, week, channel + outcome]."""

    def __init__(self) -> None:
        super().__init__()
        self.decay = nn.Parameter(torch.tensor([-1.0, 0.0, 1.0]))
        self.half_saturation = nn.Parameter(torch.tensor([0.5, 1.0, 2.0]))
        self.effect = nn.Parameter(torch.tensor([0.3, 0.6, 0.1]))
        self.trend = nn.Parameter(torch.tensor(0.2))

    def forward(self, inputs: Tensor) -> Tensor:
        shared = {name: value.unsqueeze(0) for name, value in self.named_parameters()}
        return self.forward_per_unit(shared, inputs)

    def forward_per_unit(self, parameters: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        media, outcome = inputs[..., :CHANNELS], inputs[..., CHANNELS]
        weights = torch.sigmoid(parameters["decay"]).unsqueeze(-1) ** torch.arange(LAGS)
        windows = nn.functional.pad(media, (0, 0, LAGS - 1, 0)).unfold(1, LAGS, 1).flip(-1)
        carried = (windows * weights.unsqueeze(1)).sum(-1)
        saturated = carried / (carried + parameters["half_saturation"].exp().unsqueeze(1))
        trend = parameters["trend"].unsqueeze(1) * torch.linspace(-1, 1, inputs.shape[1])
        residual = outcome - (saturated * parameters["effect"].unsqueeze(1)).sum(-1) - trend
        return residual - residual.mean(dim=1, keepdim=True)


def mean_squares(output: Tensor, inputs: Tensor) -> Tensor:
    return output.square().mean(dim=1)


def panel(n_units: int, n_weeks: int = 20, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    values = rng.lognormal(size=(n_units, n_weeks, CHANNELS + 1)) * rng.lognormal(size=(n_units, 1, 1))
    return torch.from_numpy(values).float()


def plain_gradient(network: nn.Module, inputs: Tensor) -> Tensor:
    loss = mean_squares(network(inputs), inputs).sum()
    return torch.cat(
        [gradient.reshape(-1) for gradient in torch.autograd.grad(loss, list(network.parameters()))]
    )


def gradients_of(inputs: Tensor) -> Tensor:
    return PerUnitGradients(ResponseNetwork())(inputs, mean_squares)
