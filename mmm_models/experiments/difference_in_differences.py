"""Treated against control units, after against before: difference-in-differences.

The panel is collapsed to one change per unit, so that weeks of one unit do not count as independent [Bertrand, Duflo
and Mullainathan 2004, "How Much Should We Trust Differences-in-Differences Estimates?", section IV.C]. With one row a
cluster, the robust errors of that regression are the cluster-robust ones; HC2 is their bias-reduced form [Bell and
McCaffrey 2002].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mmm_models.experiments.geo_design import GeoSeries
from mmm_models.experiments.geo_effect import GeoEffect
from mmm_models.experiments.lift_errors import PreTrendsDiffer, TooFewUnits

LEAST_TREATED = 2
LEAST_CONTROLS = 3
PRE_TREND_P_VALUE = 0.01


def difference_in_differences(series: GeoSeries) -> GeoEffect:
    """The effect on the treated. Raises `TooFewUnits` and `PreTrendsDiffer`."""
    treated, controls = int(series.treated.sum()), int((~series.treated).sum())
    if treated < LEAST_TREATED or controls < LEAST_CONTROLS:
        raise TooFewUnits(
            f"{treated} treated and {controls} control units are too few for difference-in-differences: a standard "
            f"error needs {LEAST_TREATED} and {LEAST_CONTROLS}",
            hint='with one treated unit and several controls, use method = "synthetic-control"',
        )
    _require_parallel(series)
    change = series.during.mean(axis=1) - series.before.mean(axis=1)
    return _contrast(change, series)


def _require_parallel(series: GeoSeries) -> None:
    """The slopes of both groups before the experiment; a difference that chance would make one time in 100."""
    weeks = np.arange(series.before.shape[1]) - (series.before.shape[1] - 1) / 2
    slope = series.before @ weeks / (weeks @ weeks)
    found = _contrast(slope, series)
    from scipy.stats import t

    p_value = 2 * t.sf(abs(found.relative / found.standard_error), len(slope) - 2)
    if p_value < PRE_TREND_P_VALUE:
        raise PreTrendsDiffer(
            f"before the experiment treated units grew by {100 * found.relative:+.2f} % a week against the control "
            f"units (p = {p_value:.2g}): what follows cannot be told from that",
            hint='name control units that moved alike, or use method = "synthetic-control"',
        )


def _contrast(values: NDArray[np.float64], series: GeoSeries) -> GeoEffect:
    """Treated less control [unit]; each unit counts by its level, as it does in the sum that a lift is."""
    import statsmodels.api as sm

    design = np.column_stack([np.ones(len(values)), series.treated.astype(np.float64)])
    fitted = sm.WLS(values, design, weights=series.level).fit(cov_type="HC2")
    return GeoEffect(float(fitted.params[1]), float(fitted.bse[1]))
