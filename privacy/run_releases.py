"""The noised sums of a run as integers: which values, how bounded, how noised. One description for both ends.

A silo makes its part of such a sum with `distributed_noise.noised_sum`, the coordinator reads the opened sum with
`read_sum`. In distributed mode the silos share the noise; in local mode each adds all of it.
"""

import math
from dataclasses import dataclass

from privacy.adaptive_clipping import CENTRED_BIT_SENSITIVITY
from privacy.distributed_noise import DistributedSum, IntegerBlock
from privacy.errors import InvalidSetting
from privacy.masks.secure_aggregation import LARGEST_ROSTER
from privacy.run_terms import PrivacyTerms, Release

MOST_UNITS = 2**24  # of all silos together; public, so that refusing a release tells nothing about the data


@dataclass(frozen=True)
class RunReleases:
    """Every noised sum that a run on these terms makes.

    Guarantee: all of them together are (epsilon, delta)-DP as the terms say.
    Unit: one whole series. Neighbours: add or remove one.
    """

    terms: PrivacyTerms

    def scales(self, quantities: int, values: int) -> DistributedSum:
        """Octave counts and the number of units: a unit adds one to at most one octave a quantity, and to one count."""
        bound = math.sqrt(quantities + 1)
        return self._sum(IntegerBlock(values, bound, self.terms.noise_multiplier(Release.SCALES)))

    def gradient(self, parameters: int, clip_norm: float) -> DistributedSum:
        """A unit's clipped gradient, and +-1/2 for whether it needed no clipping."""
        return self._sum(
            IntegerBlock(parameters, clip_norm, self.terms.gradient_noise_multiplier),
            IntegerBlock(1, CENTRED_BIT_SENSITIVITY, self.terms.clip_count_noise_multiplier),
        )

    def curvature(self, values: int, bound: float) -> DistributedSum:
        """A unit's clipped packed curvature."""
        return self._sum(IntegerBlock(values, bound, self.terms.noise_multiplier(Release.CURVATURE)))

    def draft(self, values: int, bound: float) -> DistributedSum:
        """A unit's bounded record, measured from public guesses; the report is measured from what this finds."""
        return self._sum(IntegerBlock(values, bound, self.terms.noise_multiplier(Release.DRAFT)))

    def report(self, values: int, bound: float) -> DistributedSum:
        """A unit's clipped weighted record."""
        return self._sum(IntegerBlock(values, bound, self.terms.noise_multiplier(Release.REPORT)))

    def _sum(self, *blocks: IntegerBlock) -> DistributedSum:
        made = DistributedSum(blocks, self.terms.shares)
        if made.values > self.terms.values:
            raise InvalidSetting(
                f"a release of {made.values} values exceeds the {self.terms.values} the run was charged for",
                hint="run the same version of this software everywhere",
            )
        made.require_capacity(silos=LARGEST_ROSTER, units=MOST_UNITS)
        return made
