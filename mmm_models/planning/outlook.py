"""What money in the next period would do: the surfaces of one run and period, asked in money.

Every plan and every what-if answer asks this one object, so their numbers agree.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.intervals import INTERVAL_LEVEL
from mmm_models.planning.draws import DRAWS, Draws, central, posterior_draws
from mmm_models.planning.extrapolation import Extrapolation
from mmm_models.planning.level_mixture import level_mixture
from mmm_models.planning.period import Period, last_period
from mmm_models.planning.plan_basis import PlanBasis
from mmm_models.planning.surface import Surface, circular_carry_over, surface
from mmm_models.stored_model import StoredModel

Array = NDArray[np.float64]
CELLS_FULLY_DRAWN, FEWEST_DRAWS = 100, 40
MOST_EFFECT = 100.0  # of last period's media, over all that effects are relative to
ENDLESS = 1e9  # typical weeks: where any Hill curve has reached its ceiling


@dataclass(frozen=True, eq=False)
class Outlook:
    """Contributions over the period `[draw, part, channel]` in the outcome's unit, as functions of intensity.

    `worth` [part] is revenue per unit of outcome; `seen` [part, channel]: the most carried-over media there were in any
    week; where weeks hold more draws differ more. `possible` is None where the run does not know
    how sure it is.
    """

    basis: PlanBasis
    period: Period
    likely: Surface
    possible: Surface | None
    worth: Array
    seen: Array

    @property
    def plannable(self) -> NDArray[np.bool_]:
        """Cells `[part, channel]` that money can be moved into and whose response is known."""
        known = np.asarray((self.likely.weights > 0).any(dim=-1).numpy())
        return np.asarray(self.period.plannable & known)

    @property
    def is_sure_enough(self) -> bool:
        """Whether expected contributions are numbers to plan by. Where hardly anything is known of curves, a few draws
        are so steep that the mean over all is theirs alone, if it is a number at all."""
        media = torch.from_numpy(self.period.intensity)
        with torch.no_grad():
            last, endless = self.expected(media).sum(), self.expected(torch.full_like(media, ENDLESS))
        most = MOST_EFFECT * float(self.period.level.sum()) * self.period.weeks
        return bool(torch.isfinite(endless).all()) and float(last) <= most

    @property
    def interval_level(self) -> float:
        """Of all intervals; NaN where the run does not know how sure it is."""
        return float("nan") if self.possible is None else INTERVAL_LEVEL

    @property
    def last_from(self) -> str:
        """The last period's first week, "" where the run knows no dates."""
        return str(np.datetime_as_string(self.period.first_week, "D")) if self.basis.by_week else ""

    def cell_names(self, cells: Iterable[int]) -> tuple[str, ...]:
        """Of cells counted part by part, as limits name them: channels, with their part where there are several."""
        parts, channels = self.basis.parts, self.basis.channels
        found = (divmod(cell, len(channels)) for cell in cells)
        return tuple(f"{parts[p].name}/{channels[c]}" if len(parts) > 1 else channels[c] for p, c in found)

    def reach(self, intensity: Array) -> Array:
        """The most carried-over media of a period at this mean intensity over the most there ever were
        `[part, channel]`; zero where there never were any."""
        peak = self.likely.log_carried[0].amax(dim=1).exp().numpy()
        return np.asarray(intensity * peak / np.where(self.seen > 0, self.seen, np.inf))

    def expected(self, intensity: Float[Tensor, "part channel"]) -> Float[Tensor, "part channel"]:
        """Contributions, the mean over draws: what a choice among uncertain responses is best made by (von Neumann and
        Morgenstern 1944). Without draws the central response's."""
        return (self.likely if self.possible is None else self.possible).outcome(intensity).mean(dim=0)

    def drawn(self, intensity: Float[Tensor, "part channel"]) -> Float[Tensor, "draw part channel"] | None:
        """Contributions under every draw, further apart where nothing was ever observed."""
        return self.weighed(intensity)[1]

    def weighed(
        self, intensity: Float[Tensor, "part channel"]
    ) -> tuple[Float[Tensor, "part channel"], Float[Tensor, "draw part channel"] | None]:
        """`expected` and `drawn` for the price of one."""
        if self._spread is None:
            return self.expected(intensity), None
        found, wide = self._spread.widened(intensity)
        return found.mean(dim=0), wide

    @cached_property
    def _spread(self) -> Extrapolation | None:
        return None if self.possible is None else Extrapolation(self.possible, torch.from_numpy(self.seen))

    def intensity(self, spend: Array) -> Tensor:
        """What this spend `[part, channel]` buys; channels without a price stay as they were."""
        return torch.from_numpy(self.period.intensity_for(spend))

    def with_pattern(self, pattern: Array) -> "Outlook":
        """The same with other weeks `[part, week, channel]`, each averaging one."""
        weeks = torch.from_numpy(np.ascontiguousarray(pattern))
        likely = self.likely.with_pattern(weeks)
        return replace(
            self,
            period=replace(self.period, pattern=pattern),
            likely=likely,
            possible=None if self.possible is None else self.possible.with_pattern(weeks),
        )


def outlook(basis: PlanBasis, model: StoredModel, *, weeks: int | None = None) -> Outlook:
    """For the last `weeks` of the run repeated as next period. Raises QuestionInvalid."""
    period, response = last_period(basis, weeks), central(model)
    mixture, noise = level_mixture(basis, response), _relative_noise(basis)

    def under(draws: Draws) -> Surface:
        return surface(draws, mixture, pattern=period.pattern, level=period.level, relative_noise=noise)

    drawn, likely = posterior_draws(model, _draws_for(basis)), under(response)
    return Outlook(
        basis=basis,
        period=period,
        likely=likely,
        possible=None if drawn is None else under(drawn),
        worth=np.array([part.revenue_per_outcome for part in basis.parts]),
        seen=_seen(basis, likely),
    )


def _seen(basis: PlanBasis, likely: Surface) -> Array:
    """The most carried-over media there were in any week `[part, channel]`, under the central response."""
    media = torch.from_numpy(np.stack([part.intensity for part in basis.parts]))
    return np.asarray(circular_carry_over(media, likely.draws.kernel[:1])[0].amax(dim=1).numpy())


def _relative_noise(basis: PlanBasis) -> Array:
    if not basis.noise.size:
        return np.zeros(len(basis.channels))
    total = sum(part.contribution.sum(axis=0) for part in basis.parts)
    return np.asarray(np.divide(basis.noise, total, out=np.zeros(len(basis.channels)), where=total > 0))


def _draws_for(basis: PlanBasis) -> int:
    """Fewer for many parts: their totals are sums in which single draws matter less."""
    cells = len(basis.parts) * len(basis.channels)
    return max(FEWEST_DRAWS, min(DRAWS, DRAWS * CELLS_FULLY_DRAWN // cells // 2 * 2))
