"""Differential privacy: bounded contributions plus OpenDP's noise; which cells appear is public or noisy too."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence

import duckdb

from cleanroom.errors import QueryRefused
from cleanroom.release.contribution_table import ContributionTable, contribution_table
from cleanroom.release.dp_budget import SetBudget, bound_in_steps, decimals_of, is_shown_by_keys, set_budgets
from cleanroom.release.dp_contributions import CellSums, cell_sums
from cleanroom.release.history import History
from cleanroom.release.release_outcome import ReleaseOutcome
from cleanroom.release.release_terms import Cell, MeasureFunction, MeasureTerms, ReleaseTerms
from privacy.mechanisms import noisy_integers, noisy_key_counts

MOST_PUBLIC_CELLS = 100_000


def noised_cells(
    connection: duckdb.DuckDBPyConnection, contributions_sql: str, terms: ReleaseTerms, history: History
) -> ReleaseOutcome:
    """Every grouping set's cells with noise of its share of the budget; the history stays as it is.

    Guarantee: (epsilon, delta)-DP with the terms' epsilon and delta, by basic composition over grouping sets and
        measures; delta is spent only where keys are found under noise.
    Unit: one person, all rows of all tables. Neighbours: add or remove one.
    Not covered: how long it takes. Keys listed as public must be public; all their combinations are released.
    Contributions above the bounds are clipped, not refused: an error would leak.
    """
    for grouping_set in terms.grouping_sets:
        _require_few_public_cells(terms, grouping_set)
    with contribution_table(connection, contributions_sql, terms, history) as table:
        cells = [cell for budget in set_budgets(terms) for cell in _noised_set(table, budget, history)]
    return ReleaseOutcome(tuple(cells), history)


def _noised_set(table: ContributionTable, budget: SetBudget, history: History) -> list[Cell]:
    """In order of the keys: the order of what the engine found could tell which person came first."""
    found = cell_sums(table, budget, history)
    if budget.finds_keys:
        counts, chosen = _find_keys(found, budget)
    else:
        counts, chosen = [], _public_cells(table.terms, budget, found)
    columns = [
        _noised(table.terms, budget, chosen, counts, index) for index in range(len(table.terms.measures))
    ]
    values: list[tuple[float | int, ...]] = list(zip(*columns, strict=True)) if chosen else []
    cells = [Cell(budget.grouping_set, cell.keys, value) for cell, value in zip(chosen, values, strict=True)]
    return sorted(cells, key=_key_order)


def _find_keys(found: list[CellSums], budget: SetBudget) -> tuple[list[int], list[CellSums]]:
    named = {json.dumps([str(key) if key is not None else None for key in cell.keys]): cell for cell in found}
    noisy = noisy_key_counts(
        {name: cell.people for name, cell in named.items()},
        max_groups=budget.max_groups,
        max_count=1,
        epsilon=budget.epsilon,
        delta=budget.delta,
    )
    return list(noisy.values()), [named[name] for name in noisy]


def _public_cells(terms: ReleaseTerms, budget: SetBudget, found: list[CellSums]) -> list[CellSums]:
    """Every combination of public values, those without people included."""
    used = terms.grouping_sets[budget.grouping_set]
    nothing = (0,) * len(terms.measures)
    by_keys = {tuple(str(cell.keys[key]) for key in used): cell for cell in found}
    cells = []
    for values in itertools.product(*(terms.keys[key].public_values for key in used)):
        keys: list[object] = [None] * len(terms.keys)
        for key, value in zip(used, values, strict=True):
            keys[key] = value
        cell = by_keys.get(values, CellSums((), 0, nothing, nothing))
        cells.append(CellSums(tuple(keys), cell.people, cell.sums, cell.rows))
    return cells


def _noised(
    terms: ReleaseTerms, budget: SetBudget, cells: list[CellSums], counts: list[int], index: int
) -> Sequence[float | int]:
    """One measure of all cells. Below the noise everything is post-processing: counts are kept from going below 0."""
    measure = terms.measures[index]
    if is_shown_by_keys(measure, budget):
        return counts
    noisy = noisy_integers(
        [cell.sums[index] for cell in cells],
        l1_sensitivity=budget.max_groups * bound_in_steps(measure, terms.max_rows),
        epsilon=budget.epsilon,
    )
    if measure.function is MeasureFunction.AVG:
        rows = noisy_integers(
            [cell.rows[index] for cell in cells],
            l1_sensitivity=budget.max_groups * terms.max_rows,
            epsilon=budget.epsilon,
        )
        return [_in_units(total, measure) / max(1, count) for total, count in zip(noisy, rows, strict=True)]
    if measure.function is MeasureFunction.SUM:
        return [_in_units(total, measure) for total in noisy]
    return [max(0, total) for total in noisy]


def _in_units(steps: int, measure: MeasureTerms) -> float:
    return float(steps / 10 ** decimals_of(measure))


def _key_order(cell: Cell) -> list[tuple[bool, object]]:
    return [(key is None, 0 if key is None else key) for key in cell.keys]


def _require_few_public_cells(terms: ReleaseTerms, grouping_set: tuple[int, ...]) -> None:
    sizes = [len(terms.keys[key].public_values) for key in grouping_set]
    if all(sizes) and math.prod(sizes) > MOST_PUBLIC_CELLS:
        raise QueryRefused(
            f"the keys have more than {MOST_PUBLIC_CELLS} combinations of public values; no data were touched",
            hint="group by fewer keys, or list fewer values",
        )
