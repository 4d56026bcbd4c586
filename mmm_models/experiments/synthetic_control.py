"""The treated units against the mix of control units that followed them before: synthetic control.

Weights by pysyncon [Abadie, Diamond and Hainmueller 2010]. The standard error is that of placebos: as many control
units as were treated, drawn anew each time, are treated in name only [Arkhangelsky et al. 2021, "Synthetic
Difference-in-Differences", algorithm 4].
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from mmm_models.experiments.geo_design import GeoSeries
from mmm_models.experiments.geo_effect import GeoEffect
from mmm_models.experiments.lift_errors import PreFitPoor, TooFewUnits

LEAST_DONORS = 3
MOST_PLACEBOS = 100
MOST_ERROR_RATIO = 3.0  # of the treated units' error before the experiment to that of a usual placebo
_SEED = 1


@dataclass(frozen=True)
class _Gaps:
    """What units did beyond their mix of donors: root mean square before, mean during; in units of their level."""

    error_before: float
    during: float


def synthetic_control(series: GeoSeries) -> GeoEffect:
    """The effect on the treated. Raises `TooFewUnits` and `PreFitPoor`."""
    treated, controls = np.flatnonzero(series.treated), np.flatnonzero(~series.treated)
    if len(controls) < len(treated) + LEAST_DONORS:
        raise TooFewUnits(
            f"{len(treated)} treated and {len(controls)} control units are too few for synthetic control: placebos "
            f"need {LEAST_DONORS} control units more than were treated",
            hint="add control units, or treat fewer",
        )
    gaps = _gaps(series, treated, controls)
    placebos = [
        _gaps(series, chosen, np.setdiff1d(controls, chosen)) for chosen in _placebos(controls, len(treated))
    ]
    usual = float(np.median([gap.error_before for gap in placebos]))
    if gaps.error_before > MOST_ERROR_RATIO * usual:
        raise PreFitPoor(
            f"before the experiment the mix of control units misses the treated ones by {100 * gaps.error_before:.1f} "
            f"% a week, where it misses untreated ones by {100 * usual:.1f} %",
            hint="name other control units, a longer time before, or fewer treated units",
        )
    spread = float(np.sqrt(np.mean([gap.during**2 for gap in placebos])))
    return GeoEffect(gaps.during, spread)


def _placebos(controls: NDArray[np.int_], size: int) -> list[NDArray[np.int_]]:
    """All sets of so many control units, or many drawn at random; always the same ones."""
    if comb(len(controls), size) <= MOST_PLACEBOS:
        return [np.array(chosen) for chosen in combinations(controls, size)]
    rng = np.random.default_rng(_SEED)
    return [rng.choice(controls, size, replace=False) for _ in range(MOST_PLACEBOS)]


def _gaps(series: GeoSeries, treated: NDArray[np.int_], donors: NDArray[np.int_]) -> _Gaps:
    """Treated units together, each by its level, against the best mix of the donors."""
    share = series.level[treated] / series.level[treated].sum()
    before, during = share @ series.before[treated], share @ series.during[treated]
    weights = _weights(before, series.before[donors])
    missed = before - weights @ series.before[donors]
    return _Gaps(float(np.sqrt(np.mean(missed**2))), float(np.mean(during - weights @ series.during[donors])))


def _weights(target: NDArray[np.float64], donors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each donor [unit], at least 0 and together 1, for the series `target` [week] of `donors` [unit, week]."""
    import pandas as pd
    from pysyncon import Synth

    mine, theirs = pd.Series(target, name="treated"), pd.DataFrame(donors.T)
    # The library divides each week by its spread over units; these importances undo that: all weeks count alike.
    importance = np.var(np.vstack([donors, target]), axis=0, ddof=1)
    model = Synth()
    model.fit(X0=theirs, X1=mine, Z0=theirs, Z1=mine, custom_V=importance)
    if model.W is None:
        raise RuntimeError("pysyncon fitted no weights")
    return np.asarray(model.W, dtype=np.float64)
