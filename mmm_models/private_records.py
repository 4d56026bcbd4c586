"""How unit records are put on one scale before they are clipped and noised, and read back afterwards.

Clipping bounds a record's length over all columns, so every column is first divided by what a typical unit
would hold there, known from the agreed scales and the (already private) model alone, and weighted by how much
its accuracy matters.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from mmm_models.network import MediaResponse
from mmm_models.unit_records import RecordLayout

Array = NDArray[np.float64]
# Importance of each released column; what is not named here is not released.
WEIGHTS = {
    "outcome": 1.5,
    "revenue": 0.5,
    "squared_error": 0.7,
    "mape": 0.5,
    "spend": 1.0,
    "contribution": 1.0,
}
TYPICAL_ERROR = 0.1  # of a unit's mean outcome
LARGEST_UNIT = 2.0  # records longer than this many typical ones are shortened


def column_weights(layout: RecordLayout, response: MediaResponse, *, weeks: int, holdout_weeks: int) -> Array:
    """What to multiply each column of a private record with; zero for columns that are not released."""
    share = np.array(response.spend_per_revenue)
    with torch.no_grad():
        effect = response.parameters_by_name["log_effect"].exp().double().numpy()
    typical = {
        "outcome": np.array([weeks]),
        "revenue": np.array([weeks]),
        "squared_error": np.array([max(holdout_weeks, 1) * TYPICAL_ERROR**2]),
        "mape": np.array([TYPICAL_ERROR]),
        "spend": weeks * share,
        "contribution": weeks * effect,
    }
    columns = []
    for name, size in layout.sizes.items():
        usual = np.broadcast_to(typical.get(name, np.zeros(1)), (size,)).astype(np.float64)
        columns.append(np.where(usual > 0, WEIGHTS.get(name, 0.0) / np.where(usual > 0, usual, 1.0), 0.0))
    return np.concatenate(columns)


def clip_bound(layout: RecordLayout) -> float:
    """L2 bound on one weighted record: `LARGEST_UNIT` times a typical one."""
    squares = (size * WEIGHTS.get(name, 0.0) ** 2 for name, size in layout.sizes.items())
    return LARGEST_UNIT * float(np.sqrt(sum(squares)))


def read_back(
    total: Array, weights: Array, layout: RecordLayout, *, units: float, holdout_weeks: int
) -> Array:
    """The summed records from a noised weighted sum; counts come from the run's (private) number of units."""
    summed = np.divide(total, weights, out=np.zeros_like(total), where=weights > 0)
    groups = {name: values[None, :] for name, values in layout.split(summed).items()}
    groups["units"] = np.array([[units]])
    groups["test_weeks"] = np.array([[units * holdout_weeks]])
    return np.asarray(layout.join(groups)[0])
