"""The rules one cell's measure must pass by itself: enough people, enough on each side of a join, nobody dominating."""

from __future__ import annotations

from enum import StrEnum

from cleanroom.release.cell_statistics import MeasureStatistics, PresenceCount
from cleanroom.release.release_terms import ReleaseTerms


class Objection(StrEnum):
    """Why a number is withheld; never told to an analyst."""

    NONE = ""
    MIN_GROUP_SIZE = "min_group_size"
    PRESENCE = "presence"
    LARGEST_SHARE = "largest_share"
    DIFFERENCE = "difference"
    HISTORY_FULL = "history full"


def objection_to(statistics: MeasureStatistics, terms: ReleaseTerms) -> Objection:
    """The first rule a number breaks, or NONE.

    Guarantee: at least `min_group_size` people contribute; of every table whose people are behind the number, at
        least as many contributors are present, or none is and as many people stand on the other side; nobody makes
        up more than `largest_share` of a sum's absolute contributions, of a number of rows, nor of the values behind an
        average. People whose contribution is zero do not count, except where a sum is zero because everybody in the
        cell is absent from the table it is summed from, which the cell says anyway.
    Unit: one person. Not covered: differences to other releases (difference_audit).
    """
    if statistics.people < terms.min_group_size and not _is_zero_by_absence(statistics, terms):
        return Objection.MIN_GROUP_SIZE
    if not all(_enough_present(count, terms.min_group_size) for count in statistics.presence):
        return Objection.PRESENCE
    for largest, total in (
        (statistics.largest, statistics.total),
        (float(statistics.largest_rows), float(statistics.total_rows)),
    ):
        if largest > terms.largest_share * total:
            return Objection.LARGEST_SHARE
    return Objection.NONE


def _is_zero_by_absence(statistics: MeasureStatistics, terms: ReleaseTerms) -> bool:
    absent = any(not count.present for count in statistics.presence)
    return not statistics.people and absent and statistics.valued >= terms.min_group_size


def _enough_present(count: PresenceCount, min_group_size: int) -> bool:
    if count.present:
        return count.present >= min_group_size
    # All contributors are absent from the table. That is personal too, so it takes people it could be otherwise for.
    return count.opposite >= min_group_size
