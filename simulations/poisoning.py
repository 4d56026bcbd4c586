"""A silo whose client lies, and the damage it does to the shared model.

Two places to lie in: before the bound (the training is poisoned, the rest of the client is honest) and past it
(the whole client is rewritten; it only has to stay within the fixed-point range).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from numpy.typing import NDArray

from clients.settings import SILO_KEY

Array = NDArray[np.float64]
FACTOR = 100.0


class UpdateLie(StrEnum):
    """What the silo says instead of its own change."""

    SCALED = "change times 100"
    FLIPPED = "change times -100"
    PUSHED = "every effect pushed to zero"


@dataclass(frozen=True)
class LyingSilo:
    """Which silo lies, how, and whether its client's own bound is gone as well."""

    silo_file: Path
    lie: UpdateLie
    rewritten: bool = False


@dataclass(frozen=True)
class Damage:
    """What a poisoned run is worth beside the honest one.

    `moved_points`: mean change of a channel's share, in percentage points. `share_error_points`: how much farther
    from the truth, negative when the lie happened to point at it. `media`: relative change of total media, -1
    when no effect is left.
    """

    moved_points: float
    share_error_points: float
    media: float

    @classmethod
    def between(cls, honest: Array, poisoned: Array, truth: Array) -> "Damage":
        """From the shares of the outcome, all `[channel]`."""
        moved = 100.0 * np.abs(poisoned - honest).mean()
        error = 100.0 * (np.abs(poisoned - truth).mean() - np.abs(honest - truth).mean())
        return cls(float(moved), float(error), float(poisoned.sum() / honest.sum() - 1.0))


class PoisonedClient(ClientApp):
    """The honest app for every silo but one. For grids that call one silo at a time."""

    def __init__(self, honest: ClientApp, liar: LyingSilo) -> None:
        super().__init__()
        self._honest = honest
        self._liar = liar

    def __call__(self, message: Message, context: Context) -> Message:
        if context.node_config.get(SILO_KEY) != str(self._liar.silo_file.resolve()):
            return self._honest(message, context)
        with lying(self._liar):
            return self._honest(message, context)


@contextmanager
def lying(liar: LyingSilo) -> Iterator[None]:
    """The client's code as the liar changed it."""
    code: Any = import_module("clients.contributions")  # loads torch
    kept = code.train_locally, code.exact_gradient, code.UpdateBound
    code.train_locally = _poisoned_training(code.train_locally, liar.lie)
    code.exact_gradient = _poisoned_gradient(code.exact_gradient, liar.lie)
    if liar.rewritten:
        code.UpdateBound = _NoBound
    try:
        yield
    finally:
        code.train_locally, code.exact_gradient, code.UpdateBound = kept


class _NoBound:
    """Stands where the honest client has its bound."""

    @classmethod
    def of(cls, _training: Any) -> "_NoBound":
        return cls()

    def shorten(self, change: Array) -> Array:
        return change

    def share(self, _units: float) -> float:
        return 1.0


def _poisoned_training(train: Callable[..., Any], lie: UpdateLie) -> Callable[..., Any]:
    """Where silos take steps and send their change."""

    def train_and_lie(response: Any, *rest: Any, **named: Any) -> Any:
        update = train(response, *rest, **named)
        return replace(update, change=_lie(update.change, _push(response), lie))

    return train_and_lie


def _poisoned_gradient(exact: Callable[..., Any], lie: UpdateLie) -> Callable[..., Any]:
    """Where silos send gradient sums in the coordinator's coordinates; against the gradient goes the step."""

    def sum_and_lie(response: Any, data: Any, forward: Array, bound: Any, *rest: Any) -> Any:
        found = exact(response, data, forward, _NoBound(), *rest)
        mean = _lie(found.gradient / data.units, -forward @ _push(response), lie)
        return replace(found, gradient=bound.share(data.units) * data.units * bound.shorten(mean))

    return sum_and_lie


def _lie(own: Array, push: Array, lie: UpdateLie) -> Array:
    return {UpdateLie.SCALED: FACTOR * own, UpdateLie.FLIPPED: -FACTOR * own, UpdateLie.PUSHED: push}[lie]


def _push(response: Any) -> Array:
    """A long step that lowers every channel's effect and nothing else."""
    effects = [
        name == "log_effect" for name, value in response.named_parameters() for _ in range(value.numel())
    ]
    return np.where(effects, -FACTOR, 0.0)
