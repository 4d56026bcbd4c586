"""Coefficients from a few buckets at a time, picked at random: among small populations, where much overlaps.

If what is left of the right combination touches few buckets, most picks of a few dozen miss all of them, and solving on
such a pick alone gives the combination exactly, whatever its denominators (information set decoding; Prange 1962).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanroom.release.sketch_span import Floats, Projection, Sketch, SketchSpan

MOST_ROWS = 48
PICKS = 64
SPARE = 6  # buckets beyond the rows: they tell a combination from an accident
_ENERGY_PER_PERSON = 60.0  # squares that one person's remainder rarely exceeds, both halves together
_RIDGE, _ZERO = 1e-11, 1e-5


def touched_by_picks(
    span: SketchSpan, sketch: Sketch, projection: Projection, min_group_size: int
) -> list[int]:
    """Buckets that each pick's combination leaves, where that is fewer than min_group_size; of the fuller half."""
    energy = float(projection.left @ projection.left)
    if not span.size or not _worth_trying(energy, sketch, min_group_size):
        return []
    first = span.combination(projection.coefficients)
    rows = np.argsort(-np.abs(first) * span.norms)[:MOST_ROWS]
    matrix = span.reduced_rows(rows).astype(np.float64)
    wanted = sketch.astype(np.float64)
    filled = np.flatnonzero(np.abs(matrix).sum(axis=0) + np.abs(wanted))
    if len(filled) <= len(rows) + SPARE:
        return []
    solved = _solutions(matrix, wanted, filled)
    rest = np.abs(wanted - solved @ matrix) > _ZERO * (1 + np.abs(wanted).max())
    fuller = rest.reshape(len(solved), 2, -1).sum(axis=2).max(axis=1)
    trivial = np.abs(solved).max(axis=1) < _ZERO  # the number by itself
    # At least 1: that nothing at all is left is shown exactly or not at all.
    return [max(1, int(count)) for count in fuller[(fuller < min_group_size) & ~trivial]]


def _worth_trying(energy: float, sketch: Sketch, min_group_size: int) -> bool:
    whole = sketch.astype(np.float64)
    return energy <= max(_ENERGY_PER_PERSON * min_group_size, 0.3 * float(whole @ whole))


def _solutions(matrix: Floats, wanted: Floats, filled: NDArray[np.intp]) -> Floats:
    """One row of coefficients per pick. The picks are the same every time: the same question, the same answer."""
    random = np.random.default_rng(len(filled))
    size = len(matrix) + SPARE
    picks = np.argpartition(random.random((PICKS, len(filled))), size, axis=1)[:, :size]
    chosen = filled[picks]
    system = matrix[:, chosen].transpose(1, 2, 0)
    scale = np.sqrt((matrix**2).sum(axis=1)) + 1e-12
    system = system / scale
    normal = system.transpose(0, 2, 1) @ system
    normal += _RIDGE * np.eye(len(matrix))
    right = system.transpose(0, 2, 1) @ wanted[chosen][:, :, np.newaxis]
    found = np.linalg.solve(normal, right)[:, :, 0]
    # Once more on what is left over: normal equations square the condition number.
    rest = wanted[chosen] - np.einsum("pbr,pr->pb", system, found)
    found += np.linalg.solve(normal, system.transpose(0, 2, 1) @ rest[:, :, np.newaxis])[:, :, 0]
    return np.asarray(found / scale, np.float64)
