"""A table as it was found: the named columns, unconverted, with the line each row came from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mmm_models.intake.panel_report import Finding

FIRST_DATA_ROW = 2  # rows are counted as a spreadsheet does: the header is line 1


@dataclass(frozen=True, eq=False)
class RawTable:
    """Rows of the source. Named columns it lacks are absent from `frame`; `columns` is all it has."""

    frame: pd.DataFrame
    row_numbers: NDArray[np.int64]
    columns: tuple[str, ...]
    problems: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()
