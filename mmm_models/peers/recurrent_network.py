"""A recurrent network over the weeks of each unit, and how it is trained until later weeks stop improving."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mmm_models.errors import TrainingDiverged
from mmm_models.training import Progress
from mmm_models.validation.early_stopping import EarlyStopping


@dataclass(frozen=True, eq=False)
class Sequences:
    """What the network reads: `media` in typical weeks, `local` calendar and controls; learnt from where `learn`."""

    media: Float[Tensor, "unit week channel"]
    local: Float[Tensor, "unit week feature"]
    outcome: Float[Tensor, "unit week"]


@dataclass(frozen=True)
class RecurrentSettings:
    """Size of the network and how it is trained (Adam, all weeks at once)."""

    hidden: int = 8
    learning_rate: float = 0.02
    weight_decay: float = 0.003
    most_steps: int = 200
    patience: int = 25
    networks: int = 2  # that are averaged, each from its own random start


class RecurrentNetwork(nn.Module):
    """Outcome relative to level: each unit's own level, slope and linear local effects, and a GRU over media.

    The GRU (Cho et al. 2014) reads this week's media and local features and remembers earlier weeks.
    """

    def __init__(self, units: int, channels: int, features: int, hidden: int) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.zeros(units))
        self.slope = nn.Parameter(torch.zeros(units))
        self.linear = nn.Linear(features, 1, bias=False)
        self.memory = nn.GRU(channels + features, hidden, batch_first=True)
        self.head = nn.Linear(hidden, 1)

    def forward(
        self, media: Float[Tensor, "unit week channel"], local: Float[Tensor, "unit week feature"]
    ) -> Float[Tensor, "unit week"]:
        remembered, _ = self.memory(torch.cat([torch.log1p(media), local], dim=-1))
        time = torch.linspace(-0.5, 0.5, media.shape[1])
        own = 1.0 + self.level[:, None] + self.slope[:, None] * time
        level: Tensor = own + (self.linear(local) + self.head(remembered)).squeeze(-1)
        return level


def new_network(sequences: Sequences, settings: RecurrentSettings, *, seed: int) -> RecurrentNetwork:
    """An untrained network; the seed fixes its random start, and no other randomness is touched."""
    units, _, channels = sequences.media.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return RecurrentNetwork(units, channels, sequences.local.shape[-1], settings.hidden)


def best_steps(
    network: RecurrentNetwork, sequences: Sequences, settings: RecurrentSettings, learn: Tensor, judge: Tensor
) -> EarlyStopping:
    """Train on `learn` [unit, week] and watch `judge`; says after how many steps those were predicted best."""
    stopping = EarlyStopping(settings.patience)
    optimiser = _optimiser(network, settings)
    for _ in range(settings.most_steps):
        _step(network, sequences, learn, optimiser)
        with torch.no_grad():
            error = _loss(network, sequences, judge)
        if stopping.should_stop(float(error)):
            break
    return stopping


def train_network(
    network: RecurrentNetwork,
    sequences: Sequences,
    settings: RecurrentSettings,
    learn: Tensor,
    *,
    steps: int,
    progress: Progress | None = None,
) -> None:
    """Train in place for so many steps. Raises TrainingDiverged."""
    optimiser = _optimiser(network, settings)
    for step in range(1, steps + 1):
        loss = _step(network, sequences, learn, optimiser)
        if not torch.isfinite(loss):
            raise TrainingDiverged(step)
        if progress is not None:
            progress(step, float(loss))


def _optimiser(network: RecurrentNetwork, settings: RecurrentSettings) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )


def _step(
    network: RecurrentNetwork, sequences: Sequences, learn: Tensor, optimiser: torch.optim.Optimizer
) -> Tensor:
    optimiser.zero_grad()
    loss = _loss(network, sequences, learn)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return loss.detach()


def _loss(network: RecurrentNetwork, sequences: Sequences, mask: Tensor) -> Tensor:
    """Mean squared error over the unit-weeks of `mask`."""
    error: Tensor = (network(sequences.media, sequences.local) - sequences.outcome) * mask
    mean: Tensor = (error**2).sum() / mask.sum()
    return mean
