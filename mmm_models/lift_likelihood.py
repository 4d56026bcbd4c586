"""What the model says an experiment should have seen, and how likely that makes what it saw."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.experiments.lift import LiftTest
from mmm_models.experiments.placed_lift import PlacedLift
from mmm_models.network import MediaResponse
from mmm_models.unit_data import UnitData

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LiftTerm:
    """One experiment's part of the posterior: normal around the predicted lift with standard deviation `sd`.

    `more` and `less` [unit, week, channel] are the media with more and with less of the channel, up to the last
    week; `level` [unit] and `weeks` [week] (0/1) say what is summed. `sd` is the experiment's own standard error and,
    where only some units were in it, what their own deviations may add (see `PoolingSpec`).
    """

    lift: LiftTest
    channel: int
    sd: float
    more: Float[Tensor, "unit week column"]
    less: Float[Tensor, "unit week column"]
    level: Float[Tensor, " unit"]
    weeks: Float[Tensor, " week"]

    def predicted(self, response: MediaResponse) -> Tensor:
        """The lift under the response's current parameters, in outcome units; a scalar that carries gradients."""
        own = response.parameters_by_name
        dtype = own["log_effect"].dtype
        gain = response.effects(own, self.more.to(dtype)) - response.effects(own, self.less.to(dtype))
        return torch.einsum("utc,u,t->", gain, self.level.to(dtype), self.weeks.to(dtype))

    def loss(self, response: MediaResponse) -> Tensor:
        """Negative log likelihood of the measured lift, up to a constant."""
        return 0.5 * ((self.predicted(response) - self.lift.lift) / self.sd) ** 2

    def slope(self, response: MediaResponse) -> Array:
        """Derivative of the prediction by the parameters, order as in `get_vector`."""
        parts = torch.autograd.grad(self.predicted(response), list(response.parameters()))
        return np.asarray(torch.cat([part.reshape(-1) for part in parts]).double().numpy())

    def information(self, response: MediaResponse) -> Array:
        """Gauss-Newton matrix `[parameter, parameter]` of `loss`."""
        slope = self.slope(response) / self.sd
        return np.asarray(np.outer(slope, slope))


def predicted_lift(term: LiftTerm, response: MediaResponse, covariance: Array) -> tuple[float, float]:
    """Mean and standard deviation of what the model expects the experiment to measure, its own error apart."""
    slope = term.slope(response)
    own = math.sqrt(max(float(slope @ covariance @ slope), 0.0))
    units_apart = math.sqrt(max(term.sd**2 - term.lift.standard_error**2, 0.0))
    return float(term.predicted(response).detach()), math.hypot(own, units_apart)


def lift_term(
    placed: PlacedLift, data: UnitData, response: MediaResponse, *, units_of_all: float | None = None
) -> LiftTerm:
    """The experiment in scaled media. Weeks after its last one cannot matter: carry-over looks back only.

    `units_of_all`: number of units that share the response; those of `data` without.
    """
    lift, tested = placed.lift, torch.from_numpy(placed.units)
    stop = int(placed.weeks.nonzero()[0].max()) + 1
    weeks = torch.from_numpy(placed.weeks[:stop]).to(data.media.dtype)
    as_it_was = data.media[tested, :stop]
    factor = torch.ones_like(as_it_was)
    factor[..., response.own_columns(placed.channel)] += lift.change * weeks[:, None]
    changed = as_it_was * factor
    more, less = (as_it_was, changed) if lift.change < 0 else (changed, as_it_was)
    units, of_all = int(placed.units.sum()), units_of_all or data.units
    few = math.sqrt(max(1.0 / units - 1.0 / of_all, 0.0))
    spread = response.spec.pooling.unit_effect_sd * abs(lift.lift) * few
    sd = math.hypot(lift.standard_error, spread)
    return LiftTerm(lift, placed.channel, sd, more, less, data.level[tested], weeks)
