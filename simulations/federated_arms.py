"""The federated ways of training that are set side by side, and the settings of each."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from privacy.run_terms import PrivacyMode, SecureAggregation
from server.settings import RunSettings, Strategy
from simulations.scenario import Scenario


class NoiseKind(StrEnum):
    """Who adds noise: a curator trusted with all data, each silo for itself, or all silos together."""

    CENTRAL = "central"
    LOCAL = "local"
    DISTRIBUTED = "distributed"


@dataclass(frozen=True)
class Noise:
    """Who adds how much of it. It is random: the same noise in another `run` gives another model."""

    kind: NoiseKind
    epsilon: float
    delta: float
    run: int = 1

    @property
    def mode(self) -> PrivacyMode:
        """The mode of training: a curator's noise is that of a single silo, which is local."""
        shared = self.kind is NoiseKind.DISTRIBUTED
        return PrivacyMode.DISTRIBUTED if shared else PrivacyMode.LOCAL


@dataclass(frozen=True, kw_only=True)
class FederatedArm:
    """One federated way of training: its name for readers, its folder, and what sets it apart."""

    name: str
    folder: str
    masks: bool = True
    strategy: Strategy = Strategy.AUTO
    noise: Noise | None = None

    def settings(self, directory: Path, scenario: Scenario, *, rounds: int = 0) -> RunSettings:
        """This arm's run in `directory`; zero rounds: as many as are usual."""
        noise = self.noise
        return RunSettings(
            out=str(directory),
            seed=scenario.seed,
            holdout_weeks=scenario.holdout_weeks,
            weeks=scenario.weeks,
            rounds=rounds,
            strategy=self.strategy,
            secure_aggregation=SecureAggregation.MASKS if self.masks else SecureAggregation.NONE,
            privacy=noise.mode if noise else PrivacyMode.NONE,
            epsilon=noise.epsilon if noise else 0.0,
            delta=noise.delta if noise else 0.0,
        )


# Many small steps, the same in secret, then few large ones with units' own deviations. Noise is compared with the last.
WITHOUT_NOISE = (
    FederatedArm(name="federated", folder="federated", masks=False, strategy=Strategy.FEDADAM),
    FederatedArm(name="+ secure aggregation", folder="federated-secure", strategy=Strategy.FEDADAM),
    FederatedArm(name="+ Newton's method", folder="federated-secure-newton", strategy=Strategy.NEWTON),
)


def noised_arm(noise: Noise, *, repeated: bool = False) -> FederatedArm:
    """Newton's method in secure sums; a curator has one silo, which holds everything and needs no masks."""
    folder = f"{noise.kind}-epsilon-{noise.epsilon:g}"
    return FederatedArm(
        name=f"+ {noise.kind} noise, ε {noise.epsilon:g}",
        folder=f"{folder}-run-{noise.run}" if repeated else folder,
        masks=noise.kind is not NoiseKind.CENTRAL,
        strategy=Strategy.NEWTON,
        noise=noise,
    )
