"""What one would do without a model: the splits every plan is compared with."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mmm_models.planning.measures import Measures

Array = NDArray[np.float64]
TINY = 1e-300
AS_LAST = "as last period"


def naive_splits(measures: Measures, total: float) -> Iterator[tuple[str, Array]]:
    """Names and money `[part, channel]` of so much in all; cells that money cannot be moved into keep theirs."""
    look, last = measures.look, measures.last
    free = look.plannable
    rest = total - last.spend[~free].sum()
    if rest <= 0 or not free.any():
        return
    shares = {
        AS_LAST: last.spend,
        "the same for every channel": free.astype(np.float64),
        "by revenue": np.maximum(last.expected, 0.0),
    }
    for name, share in shares.items():
        weights = np.where(free, share, 0.0)
        money = np.where(free, rest * weights / max(float(weights.sum()), TINY), last.spend)
        if weights.any() and not np.allclose(money, last.spend):
            yield name, money
