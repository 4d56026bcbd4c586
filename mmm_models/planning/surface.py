"""What a period's media do, as a function of how much there is of each: the one function all planning asks.

Media of the period repeat (the period is a cycle), so its outcome includes what carries over beyond its last week and
nothing of what was there before: what keeping up the plan would bring, in a mean week times the period's weeks.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from mmm_models.planning.draws import Draws
from mmm_models.planning.level_mixture import LevelMixture

Array = NDArray[np.float64]


TINY = 1e-15
NOTICED = 1e-3


@dataclass(frozen=True, eq=False)
class Surface:
    """One pattern of weeks under one set of draws. Build it with `surface`.

    `log_carried` [draw, part, week, channel] is that of the pattern, whose mean week is one; saturation depends on
    logarithms alone, so a question only adds to them. `noise` [draw, channel] are factors.
    """

    draws: Draws
    log_levels: Float[Tensor, "part channel level"]
    weights: Float[Tensor, "part channel level"]
    log_carried: Float[Tensor, "draw part week channel"]
    level: Float[Tensor, " part"]
    noise: Float[Tensor, "draw channel"]

    @property
    def weeks(self) -> int:
        return int(self.log_carried.shape[2])

    def with_pattern(self, pattern: Float[Tensor, "part week channel"]) -> "Surface":
        """The same response to other weeks."""
        return replace(self, log_carried=log_circular_carry_over(pattern, self.draws.kernel))

    def outcome(self, intensity: Float[Tensor, "part channel"]) -> Float[Tensor, "draw part channel"]:
        """The period's contribution of each channel at this mean week's intensity, synergies shared equally."""
        if self.draws.pairs:
            return self.by_week(self.log_media(intensity)).sum(dim=2)
        # The same numbers from what was worked out before; in place, as memory is what takes time here.
        steps = self._slope[:, None, :] * _log(intensity)
        shapes = torch.sigmoid_(self._exponents + steps[..., None, None])
        return (shapes.sum(dim=-1) * self._heights).sum(dim=-1)

    def outcomes_below(
        self, intensity: Float[Tensor, "part channel"], most: Float[Tensor, "part channel"]
    ) -> tuple[Float[Tensor, "draw part channel"], Float[Tensor, "draw part channel"]]:
        """`outcome`, and what it were if carried-over media of no week were above `most`."""
        if self.draws.pairs:
            capped = torch.minimum(self.log_media(intensity), most.log()[:, None, :])
            return self.outcome(intensity), self.by_week(capped).sum(dim=2)
        with (
            torch.no_grad()
        ):  # everything in one piece of memory: a second one of its size takes longer than the sums
            steps = self._slope[:, None, :] * _log(intensity)
            shapes = torch.sigmoid_(self._exponents + steps[..., None, None])
            found = (shapes.sum(dim=-1) * self._heights).sum(dim=-1)
            at_most = most.log()[:, :, None] + self.log_levels - self.draws.log_half[:, None, :, None]
            highest = torch.sigmoid(self._slope[:, None, :, None] * at_most)[..., None]
            above = shapes.sub_(highest).relu_()
            return found, found - (above.sum(dim=-1) * self._heights).sum(dim=-1)

    def exceeds(self, intensity: Float[Tensor, "part channel"], most: Float[Tensor, "part channel"]) -> bool:
        """Whether carried-over media of any week are noticeably above `most` under any draw."""
        limit = torch.where(most > 0, most.log() + NOTICED, torch.inf)
        return bool((self._log_peak + _log(intensity) > limit).any())

    @cached_property
    def _log_peak(self) -> Float[Tensor, "draw part channel"]:
        return self.log_carried.amax(dim=2)

    @cached_property
    def _slope(self) -> Float[Tensor, "draw channel"]:
        return self.draws.log_slope.exp()

    @cached_property
    def _exponents(self) -> Float[Tensor, "draw part channel level week"]:
        """What the sigmoids of saturation see of the pattern; a question only adds to it."""
        at_levels = self.log_carried.unsqueeze(-1) + self.log_levels[:, None]
        half = self.draws.log_half[:, None, None, :, None]
        return (self._slope[:, None, None, :, None] * (at_levels - half)).permute(0, 1, 3, 4, 2).contiguous()

    @cached_property
    def _heights(self) -> Float[Tensor, "draw part channel level"]:
        """What each sigmoid contributes in a week where it is one."""
        scale = self.draws.effect * self.noise / torch.sigmoid(-self._slope * self.draws.log_half)
        return scale[:, None, :, None] * (self.weights * self.level[:, None, None])

    def log_media(self, intensity: Float[Tensor, "part channel"]) -> Float[Tensor, "draw part week channel"]:
        """Logarithm of carried-over media at this mean week's intensity."""
        return self.log_carried + _log(intensity)[:, None, :]

    def by_week(
        self, log_media: Float[Tensor, "#draw part #week channel"]
    ) -> Float[Tensor, "draw part #week channel"]:
        """Contributions of weeks whose carried-over media have this logarithm."""
        shapes = self._saturated(log_media.unsqueeze(-1) + self.log_levels[:, None])
        own = torch.einsum("sptck,pck->sptc", shapes, self.weights)
        weekly = self.draws.effect[:, None, None, :] * own
        if self.draws.pairs:
            weekly = weekly + self._synergies(self._saturated(log_media.unsqueeze(-1))[..., 0])
        return weekly * self.level[:, None, None] * self.noise[:, None, None, :]

    def _saturated(
        self, log_media: Float[Tensor, "#draw part #week channel #level"]
    ) -> Float[Tensor, "draw part #week channel #level"]:
        """`transforms.hill` of a logarithm."""
        slope = self.draws.log_slope.exp()[:, None, None, :, None]
        half = self.draws.log_half[:, None, None, :, None]
        return torch.sigmoid(slope * (log_media - half)) / torch.sigmoid(-slope * half)

    def _synergies(self, saturated: Tensor) -> Tensor:
        found = torch.zeros_like(saturated)
        for index, pair in enumerate(self.draws.pairs):
            together = saturated[..., pair[0]] * saturated[..., pair[1]]
            half = 0.5 * self.draws.synergy[:, index, None, None] * together
            found = found + torch.stack(
                [half if channel in pair else torch.zeros_like(half) for channel in range(found.shape[-1])],
                dim=-1,
            )
        return found


def surface(
    draws: Draws, mixture: LevelMixture, *, pattern: Array, level: Array, relative_noise: Array
) -> Surface:
    """From each part's pattern `[part, week, channel]` and level `[part]`; `relative_noise` [channel] is the standard
    deviation of the noise in each channel's total over that total."""
    return Surface(
        draws=draws,
        log_levels=torch.from_numpy(np.log(mixture.levels)),
        weights=torch.from_numpy(mixture.weights),
        log_carried=log_circular_carry_over(torch.from_numpy(np.ascontiguousarray(pattern)), draws.kernel),
        level=torch.from_numpy(np.ascontiguousarray(level)),
        noise=(1.0 + draws.noise * torch.from_numpy(relative_noise)).clamp_min(0.0),
    )


def circular_carry_over(
    media: Float[Tensor, "part week channel"], kernel: Float[Tensor, "draw lag channel"]
) -> Float[Tensor, "draw part week channel"]:
    """Carry-over of media that repeat every so many weeks."""
    weeks, lags = media.shape[1], kernel.shape[1]
    before = (torch.arange(weeks)[:, None] - torch.arange(lags)[None, :]) % weeks
    return torch.einsum("ptlc,slc->sptc", media[:, before], kernel)


def log_circular_carry_over(
    media: Float[Tensor, "part week channel"], kernel: Float[Tensor, "draw lag channel"]
) -> Float[Tensor, "draw part week channel"]:
    """Its logarithm, far below anything that has an effect where there are no media."""
    return _log(circular_carry_over(media, kernel))


def _log(value: Tensor) -> Tensor:
    return value.clamp_min(TINY).log()
