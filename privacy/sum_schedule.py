"""Which sums a run asks for, in which order: the same at the coordinator and in every silo."""

from enum import StrEnum

from privacy.accountant import require_count
from privacy.errors import InvalidSetting

# Curvature is first needed before the first step, and again as the model comes close to where it will end.
CURVATURE_BEFORE_ROUND = (0, 3, 8)


class Purpose(StrEnum):
    """What a sum is for. Sums are numbered from 1 in the order of the schedule."""

    SCALES = "scales"
    CURVATURE = "curvature"
    ROUND = "round"
    DRAFT = "draft"
    REPORT = "report"


def sum_schedule(rounds: int, curvatures: int, *, private: bool) -> tuple[Purpose, ...]:
    """Scales once, then the rounds with `curvatures` curvature sums among the first of them, then the report.

    A private run makes a draft of the report first (`RunReleases.draft`).
    """
    require_count("rounds", rounds)
    if not 0 <= curvatures <= len(CURVATURE_BEFORE_ROUND):
        raise InvalidSetting(
            f"{curvatures} curvature sums", hint=f"plan for 0 to {len(CURVATURE_BEFORE_ROUND)}"
        )
    before = [min(place, rounds - 1) for place in CURVATURE_BEFORE_ROUND[:curvatures]]
    middle: list[Purpose] = []
    for done in range(rounds):
        middle += [Purpose.CURVATURE] * before.count(done) + [Purpose.ROUND]
    ending = (Purpose.DRAFT, Purpose.REPORT) if private else (Purpose.REPORT,)
    return (Purpose.SCALES, *middle, *ending)
