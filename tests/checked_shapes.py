"""The check that every call into `mmm_models` passes while tests run: types, array dtypes and shapes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from beartype import BeartypeConf, FrozenDict, beartype
from numpy.typing import NDArray

_CONFIGURATION = BeartypeConf(
    is_pep484_tower=True,  # an int may stand where a float is asked for
    # beartype compares dtypes by equality, and dates always carry a resolution: datetime64[D]
    hint_overrides=FrozenDict({NDArray[np.datetime64]: np.ndarray}),
)


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, refusing arguments and results that its signature does not allow."""
    return beartype(conf=_CONFIGURATION)(function)
