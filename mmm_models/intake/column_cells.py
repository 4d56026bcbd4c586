"""One column's cells beside the lines they came from: row masks become findings with examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmm_models.intake.panel_report import MAX_EXAMPLES, Example, Finding


@dataclass(frozen=True, eq=False)
class ColumnCells:
    """Cells and line numbers of one column, both [row]."""

    column: str
    row_numbers: NDArray[np.int64]
    values: Sequence[object] | NDArray[Any]

    def find(self, code: str, where: NDArray[np.bool_], message: str, hint: str = "") -> tuple[Finding, ...]:
        """One finding about the rows where the mask holds; none when it holds nowhere."""
        chosen = np.flatnonzero(where)
        if not len(chosen):
            return ()
        shown = [Example(int(self.row_numbers[i]), _shown(self.values[i])) for i in chosen[:MAX_EXAMPLES]]
        return (Finding(code, message, self.column, len(chosen), tuple(shown), hint),)


def _shown(value: object) -> str:
    if isinstance(value, float | np.floating):
        return "empty" if np.isnan(value) else f"{value:.10g}"
    return "empty" if value is None or value == "" else str(value)[:60]
