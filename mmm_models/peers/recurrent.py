"""A recurrent network as a model of media: what it would predict without a channel is what the channel did.

Contributions are Shapley values over channels that are switched off for all weeks, carry-over included. Nothing
keeps the network from crediting a channel with less than nothing or from curves that fall; a total below zero is
shown as zero, with a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from mmm_models.features.seasonality import fourier_waves
from mmm_models.panel import Panel
from mmm_models.peers.peer_data import PeerData, prepare_peer
from mmm_models.peers.peer_results import FittedPeer, PeerPrediction, peer_results
from mmm_models.peers.recurrent_network import (
    RecurrentNetwork,
    RecurrentSettings,
    Sequences,
    best_steps,
    new_network,
    train_network,
)
from mmm_models.peers.shapley import MOST_EXACT, ShapleyValues, shapley_values
from mmm_models.peers.tree_features import standardised_controls
from mmm_models.results import Finding
from mmm_models.training import Progress
from mmm_models.validation.splits import inner_validation

Array = NDArray[np.float64]
SEASON_PAIRS = 2


@dataclass(frozen=True)
class Recurrent:
    """A `ModelFamily`. Each network is trained twice: with the last training weeks held back, to learn how many
    steps are enough, and on all of them for as many."""

    settings: RecurrentSettings = field(default_factory=RecurrentSettings)

    def fit(self, panel: Panel, *, holdout_weeks: int, progress: Progress | None = None) -> FittedPeer:
        """Train on all but the last `holdout_weeks`. Raises NothingToLearnFrom, HistoryTooShort, TrainingDiverged."""
        data = prepare_peer(panel, holdout_weeks=holdout_weeks)
        with _one_thread():
            return self._fit(data, progress)

    def _fit(self, data: PeerData, progress: Progress | None) -> FittedPeer:
        sequences = _sequences(data)
        split = inner_validation(data.train)
        networks, steps = [], []
        for seed in range(self.settings.networks):
            scout = new_network(sequences, self.settings, seed=seed)
            enough = best_steps(scout, sequences, self.settings, _mask(split.learn), _mask(split.judge))
            steps.append(max(enough.best_step, 1))
            network = new_network(sequences, self.settings, seed=seed)
            told = progress if seed == 0 else None
            train_network(
                network, sequences, self.settings, _mask(data.train), steps=steps[-1], progress=told
            )
            networks.append(network)
        effects = NetworkEffects(networks, sequences, data.panel.observed * data.level[:, None])
        findings = _sampled(effects.shapley, data)
        results, contribution = peer_results(
            "recurrent", data, PeerPrediction(effects.predicted, effects, findings=findings)
        )
        weights = [torch.nn.utils.parameters_to_vector(n.parameters()).detach().numpy() for n in networks]
        parameters = {"networks": np.stack(weights).astype(np.float64), "media scale": data.media_scale}
        return FittedPeer(results, {"steps": steps}, parameters, contribution)


@dataclass(frozen=True, eq=False)
class NetworkEffects:
    """`MediaEffects` of several networks' mean."""

    networks: Sequence[RecurrentNetwork]
    sequences: Sequences
    weight: Array  # [unit, week], what cells count in a channel's total

    @cached_property
    def predicted(self) -> Array:
        """Outcome with media as they were `[unit, week]`."""
        return self._predict(self.sequences.media)

    @cached_property
    def shapley(self) -> ShapleyValues:
        """Every channel's share of what the networks would miss without media."""
        channels = self.sequences.media.shape[-1]
        return shapley_values(
            lambda on: self._predict(self.sequences.media * torch.as_tensor(on)), channels, weight=self.weight
        )

    @property
    def contributions(self) -> Array:
        """See `MediaEffects`."""
        return self.shapley.values

    def change(self, channel: int, multiplier: float) -> Array:
        """See `MediaEffects`."""
        factors = torch.ones(self.sequences.media.shape[-1])
        factors[channel] = multiplier
        return self._predict(self.sequences.media * factors) - self.predicted

    def _predict(self, media: torch.Tensor) -> Array:
        with torch.no_grad():
            found = [network(media, self.sequences.local) for network in self.networks]
        return np.asarray(torch.stack(found).mean(dim=0).double().numpy())


@contextmanager
def _one_thread() -> Iterator[None]:
    """Steps from week to week are too small to share: a second thread only waits, and takes a core for that."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _sequences(data: PeerData) -> Sequences:
    waves = fourier_waves(data.panel.weeks, SEASON_PAIRS)
    units, weeks = data.outcome.shape
    local = [np.broadcast_to(waves, (units, weeks, waves.shape[1])), standardised_controls(data)]
    return Sequences(
        media=torch.as_tensor(data.media, dtype=torch.float32),
        local=torch.as_tensor(np.concatenate(local, axis=-1), dtype=torch.float32),
        outcome=torch.as_tensor(data.outcome, dtype=torch.float32),
    )


def _mask(mask: NDArray[np.bool_]) -> torch.Tensor:
    return torch.as_tensor(mask, dtype=torch.float32)


def _sampled(shapley: ShapleyValues, data: PeerData) -> tuple[Finding, ...]:
    """How far sampled Shapley values may be off."""
    channels = data.panel.channel_names
    if len(channels) <= MOST_EXACT:
        return ()
    share = float(shapley.standard_error.max()) / float(data.panel.outcome.sum())
    return (
        Finding(
            code="sampled-shapley",
            severity="note",
            channels=channels,
            text=f"Channels were credited by sampled orders, of {len(channels)} channels too many for all; "
            f"the standard error of a share is {share:.2%} at most.",
            advice="Read shares no more finely than that.",
        ),
    )
