"""The span of released sketches: projections, nearest combinations, exact remainders. Linear algebra, no policy.

Rows are kept size-reduced (L. Babai 1986, "On Lovasz' lattice reduction and the nearest lattice point problem"): from
each new row the nearest whole-number combination of the earlier ones is taken out. Unions, subtotals and near copies
then become the small sets they differ by, and rounding a combination's coefficients one after the other finds it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from cleanroom.release.history import Rows, UnitHistory

Sketch = NDArray[np.int64]
Floats = NDArray[np.float64]
_ROOM = 64  # rows by which the arrays grow at least
_UNEVEN = 100  # the largest square of a bucket, in mean squares of those that are not zero


@dataclass(frozen=True)
class UnitSketch:
    """The sketch of a number, and the unit in which it may be subtracted from others."""

    unit: str
    sketch: Sketch


@dataclass(frozen=True)
class Projection:
    """A sketch seen from the span: `coefficients` on its orthonormal rows, and what is `left` outside it."""

    coefficients: Floats
    left: Floats


class SketchSpan:
    """Independent released sketches of one unit. Grows by `add`; never shrinks. `uneven`: some row is."""

    def __init__(self, earlier: UnitHistory) -> None:
        length = earlier.released.shape[1]
        self.size = earlier.size
        self._released = _with_room(earlier.released, 0)
        self._reduced = _with_room(earlier.reduced, 0)
        # Columns, not rows, lie together in memory: robust_coefficients picks a few buckets of all rows.
        self._turned = np.zeros((length, len(self._reduced)))
        self._triangle = np.zeros((len(self._reduced), len(self._reduced)))
        self.leverage = np.zeros(length)
        self.uneven = any(is_uneven(row) for row in earlier.released)
        if self.size:
            self._orthonormalise()

    @property
    def turned(self) -> Floats:
        """Orthonormal rows of the same span, as the columns of an array of [bucket, row]."""
        return self._turned[:, : self.size]

    @property
    def released(self) -> Rows:
        """The sketches as they were released."""
        return self._released[: self.size]

    @property
    def norms(self) -> Floats:
        """Lengths of the reduced rows."""
        return np.asarray(np.linalg.norm(self._triangle[: self.size, : self.size], axis=1), np.float64)

    def reduced_rows(self, places: Sketch) -> Rows:
        """The reduced rows at these places."""
        rows: Rows = self._reduced[places]
        return rows

    def frozen(self) -> UnitHistory:
        """The rows it holds now, for the history."""
        return UnitHistory(self.released.copy(), self._reduced[: self.size].copy())

    def project_many(self, sketches: Sketch) -> list[Projection]:
        """Of [number, bucket], all in one go: much faster than one by one."""
        left = sketches.astype(np.float64)
        coefficients = left @ self.turned
        left -= coefficients @ self.turned.T
        again = left @ self.turned  # once leaves rounding behind; "twice is enough" (Kahan)
        left -= again @ self.turned.T
        coefficients += again
        return [Projection(*pair) for pair in zip(coefficients, left, strict=True)]

    def completed(self, projection: Projection) -> Projection:
        """The same projection, also onto the rows that were added since."""
        since = self._turned[:, len(projection.coefficients) : self.size]
        if not since.shape[1]:
            return projection
        more = projection.left @ since
        left = projection.left - since @ more
        again = left @ since
        coefficients = np.concatenate([projection.coefficients, more + again])
        return Projection(coefficients, left - since @ again)

    def combination(self, coefficients: Floats) -> Floats:
        """Coefficients on the orthonormal rows as coefficients on the reduced ones."""
        triangle = self._triangle[: self.size, : self.size]
        return np.asarray(solve_triangular(triangle, coefficients, lower=True, trans="T"), np.float64)

    def nearest(self, coefficients: Floats, *, denominator: int = 1) -> Sketch:
        """Whole numbers z: z / denominator rounds the combination, from the last reduced row to the first."""
        rest = coefficients * denominator
        triangle = self._triangle[: self.size, : self.size]
        diagonal = np.diagonal(triangle)
        found = np.zeros(self.size, np.int64)
        top = self.size
        while top:
            steps = np.rint(rest[:top] / diagonal[:top])
            places = np.flatnonzero(steps)
            if not places.size:
                break
            top = int(places[-1])
            found[top] = int(steps[top])
            rest[: top + 1] -= steps[top] * triangle[top, : top + 1]
        return found

    def remainder(self, sketch: Sketch, whole: Sketch, *, denominator: int = 1) -> Sketch:
        """denominator * sketch - whole @ reduced rows, exactly. Raises OverflowError where 64 bits may not do."""
        used = np.flatnonzero(whole)
        rows = self._reduced[used]
        largest = denominator * float(np.abs(sketch).max(initial=0))
        largest += float(np.abs(whole[used]).astype(np.float64) @ np.abs(rows).max(axis=1, initial=0))
        if largest >= 2.0**62:
            raise OverflowError
        return denominator * sketch - whole[used] @ rows

    def real_remainder(self, sketch: Sketch, coefficients: Floats) -> Sketch:
        """sketch - coefficients @ reduced rows, in hundredths and rounded: zero where floating point says zero."""
        return np.rint(100 * (sketch - coefficients @ self._reduced[: self.size])).astype(np.int64)

    def add(self, sketch: Sketch, projection: Projection) -> None:
        """Take in a sketch that is not in the span, with its completed projection."""
        reduced = sketch
        whole = self.nearest(projection.coefficients)
        if whole.any():
            smaller = self.remainder(sketch, whole)
            if np.abs(smaller).sum() < np.abs(sketch).sum():
                (reduced, (projection,)) = smaller, self.project_many(smaller[np.newaxis])
        self.uneven = self.uneven or is_uneven(sketch)
        self._grow()
        norm = float(np.linalg.norm(projection.left))
        row = projection.left / norm
        self._released[self.size], self._reduced[self.size] = sketch, reduced
        self._turned[:, self.size] = row
        self._triangle[self.size, : self.size] = projection.coefficients
        self._triangle[self.size, self.size] = norm
        self.leverage = self.leverage + row**2
        self.size += 1

    def drop_last(self) -> None:
        """Forget the sketch that was added last. `uneven` may stay: then the audit only looks more closely."""
        self.size -= 1
        self.leverage = self.leverage - self._turned[:, self.size] ** 2

    def _orthonormalise(self) -> None:
        """Cholesky of the rows' products, twice: as exact as Householder's QR and several times as fast.

        Fukaya, Nakatsukasa, Yanagisawa, Yamamoto 2014 (CholeskyQR2).
        """
        rows = self._reduced[: self.size].astype(np.float64)
        triangle = np.eye(self.size)
        for _ in range(2):
            factor = np.linalg.cholesky(rows @ rows.T)
            rows = solve_triangular(factor, rows, lower=True)
            triangle = triangle @ factor
        self._turned[:, : self.size] = rows.T
        self._triangle[: self.size, : self.size] = triangle
        self.leverage = np.einsum("ij,ij->j", rows, rows)

    def _grow(self) -> None:
        room = len(self._reduced)
        if self.size < room:
            return
        self._released, self._reduced = _with_room(self._released, room), _with_room(self._reduced, room)
        self._turned = np.pad(self._turned, ((0, 0), (0, len(self._reduced) - room)))
        self._triangle = np.pad(self._triangle, (0, len(self._reduced) - room))


def is_uneven(sketch: Sketch) -> bool:
    """Whether a few buckets weigh far more than others: then least squares looks at those only."""
    squares = sketch[sketch != 0].astype(np.float64) ** 2
    return bool(squares.size) and float(squares.max()) > _UNEVEN * float(squares.mean())


def _with_room(rows: Rows, more: int) -> Rows:
    return np.pad(rows, ((0, max(more, _ROOM)), (0, 0)))
