"""The noise of one central Gaussian release, carried by many silos as integers under secure aggregation.

Each silo turns every unit's record into integers of bounded length, adds them up and adds one share of
integer noise (`discrete_gaussian`); the masks let nobody see anything but the sum over silos modulo 2^64.
All shares have the same variance S^2, which the sampler fixes. A block of values chooses its grid step
instead, so that the noise has the right size in real units.

Why an opened sum is as private as a central Gaussian release with noise multiplier z. Let h be the honest
shares that are certainly in it, z the block's noise multiplier and s^2 = h S^2 - 1/12.

1. Length. A record, clipped to L2 norm `bound`, is divided by step = bound * z / s and cut towards zero.
   Cutting never lengthens, so its integers have norm at most s / z. Clipping aims 2^-20 below that, more than
   rounding in floating point can add back for any record of fewer than 2^31 values.
2. Noise. Per value, these lie close together in total variation (`total_variation`): h shares as drawn; h exact
   ones; one discrete Gaussian of variance h S^2; rint(N(0, s^2)).
3. Rounding commutes with adding integers, so integers + rint(N(0, s^2)) is N(integers, s^2), rounded: a Gaussian
   mechanism of multiplier exactly s / (s / z) = z, then post-processing.
4. What comes on top is independent of the honest silos' data, or post-processing: further honest shares, the
   colluding silos' vectors, the sum modulo 2^64. So wrapping around could cost accuracy, never privacy; and
   it cannot happen (`require_capacity`), because shares and records are bounded, not merely likely small.

The distance of step 2 enters epsilon and delta as `GaussianEvent.slack`; it is the only approximation.
Not covered: silos that add too little noise beyond the `colluding` ones (`events_with_honest` says what then
holds), and generators weaker than believed (AES-256, HMAC-SHA256).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from privacy.accountant import GaussianEvent, require_count, require_positive
from privacy.discrete_gaussian import (
    LARGEST_DRAW,
    TOTAL_VARIATION,
    VARIANCE,
    convolution_distance,
    distance_to_rounded_gaussian,
)
from privacy.errors import CapacityExceeded, InvalidSetting
from privacy.quantization import SIGNED_LIMIT
from privacy.secure_noise import NoiseSource

Array = NDArray[np.float64]
_ROUNDING_MARGIN = 2.0**-20
_MOST_VALUES = 2**31
_SMALLEST_STEP = float(np.finfo(np.float64).tiny)  # below it a step loses digits


@dataclass(frozen=True)
class NoiseShares:
    """Who carries the noise: the fewest silos of a sum that is opened, and how many of them may collude.

    A silo knows its own share. Units are protected from the other silos themselves, each alone, from
    `colluding` = 1 on; with 0 only from those who are not silos.
    """

    survivors: int
    colluding: int = 0

    def __post_init__(self) -> None:
        require_count("survivors", self.survivors)
        if isinstance(self.colluding, bool) or not isinstance(self.colluding, int) or self.colluding < 0:
            raise InvalidSetting(f"colluding is {self.colluding!r}", hint="give a whole number of at least 0")
        if self.colluding >= self.survivors:
            raise InvalidSetting(
                f"with {self.colluding} colluding silos of {self.survivors} survivors no honest noise is certain",
                hint="wait for more survivors, or plan for fewer colluding silos",
            )

    @property
    def honest(self) -> int:
        """h: shares that are in every opened sum and that no reader knows."""
        return self.survivors - self.colluding

    @property
    def deviation(self) -> float:
        """s: the standard deviation, in integer units, of the Gaussian that `honest` shares amount to."""
        return math.sqrt(_matched_variance(self.honest))


@dataclass(frozen=True)
class IntegerBlock:
    """Neighbouring values of a record with a bound and noise of their own.

    bound: L2 bound on one unit's values of this block. noise_multiplier: noise standard deviation / bound, of
    the noise that is certain.
    """

    values: int
    bound: float
    noise_multiplier: float

    def __post_init__(self) -> None:
        require_count("values", self.values)
        require_positive("bound", self.bound)
        require_positive("noise_multiplier", self.noise_multiplier)
        if self.values >= _MOST_VALUES:
            raise InvalidSetting(
                f"a block of {self.values} values is too long for the rounding margin",
                hint=f"release fewer than {_MOST_VALUES} values",
            )

    def longest(self, shares: NoiseShares) -> float:
        """s / z: the L2 norm, in integer units, that no record exceeds."""
        return shares.deviation / self.noise_multiplier

    def step(self, shares: NoiseShares) -> float:
        """What one integer unit is worth."""
        return self.bound / self.longest(shares)


@dataclass(frozen=True)
class DistributedSum:
    """One release: the blocks of a record side by side, summed over all units of all silos, noised by `shares`.

    Guarantee: of whatever the coordinator and up to `shares.colluding` silos see, the release satisfies what
    `event` charges.
    Unit: one record, all blocks of it. Neighbours: add or remove one; replacing one moves it twice as far.
    Source: the module docstring.
    """

    blocks: tuple[IntegerBlock, ...]
    shares: NoiseShares

    def __post_init__(self) -> None:
        if not self.blocks:
            raise InvalidSetting("a release without blocks", hint="release at least one block of values")
        for block in self.blocks:
            if block.longest(self.shares) >= SIGNED_LIMIT or block.step(self.shares) < _SMALLEST_STEP:
                raise CapacityExceeded(
                    f"noise multiplier {block.noise_multiplier:g} or bound {block.bound:g} is too small for 64 bits",
                    hint="use more noise or a larger unit of measure",
                )

    @property
    def values(self) -> int:
        """Length of a record, and of the sum."""
        return sum(block.values for block in self.blocks)

    @property
    def noise_multiplier(self) -> float:
        """Of the one Gaussian release that all blocks amount to."""
        return 1 / math.hypot(*(1 / block.noise_multiplier for block in self.blocks))

    def event(self, count: int = 1, sample_rate: float = 1.0) -> GaussianEvent:
        """What `count` such releases charge."""
        slack = count * total_variation(self.values, self.shares)
        return GaussianEvent(self.noise_multiplier, count, sample_rate, slack)

    def require_capacity(self, *, silos: int, units: int) -> None:
        """Raise CapacityExceeded unless `silos` shares and `units` records in all cannot leave 64 bits.

        units: a public bound on the number of units of all silos together, never the private number.
        """
        longest = max(math.ceil(block.longest(self.shares)) for block in self.blocks)
        if silos * LARGEST_DRAW + units * longest >= SIGNED_LIMIT:
            raise CapacityExceeded(
                f"the sum over {silos} silos and {units} units may leave 64 bits; nothing was sent",
                hint="use more noise, or agree on a smaller number of units",
            )


def noised_sum(records: Array, release: DistributedSum, noise: NoiseSource) -> NDArray[np.uint64]:
    """A silo's part: its records' integers summed, with one share of noise, in two's complement modulo 2^64.

    Alone it is *not* as private as the release: it carries one share, and must be masked.
    """
    total: NDArray[np.int64] = integer_records(records, release).sum(axis=0)
    total += noise.discrete_gaussian((release.values,))
    return total.view(np.uint64)


def integer_records(records: Array, release: DistributedSum) -> NDArray[np.int64]:
    """[unit, value] clipped, in integer units, cut towards zero; each block no longer than `longest`.

    Not noised: it must not leave the process. Records that are not finite count as zero: an error would leak.
    """
    if records.ndim != 2 or records.shape[1] != release.values:
        raise InvalidSetting(
            f"records of {records.shape[1:]} values for a release of {release.values}",
            hint="give one row per unit with the values of all blocks",
        )
    finite = np.where(np.isfinite(records).all(axis=1, keepdims=True), records, 0.0)
    parts = (_clip(finite[:, place], block, release.shares) for place, block in _places(release))
    return np.concatenate([part.astype(np.int64) for part in parts], axis=1)


def read_sum(total: NDArray[np.uint64], release: DistributedSum) -> Array:
    """The opened sum modulo 2^64 in real units: post-processing, free of charge."""
    if total.shape != (release.values,):
        raise InvalidSetting(
            f"a sum of shape {total.shape} for a release of {release.values} values",
            hint="read the sum with the release that its silos were asked for",
        )
    integers = total.astype(np.uint64, copy=False).view(np.int64).astype(np.float64)
    return np.concatenate([integers[place] * block.step(release.shares) for place, block in _places(release)])


def total_variation(values: int, shares: NoiseShares) -> float:
    """Distance of the noise of one release of so many values from the rounded Gaussian: the slack it costs."""
    require_count("values", values)
    return values * _distance_per_value(shares.honest)


def events_with_honest(
    events: Iterable[GaussianEvent], planned: NoiseShares, honest: int
) -> tuple[GaussianEvent, ...]:
    """What events planned for `planned.honest` honest shares come to when `honest` of them took part.

    Fewer: more silos colluded than planned for. More: everybody answered, or fewer colluded. Noise grows with
    the square root of the shares. Without an honest share no epsilon holds, and none is given.
    """
    require_count("honest", honest)
    noise = math.sqrt(_matched_variance(honest) / _matched_variance(planned.honest))
    slack = _distance_per_value(honest) / _distance_per_value(planned.honest)
    return tuple(
        replace(event, noise_multiplier=event.noise_multiplier * noise, slack=event.slack * slack)
        for event in events
    )


def _matched_variance(honest: int) -> float:
    return honest * VARIANCE - 1 / 12


def _distance_per_value(honest: int) -> float:
    """Step 2 of the module docstring; adding the m-th share to the others convolves with t^2 = S^2 (m - 1) / m."""
    adding = sum(convolution_distance(VARIANCE * (share - 1) / share) for share in range(2, honest + 1))
    return honest * TOTAL_VARIATION + adding + distance_to_rounded_gaussian(honest * VARIANCE)


def _places(release: DistributedSum) -> Iterable[tuple[slice, IntegerBlock]]:
    start = 0
    for block in release.blocks:
        yield slice(start, start + block.values), block
        start += block.values


def _clip(records: Array, block: IntegerBlock, shares: NoiseShares) -> Array:
    """[unit, value] in integer units, not yet whole.

    Each row is first divided by its largest value: its norm then lies between 1 and sqrt(values), where
    squares neither overflow nor vanish.
    """
    largest = np.abs(records).max(axis=1, keepdims=True)
    direction = records / np.where(largest > 0, largest, 1.0)
    norm = np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1.0)
    with np.errstate(over="ignore"):  # an infinite length is clipped like any other
        length = largest / block.step(shares)
    clipped: Array = direction * np.minimum(length, block.longest(shares) * (1 - _ROUNDING_MARGIN) / norm)
    return clipped
