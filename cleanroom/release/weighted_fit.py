"""Coefficients that fit most buckets, however much a few of them weigh: for sums, where some people spend far more.

Iteratively reweighted least squares (Chartrand, Yin 2008) on one half of the buckets and the rows that matter most.
"""

from __future__ import annotations

import numpy as np

from cleanroom.release.sketch_span import Floats, Projection, Sketch, SketchSpan, is_uneven

MOST_ROWS = 48
ROUNDS = 10
LEAST_GAIN = 0.05  # of a sketch's energy that the span explains beyond what it would of random numbers


def weighted_coefficients(span: SketchSpan, sketch: Sketch, projection: Projection) -> Floats:
    """On the reduced rows; empty when the span has nothing to do with the sketch."""
    wanted = sketch.astype(np.float64)
    # Without the mean: any two large sets of people look alike in it.
    energy = float(wanted @ wanted) - float(wanted.sum()) ** 2 / len(sketch)
    left = float(projection.left @ projection.left)
    unrelated = energy - left < (span.size / len(sketch) + LEAST_GAIN) * energy
    if not span.size or (unrelated and not span.uneven and not is_uneven(sketch)):
        return np.zeros(0)
    half = len(sketch) // 2
    first = span.combination(projection.coefficients)
    rows = np.argsort(-np.abs(first) * span.norms)[:MOST_ROWS]
    matrix, target = span.reduced_rows(rows)[:, :half].astype(np.float64), wanted[:half]
    # At first every bucket counts the same, big spenders in it or not.
    size = np.abs(matrix).sum(axis=0) + np.abs(target) + 1
    weights, floor = size**-2, 1.0
    solved = first[rows]
    for _ in range(ROUNDS):
        system = (matrix * weights) @ matrix.T
        system[np.diag_indices_from(system)] *= 1 + 1e-9
        solved = np.linalg.lstsq(system, (matrix * weights) @ target, rcond=None)[0]
        relative = np.abs(target - solved @ matrix) / size
        floor = max(floor / 4, 1e-6)
        weights = size**-2 / (relative + floor)
    found = np.zeros(span.size)
    found[rows] = solved
    return found
