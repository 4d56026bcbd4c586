"""What a run cannot say, and why: an empty place without a reason looks like a mistake."""

from collections.abc import Iterator
from dataclasses import dataclass

from mmm_models.planning.measures import Measures

SILOS = "silos beside each other"


@dataclass(frozen=True)
class Absence:
    """One thing that is missing from an explanation: what, the reason, and how to get it."""

    what: str
    reason: str
    advice: str


def absences(measures: Measures, *, parts: int, own: bool) -> tuple[Absence, ...]:
    """Of an explanation of so many parts; `own`: one silo's, on its own machine."""
    return (*_weeks(measures), *_parts(measures, parts=parts, own=own), *_intervals(measures))


def _weeks(measures: Measures) -> Iterator[Absence]:
    basis, weeks = measures.look.basis, measures.look.period.weeks
    if not basis.by_week:
        reason = "this run released noised totals over all weeks, and nothing of any single week"
        advice = "on its own machine a silo sees its own weeks: mixroom explain RUN --silo FILE"
        yield Absence("week by week", reason, advice)
        yield Absence("what changed since the period before", reason, advice)
    elif basis.n_weeks < 2 * weeks:
        yield Absence(
            "what changed since the period before",
            f"the run knows {basis.n_weeks} weeks, and two periods of {weeks} need {2 * weeks}",
            f"ask for a shorter period: --weeks {basis.n_weeks // 2}",
        )


def _parts(measures: Measures, *, parts: int, own: bool) -> Iterator[Absence]:
    if parts == 1 and not own:
        yield Absence(
            SILOS,
            "this run knows everything together only: in a federated run no silo's own sums leave it",
            "each silo sees its own on its own machine: mixroom explain RUN --silo FILE",
        )


def _intervals(measures: Measures) -> Iterator[Absence]:
    if measures.look.possible is None:
        yield Absence(
            "intervals",
            "this run does not say how sure its response is",
            "train with the newton strategy, which sums what intervals need",
        )
