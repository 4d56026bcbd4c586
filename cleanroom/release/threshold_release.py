"""Threshold mode: exact numbers, of enough people, that no combination with other releases brings down to a few.

Order matters as in complementary suppression: coarser grouping sets come first, then larger cells, so that subtotals
survive and the smallest visible sibling of a hidden cell is withheld beside it.
"""

from __future__ import annotations

import duckdb
import numpy as np

from cleanroom.release.cell_sketches import PEOPLE, CellSketches, cell_sketches
from cleanroom.release.cell_statistics import CellStatistics, cell_statistics
from cleanroom.release.contribution_table import contribution_table
from cleanroom.release.difference_audit import DifferenceAudit, Finding
from cleanroom.release.history import History
from cleanroom.release.release_outcome import ReleaseOutcome
from cleanroom.release.release_terms import Cell, Diagnosis, ReleaseTerms
from cleanroom.release.sketch_span import UnitSketch
from cleanroom.release.table_dependence import dependent_people
from cleanroom.release.threshold_rules import Objection, objection_to

_OBJECTION = {
    Finding.NEW: Objection.NONE,
    Finding.KNOWN: Objection.NONE,
    Finding.TOO_CLOSE: Objection.DIFFERENCE,
    Finding.FULL: Objection.HISTORY_FULL,
}


def threshold_cells(
    connection: duckdb.DuckDBPyConnection, contributions_sql: str, terms: ReleaseTerms, history: History
) -> ReleaseOutcome:
    """The numbers that pass every rule, and the history with them in it.

    Guarantee: as `threshold_rules.objection_to` and `DifferenceAudit` say, for every number by itself.
    Unit: one person. Cells without any number are left out: too small, empty and absent look alike.
    Not covered: what the set of withheld cells may tell about sizes near the threshold.
    """
    with contribution_table(connection, contributions_sql, terms, history) as table:
        cells = cell_statistics(table)
        dependent = dependent_people(table, contributions_sql)
        objections = {cell.number: _objections(cell, dependent.get(cell.number), terms) for cell in cells}
        asked = sorted(
            (cell for cell in cells if Objection.NONE in objections[cell.number]),
            key=lambda cell: _audit_order(cell, terms),
        )
        audit = DifferenceAudit(history, terms.min_group_size)
        start = 0
        for sketches in cell_sketches(table, history, [cell.number for cell in asked]):
            _audit(
                audit, sketches, [objections[cell.number] for cell in asked[start : start + len(sketches)]]
            )
            start += len(sketches)
        if not asked:
            _audit_nobody(history, terms)
    shown = tuple(_shown(cell, objections[cell.number]) for cell in cells)
    released = tuple(cell for cell in shown if any(value is not None for value in cell.values))
    return ReleaseOutcome(released, audit.updated_history(), _diagnosis(cells, objections, terms))


def _objections(cell: CellStatistics, dependent: list[int] | None, terms: ReleaseTerms) -> list[Objection]:
    """What each measure's own rules say; then whether it depends on a few people of an optional table."""
    found = [objection_to(one, terms) for one in cell.measures]
    for index, people in enumerate(dependent or ()):
        if found[index] is Objection.NONE and 0 < people < terms.min_group_size:
            found[index] = Objection.PRESENCE
    return found


def _audit_order(cell: CellStatistics, terms: ReleaseTerms) -> tuple[int, int, int, int]:
    keys = len(terms.grouping_sets[cell.grouping_set])
    return keys, cell.grouping_set, -max(one.people for one in cell.measures), cell.number


def _audit(audit: DifferenceAudit, cells: list[CellSketches], objections: list[list[Objection]]) -> None:
    """Replace the objections of one batch of cells, number by number, by what the audit finds."""
    open_places = [
        (cell, index)
        for cell, by_measure in enumerate(objections)
        for index, objection in enumerate(by_measure)
        if objection is Objection.NONE
    ]
    candidates = audit.candidates([cells[cell].measures[index] for cell, index in open_places])
    for (cell, index), candidate in zip(open_places, candidates, strict=True):
        objections[cell][index] = _OBJECTION[audit.judge(candidate)]


def _audit_nobody(history: History, terms: ReleaseTerms) -> None:
    """Take the time that one number of each measure would have taken, for nothing.

    A number that is withheld for its difference has been compared with all earlier ones. One of too few people, or of
    nobody, should not come back the faster for it.
    """
    audit = DifferenceAudit(history, terms.min_group_size)
    random = np.random.default_rng(int.from_bytes(history.salt[:8], "little"))
    units = [unit for unit, known in history.units.items() if known.size] or [PEOPLE]
    decoys = [[UnitSketch(unit, random.integers(0, 3, history.length, dtype=np.int64))] for unit in units]
    for candidate in audit.candidates(decoys):
        audit.judge(candidate)


def _shown(cell: CellStatistics, objections: list[Objection]) -> Cell:
    values = (
        one.value if objection is Objection.NONE else None
        for one, objection in zip(cell.measures, objections, strict=True)
    )
    return Cell(cell.grouping_set, cell.keys, tuple(values))


def _diagnosis(
    cells: list[CellStatistics], objections: dict[int, list[Objection]], terms: ReleaseTerms
) -> Diagnosis:
    """One word per number withheld from a cell that is here, and one for all cells too small to be here.

    Of buckets that the query computes the thin tail is no sign, unless all of what a dimension divides is gone.
    """
    found = [str(one) for cell in objections.values() for one in cell if one is not Objection.NONE]
    small = any(cell.others for cell in cells)
    computed = any(key.computed for key in terms.keys)
    if small and (not computed or any(cell.hidden_wholly for cell in cells)):
        found.append(str(Objection.MIN_GROUP_SIZE))
    return Diagnosis(tuple(sorted(found)), thin_buckets=small and computed)
