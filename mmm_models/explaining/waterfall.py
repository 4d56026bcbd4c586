"""How one total becomes another, step by step; steps add up to what lies between them."""

from dataclasses import dataclass
from typing import Literal

from mmm_models.results import NO_INTERVAL, Interval

BASELINE, OUTCOME = "baseline", "outcome"
BEFORE, LAST, NEXT = "period before", "last period", "next period"
Kind = Literal["outcome", "past", "plan", "what-if"]


@dataclass(frozen=True)
class Step:
    """In the outcome's unit: a total, or what changes from the one above. The interval is the number's own."""

    name: str
    value: float
    interval: Interval = NO_INTERVAL
    is_total: bool = False


@dataclass(frozen=True)
class Waterfall:
    """`kind` says of what: the last period's outcome itself, how it came from the period before, or how a plan's or a
    what-if answer's would come from it. The last step is a total; the first one is too, except of an outcome itself."""

    kind: Kind
    steps: tuple[Step, ...]

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps between the totals."""
        return tuple(step for step in self.steps if not step.is_total)
