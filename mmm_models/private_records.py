"""How unit records are put on one scale before they are bounded and noised, and read back afterwards.

Bounding limits a record's length over all columns, and noise grows with the bound. So every column is first
divided by what a typical unit would hold there, known from the agreed scales and the (already private) model
alone. Then what a unit of its size would be expected to hold is taken off: spend and contribution grow with the
outcome, and only how a unit differs from that needs room. How much is expected comes from a first, cheap release
(the draft); the report proper is measured from there. Last, columns are weighted by how much their accuracy
matters.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mmm_models.network import MediaResponse
from mmm_models.unit_records import RecordLayout

Array = NDArray[np.float64]
TYPICAL_ERROR = 0.1  # of a unit's mean outcome
LARGEST_UNIT = 1.6  # records longer than this many typical ones are shortened
FOLLOWS_OUTCOME = ("revenue", "spend", "contribution")
LARGEST_SLOPE = 5.0


@dataclass(frozen=True)
class Importance:
    """Weight of each released column and how far a typical unit's value lies from the expected one.

    Columns that are not named are not released.
    """

    weight: Mapping[str, float]
    usual: Mapping[str, float]

    def bound(self, layout: RecordLayout) -> float:
        """L2 bound on one weighted record: `LARGEST_UNIT` times a typical one."""
        squares = (
            size * (self.weight.get(name, 0.0) * self.usual.get(name, 0.0)) ** 2
            for name, size in layout.sizes.items()
        )
        return LARGEST_UNIT * float(np.sqrt(sum(squares)))


DRAFT = Importance(
    weight={"outcome": 1.0, "revenue": 0.5, "spend": 1.0, "contribution": 1.0},
    usual={"outcome": 1.0, "revenue": 0.3, "spend": 0.5, "contribution": 0.4},
)
REPORT = Importance(
    weight={"outcome": 0.6, "revenue": 0.5, "squared_error": 0.25, "mape": 0.2, "spend": 0.5, "contribution": 1.0},
    usual={"outcome": 1.0, "revenue": 0.1, "squared_error": 1.0, "mape": 1.0, "spend": 0.3, "contribution": 0.2},
)  # fmt: skip
# Before anything is known: channels that pause some of the time reach most of their typical level on average.
FIRST_SLOPES = {"revenue": 1.0, "spend": 0.75, "contribution": 0.75}


@dataclass(frozen=True, eq=False)
class RecordFrame:
    """Where and in which units records are measured. All `[column]`; a unit's outcome is column `outcome`.

    measured = weight * (record / typical - slope * outcome / typical outcome)
    """

    typical: Array
    weight: Array
    slope: Array
    outcome: int
    bound: float

    def measure(self, records: Array) -> Array:
        """`[unit, column]` records as they are bounded and noised."""
        relative = np.divide(records, self.typical, out=np.zeros_like(records), where=self.typical > 0)
        return np.asarray(self.weight * (relative - self.slope * relative[:, [self.outcome]]))

    def read_back(self, total: Array) -> Array:
        """Summed records from the (noised) sum of measured ones; zero where nothing was released."""
        relative = np.divide(total, self.weight, out=np.zeros_like(total), where=self.weight > 0)
        return np.asarray((relative + self.slope * relative[self.outcome]) * self.typical)

    def noise_of(self, deviation: float) -> Array:
        """Standard deviation of each column that `read_back` returns when every measured one carries such noise."""
        relative = np.divide(deviation, self.weight, out=np.zeros_like(self.weight), where=self.weight > 0)
        return np.asarray(np.hypot(relative, self.slope * relative[self.outcome]) * self.typical)

    def slopes_found(self, total: Array) -> Array:
        """How much of each column goes with the outcome, from the (noised) sum of measured records."""
        relative = np.divide(total, self.weight, out=np.zeros_like(total), where=self.weight > 0)
        found = self.slope + relative / max(float(relative[self.outcome]), 1.0)
        return np.asarray(np.where(self.slope > 0, np.clip(found, 0.0, LARGEST_SLOPE), 0.0))


def draft_frame(
    layout: RecordLayout, response: MediaResponse, *, weeks: int, holdout_weeks: int
) -> RecordFrame:
    """With public guesses for what goes with the outcome."""
    slope = layout.row({name: FIRST_SLOPES[name] for name in FOLLOWS_OUTCOME})
    typical = _typical(layout, response, weeks=weeks, holdout_weeks=holdout_weeks)
    return _frame(layout, typical, slope, DRAFT)


def report_frame(
    layout: RecordLayout, response: MediaResponse, slope: Array, *, weeks: int, holdout_weeks: int
) -> RecordFrame:
    """With `slope` as the draft found it."""
    return _frame(layout, _typical(layout, response, weeks=weeks, holdout_weeks=holdout_weeks), slope, REPORT)


def with_counts(total: Array, layout: RecordLayout, *, units: float, holdout_weeks: int) -> Array:
    """The summed records with the counts nobody released again: they follow from the (private) number of units."""
    groups = {name: values[None, :] for name, values in layout.split(total).items()}
    groups["units"] = np.array([[units]])
    groups["test_weeks"] = np.array([[units * holdout_weeks]])
    return np.asarray(layout.join(groups)[0])


def _frame(layout: RecordLayout, typical: Array, slope: Array, importance: Importance) -> RecordFrame:
    weight = np.where(typical > 0, layout.row(importance.weight), 0.0)
    outcome = int(np.flatnonzero(layout.row({"outcome": 1.0}))[0])
    return RecordFrame(typical, weight, slope, outcome, importance.bound(layout))


def _typical(layout: RecordLayout, response: MediaResponse, *, weeks: int, holdout_weeks: int) -> Array:
    """What a typical unit holds in each column; zero for columns that are never released."""
    share = np.array(response.spend_per_revenue)
    with torch.no_grad():
        effect = response.parameters_by_name["log_effect"].exp().double().numpy()
    return layout.row(
        {
            "outcome": weeks,
            "revenue": weeks,
            "squared_error": max(holdout_weeks, 1) * TYPICAL_ERROR**2,
            "mape": TYPICAL_ERROR,
            "spend": weeks * share,
            "contribution": weeks * effect,
        }
    )
