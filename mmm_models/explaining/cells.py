"""One number for every part and channel, asked of the central response and of every possible one alike."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.explaining.estimate import UNKNOWN, Estimate, estimate
from mmm_models.planning.alone import Response
from mmm_models.planning.outlook import Outlook

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cells:
    """`central` [part, channel]; `drawn` [draw, part, channel], empty where the run does not know how sure it is."""

    central: Array
    drawn: Array

    def at(self, part: int, channel: int, *, per: float = 1.0) -> Estimate:
        """One of them divided by `per`; unknown where that cannot be divided by."""
        value = self.central[part, channel]
        if not per > 0 or not np.isfinite(value):
            return UNKNOWN
        return estimate(value / per, self.drawn[:, part, channel] / per)

    def over(self, other: "Cells") -> "Cells":
        """Ratios, NaN where there is nothing to divide by."""
        return Cells(_ratio(self.central, other.central), _ratio(self.drawn, other.drawn))


def asked(look: Outlook, question: Callable[[Response], Array]) -> Cells:
    """Beyond what was observed, draws differ in how curves go on."""

    def widened(intensity: Tensor) -> Tensor:
        found = look.drawn(intensity)
        return look.expected(intensity)[None][:0] if found is None else found

    with torch.no_grad():
        return Cells(question(look.expected), question(widened))


def asked_as_fitted(look: Outlook, question: Callable[[Response], Array]) -> Cells:
    """As if every curve went on for ever as the Hill curve it was fitted as."""
    with torch.no_grad():
        central = question(look.expected)
        return Cells(central, central[None][:0] if look.possible is None else question(look.possible.outcome))


def _ratio(value: Array, per: Array) -> Array:
    return np.asarray(np.divide(value, per, out=np.full(value.shape, np.nan), where=per > 0))
