"""How reports speak of intervals: their name, their numbers, and what they do and do not promise."""

import math
from collections.abc import Callable

from mmm_models.reporting.number_format import percent, span
from mmm_models.results import Interval, Results

NO_INTERVALS = "Point estimates, without intervals."


def has_intervals(results: Results) -> bool:
    """Whether the model says how sure it is."""
    return math.isfinite(results.interval_level)


def interval_name(results: Results) -> str:
    """`90 % interval`."""
    return f"{percent(results.interval_level, 0)} interval"


def in_brackets(interval: Interval, show: Callable[[float | None], str]) -> str:
    """` (4.51–6.28 M)`, to stand behind a number; empty without an interval."""
    text = span(interval.low, interval.high, show)
    return f" ({text})" if text else ""


def reading(results: Results, what: str) -> str:
    """One sentence for a figure whose `what` ("thin lines", "bands") are intervals, or that there are none."""
    if not has_intervals(results):
        return NO_INTERVALS
    return (
        f"{what} are {interval_name(results)}s: how far data and model leave the number open, if the model's form is "
        "right; demand that nobody measured is not in them."
    )
