"""What a comparison is asked for: which noise, how much of it, how often."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mmm_models.peers.registry import NEURAL, ModelUnknown, require_family
from simulations.errors import ComparisonInvalid
from simulations.federated_arms import WITHOUT_NOISE, FederatedArm, Noise, NoiseKind, noised_arm


@dataclass(frozen=True)
class ComparisonSettings:
    """What stands beside training without noise: `kinds` of noise at each of `epsilons`, trained `repeats` times.

    The first epsilon is the one whose run the report shows in full. `rounds` of every federated arm; 0: as many
    as are usual. Raises ComparisonInvalid.
    """

    epsilons: Sequence[float] = (8.0,)
    delta: float = 1e-4
    rounds: int = 0
    kinds: Sequence[NoiseKind] = (NoiseKind.LOCAL, NoiseKind.DISTRIBUTED)
    repeats: int = 1
    models: Sequence[str] = ()

    def __post_init__(self) -> None:
        for epsilon in self.epsilons:
            if not (0 < epsilon < math.inf and 0 < self.delta < 1):
                raise ComparisonInvalid(
                    f"epsilon {epsilon:g} with delta {self.delta:g} cannot be met",
                    hint="epsilon above 0, delta between 0 and 1, for example --epsilon 8 --delta 1e-4",
                )
        _require_each_once("epsilon", [f"{epsilon:g}" for epsilon in self.epsilons])
        _require_each_once("noise", [kind.value for kind in self.kinds])
        _require_each_once("model", list(self.models))
        _require_known(self.models)
        if self.kinds and not self.epsilons:
            raise ComparisonInvalid("noise needs an epsilon", hint="for example --epsilon 1 --epsilon 8")
        if self.repeats < 1:
            raise ComparisonInvalid(
                f"{self.repeats} runs of each noise", hint="one or more, for example --repeat 5"
            )

    @property
    def peers(self) -> tuple[str, ...]:
        """Families that stand beside the neural one."""
        return tuple(name for name in self.models if name != NEURAL)

    @property
    def federated_arms(self) -> tuple[FederatedArm, ...]:
        """Without noise first; then epsilon by epsilon, as they were named, every kind of noise in the same order."""
        noised = tuple(
            noised_arm(Noise(kind, epsilon, self.delta, run), repeated=self.repeats > 1)
            for epsilon in self.epsilons
            for kind in self.kinds
            for run in range(1, self.repeats + 1)
        )
        return (*WITHOUT_NOISE, *noised)


def noise_kinds(names: Sequence[str]) -> tuple[NoiseKind, ...]:
    """The kinds of noise among `names`, in the order of `NoiseKind`; "none" adds nothing to training without noise.

    Raises ComparisonInvalid.
    """
    known = ["none", *(kind.value for kind in NoiseKind)]
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ComparisonInvalid(
            f"there is no noise named {', '.join(unknown)}", hint=f"choose from {', '.join(known)}"
        )
    _require_each_once("privacy", list(names))
    return tuple(kind for kind in NoiseKind if kind in names)


def _require_known(models: Sequence[str]) -> None:
    for name in models:
        try:
            require_family(name)
        except ModelUnknown as error:
            raise ComparisonInvalid(str(error), hint=error.hint) from error


def _require_each_once(what: str, given: Sequence[str]) -> None:
    twice = sorted({value for value in given if given.count(value) > 1})
    if twice:
        raise ComparisonInvalid(f"{what} {', '.join(twice)} is named twice", hint="name each once")
