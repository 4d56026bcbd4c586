"""A randomised trial as numbers: who was treated, what they did, and what was known of them before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmm_models.experiments.lift_errors import TrialInvalid

LEAST_PEOPLE = 50


@dataclass(frozen=True, eq=False)
class Trial:
    """One entry per person; everything is finite.

    `covariates` [person, column] were known before treatment and hold no constant column; `segment` [person] names the
    group that a person's uplift is told for ("" for none). Raises `TrialInvalid` for groups of under `LEAST_PEOPLE`.
    """

    treated: NDArray[np.bool_]
    outcome: NDArray[np.float64]
    covariates: NDArray[np.float64]
    covariate_names: tuple[str, ...]
    segment: NDArray[np.object_]

    def __post_init__(self) -> None:
        treated, control = self.people
        if min(treated, control) < LEAST_PEOPLE:
            raise TrialInvalid(
                f"there are {treated} treated and {control} control people; each group needs {LEAST_PEOPLE}",
                hint="check the treatment column",
            )

    @property
    def people(self) -> tuple[int, int]:
        """Treated, and control."""
        treated = int(self.treated.sum())
        return treated, len(self.treated) - treated

    @property
    def segments(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(sorted(set(self.segment.tolist()) - {""}))
