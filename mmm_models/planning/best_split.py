"""The best split for one aim: allocated over curves of single cells, and polished where these do not say everything."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmm_models.planning.allocate import allocate
from mmm_models.planning.feasible import Feasible
from mmm_models.planning.objectives import Objective, Objectives
from mmm_models.planning.piecewise import Aim
from mmm_models.planning.planning_errors import LimitsContradict, QuestionInvalid
from mmm_models.planning.polish import MOST_CELLS, polish

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BestSplit:
    """Within `feasible`, whose range the objectives are of."""

    objectives: Objectives
    feasible: Feasible

    def of(self, aim: Aim) -> Array:
        """Money `[cell]`. Raises LimitsContradict, QuestionInvalid."""
        start = allocate(self.objectives.curves, self.feasible, aim)
        if start is None:
            raise LimitsContradict(
                "no split keeps all limits and spends the total; nothing was planned",
                hint="widen a floor, a ceiling or a group's limit",
            )
        if self.objectives.risk is None and not self.objectives.synergies:
            return start
        if start.size > MOST_CELLS:
            raise QuestionInvalid(
                f"risk and synergies are planned for at most {MOST_CELLS} cells, and this asks for {start.size}; "
                "nothing was planned",
                hint="plan fewer parts at a time, or leave the risk out",
            )
        return polish(self._objective, start, self.feasible, aim)

    def revenue(self, spend: Array) -> float:
        """What a split `[cell]` is chosen by."""
        return self._objective(spend)[0]

    def paid_revenue(self, spend: Array) -> float:
        """The same of those cells alone that money pays for: what a return is a return on."""
        return self._paid_objective(spend)[0]

    @cached_property
    def _objective(self) -> Objective:
        return self.objectives.of(np.ones_like(self.objectives.look.period.paid))

    @cached_property
    def _paid_objective(self) -> Objective:
        return self.objectives.of(self.objectives.look.period.paid)
