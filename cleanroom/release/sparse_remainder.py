"""Whether a sketch differs from the span of released ones in a few buckets only, with any real coefficients.

Least squares alone is drawn away by what is left over when that weighs much: one big spender, or a person who stands
in many sets at once. So the few buckets that fit worst are set free and the rest is solved again, as in decoding a
linear code with gross errors (Candes, Tao 2005; Needell, Tropp 2009, CoSaMP).
"""

from __future__ import annotations

import numpy as np

from cleanroom.release.sketch_span import Floats, Projection, SketchSpan

ROUNDS = 6
MOST_FREE_BUCKETS = 400
_RIDGE = 1e-9  # keeps the solve finite where a small released set lies wholly in the free buckets


def robust_coefficients(span: SketchSpan, projection: Projection, min_group_size: int) -> Floats:
    """Coefficients on the reduced rows that leave all but a few buckets at zero; empty when none were found."""
    nothing = np.zeros(0)
    left, turned = projection.left, span.turned
    energy = before = float(left @ left)
    free_size = min(4 * min_group_size, MOST_FREE_BUCKETS, len(left) // 4)
    own_weight = np.maximum(1 - span.leverage, 1e-9)
    guess = np.abs(left / own_weight)
    if not _may_be_sparse(left**2 / own_weight, free_size):
        return nothing
    for _ in range(ROUNDS):
        free = np.argpartition(guess, -free_size)[-free_size:]
        rows = turned[free]
        system = np.eye(free_size) * (1 + _RIDGE) - rows @ rows.T
        errors = np.linalg.solve(system, left[free])
        unexplained = energy - float(left[free] @ errors)
        if unexplained <= 1e-6 * energy:
            return span.combination(projection.coefficients - errors @ rows)
        if unexplained > 0.9 * before:
            return nothing
        before = unexplained
        rest = left + turned @ (errors @ rows)
        guess = np.abs(rest / own_weight)
        guess[free] = np.abs(errors)
    return nothing


def _may_be_sparse(explained: Floats, free_size: int) -> bool:
    """Whether freeing the worst buckets, each seen by itself, explains half; all of it, for one person's bucket."""
    worst = np.partition(explained, -free_size)[-free_size:]
    return float(worst.sum()) >= 0.5 * float(explained.sum()) * (1 - 1e-9)
