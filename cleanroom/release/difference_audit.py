"""Whether a new number, combined with earlier ones, would be about too few people.

Every released number is a sum over people, hence linear, and so is its sketch: a combination of numbers about few
people is a combination of sketches with few buckets that are not zero. That is what is looked for; a bucket that two
people share only makes the audit stricter.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from cleanroom.release.history import History, UnitHistory
from cleanroom.release.information_sets import touched_by_picks
from cleanroom.release.sketch_span import Floats, Projection, Sketch, SketchSpan, UnitSketch
from cleanroom.release.sparse_remainder import robust_coefficients
from cleanroom.release.weighted_fit import weighted_coefficients

DENOMINATORS = (1, 2, 3)
SPAN_DENOMINATORS = (1, 2, 3, 4, 5, 6)
MOST_UNDECIDED = 6
UNDECIDED = 0.15  # from the next whole number
MOST_DETERMINED = 0.1  # mean leverage of a number's buckets, beyond that of all buckets
_SAME = 1e-3  # of one step; real differences of denominators up to 6 are 1/6 and more


class Finding(StrEnum):
    """What a new sketch adds to what is known."""

    NEW = "new"
    KNOWN = "known"
    TOO_CLOSE = "difference"
    FULL = "history full"


_OBJECTIONS = (Finding.TOO_CLOSE, Finding.FULL)


@dataclass(frozen=True)
class Candidate:
    """A number that may be released: its sketches, and where they lay when the audit first saw them."""

    sketches: tuple[UnitSketch, ...]
    projections: tuple[Projection, ...]


@dataclass
class DifferenceAudit:
    """Audits the numbers of one result one after the other; what is accepted counts for the next.

    Guarantee: a number is refused when d * number - sum of whole multiples of released numbers of its unit depends on
        at least one and fewer than `min_group_size` people, for d = 1, 2, 3, where the search finds such a combination:
        always for a single released number, and in practice for unions, complements, subtotals and trackers made
        of many (each candidate's remainder is computed exactly; what may fail is finding the candidate).
    Unit: one person, recognised by the hashed identity, across queries, analysts and uploads.
    Not covered: groups that overlap a lot among only a few hundred people, where the search may miss a combination of
        several whose remainder is just below `min_group_size`; combinations with larger denominators, unless nearly
        all buckets fit them exactly; differences of `min_group_size` people and more; numbers of different units; what
        an analyst knows from elsewhere; two people whose contributions cancel in the same two buckets (1 in
        buckets**2 per pair).
    A full history is closed, not forgotten: then only what is already known is let through. So are few people about
    whom many numbers are out (`_told_enough`).
    Sources: Denning, Denning, Schwartz 1979 (trackers); Chin, Ozsoyoglu 1982 (auditing by linear algebra);
        Eppstein, Goodrich, Uyeda, Varghese 2011 (differences of sets from small sketches).
    """

    history: History
    min_group_size: int
    _spans: dict[str, SketchSpan] = field(default_factory=dict)

    def candidates(self, numbers: Sequence[Sequence[UnitSketch]]) -> list[Candidate]:
        """Numbers of one result, each as its sketches, made ready together, which is faster. In their order."""
        every = [one for number in numbers for one in number]
        found: dict[int, Projection] = {}
        for unit in sorted({one.unit for one in every}):
            places = [place for place, one in enumerate(every) if one.unit == unit]
            stacked = np.stack([every[place].sketch for place in places])
            found |= dict(zip(places, self._span(unit).project_many(stacked), strict=True))
        projections = iter(found[place] for place in range(len(every)))
        return [
            Candidate(tuple(number), tuple(itertools.islice(projections, len(number)))) for number in numbers
        ]

    def judge(self, candidate: Candidate) -> Finding:
        """The first objection to a number, else NEW or KNOWN. It is remembered unless there is an objection."""
        grown: list[SketchSpan] = []
        objection: Finding | None = None
        for one, projection in zip(candidate.sketches, candidate.projections, strict=True):
            span = self._span(one.unit)
            now = span.completed(projection)
            finding = self._find(span, one.sketch, now)
            if finding in _OBJECTIONS:
                objection = finding
                break
            if finding is Finding.NEW:
                span.add(one.sketch, now)
                grown.append(span)
        if objection is None:
            return Finding.NEW if grown else Finding.KNOWN
        for span in reversed(grown):
            span.drop_last()
        return objection

    def updated_history(self) -> History:
        """The history with everything that was accepted."""
        grown = {unit: span for unit, span in self._spans.items() if span.size != self._earlier(unit).size}
        return self.history.with_units({unit: span.frozen() for unit, span in grown.items()})

    def _find(self, span: SketchSpan, sketch: Sketch, projection: Projection) -> Finding:
        if not sketch.any():
            return Finding.KNOWN  # a sum of zeros: the same as the number 0
        if np.abs(projection.left).max() <= _SAME + 1e-12 * float(np.abs(sketch).max()):
            return self._find_inside(span, sketch, projection)
        counts = [self._touched(sketch - row) for row in self._close_rows(span, sketch)]
        counts += self._combined_counts(span, sketch, projection)
        if 0 in counts:
            return Finding.KNOWN
        if any(count < self.min_group_size for count in counts):
            return Finding.TOO_CLOSE
        exhausted = span.size >= self.history.capacity or _told_enough(span, sketch)
        return Finding.FULL if exhausted else Finding.NEW

    def _find_inside(self, span: SketchSpan, sketch: Sketch, projection: Projection) -> Finding:
        """Within rounding of the span: known if exactly so, refused if that cannot be shown."""
        for denominator in SPAN_DENOMINATORS:
            whole = span.nearest(projection.coefficients, denominator=denominator)
            if self._count(span, sketch, whole, denominator) == 0:
                return Finding.KNOWN
        return Finding.TOO_CLOSE

    def _combined_counts(self, span: SketchSpan, sketch: Sketch, projection: Projection) -> list[int]:
        """People, at least, behind each combination worth trying. The number by itself is not among them."""
        if not span.size:
            return []
        robust = robust_coefficients(span, projection, self.min_group_size)
        fits = [fit for fit in (robust, weighted_coefficients(span, sketch, projection)) if fit.size]
        counts = []
        for denominator in DENOMINATORS:
            candidates = [span.nearest(projection.coefficients, denominator=denominator)]
            candidates += [np.rint(fit * denominator).astype(np.int64) for fit in fits]
            counts += [self._count(span, sketch, whole, denominator) for whole in candidates if whole.any()]
        for fit in (span.combination(projection.coefficients), *fits):
            counts += [self._count(span, sketch, whole, 1) for whole in _roundings(fit) if whole.any()]
        counts += touched_by_picks(span, sketch, projection, self.min_group_size)
        if robust.size and np.abs(robust).max() > _SAME:
            counts.append(self._touched(span.real_remainder(sketch, robust)))
        return counts

    def _close_rows(self, span: SketchSpan, sketch: Sketch) -> Sketch:
        """Released rows that the first buckets do not already tell apart from it: first a quarter, then a half."""
        close: Sketch = span.released
        for columns in (self.history.buckets // 4, self.history.buckets):
            different = np.count_nonzero(close[:, :columns] != sketch[:columns], axis=1)
            close = close[different < self.min_group_size]
        return close

    def _count(self, span: SketchSpan, sketch: Sketch, whole: Sketch, denominator: int) -> int:
        try:
            return self._touched(span.remainder(sketch, whole, denominator=denominator))
        except OverflowError:
            return 1  # cannot be shown to be harmless

    def _touched(self, remainder: Sketch) -> int:
        """At most as many as there are people behind it: the buckets of the fuller half that are not zero."""
        return int(np.count_nonzero(remainder.reshape(2, -1), axis=1).max())

    def _span(self, unit: str) -> SketchSpan:
        if unit not in self._spans:
            self._spans[unit] = SketchSpan(self._earlier(unit))
        return self._spans[unit]

    def _earlier(self, unit: str) -> UnitHistory:
        nothing = np.zeros((0, self.history.length), np.int64)
        return self.history.units.get(unit) or UnitHistory(nothing, nothing.copy())


def _told_enough(span: SketchSpan, sketch: Sketch) -> bool:
    """Whether so many independent numbers are about these few people that their answers could be reconstructed.

    Each equation may be about many, yet with half as many equations as people, yes-or-no answers of all of them follow
    by linear programming, and with about 2 / log2(n) as many in principle (Dinur, Nissim 2003). A bucket's leverage is
    how far it is determined; what chance alone gives a bucket is taken off, so that partitions of many people, who
    fill all buckets, are never held back. It comes to a fifth to a third as many numbers as people, up to 3,000 people;
    beyond that the history's capacity is the bound.
    """
    own = span.leverage[sketch != 0]
    chance = span.size / len(sketch) + 2 * float(span.leverage.std()) / len(own) ** 0.5
    return bool(float(own.mean()) - chance > MOST_DETERMINED)


def _roundings(fit: Floats) -> list[Sketch]:
    """Both ways of rounding the coefficients that lie furthest from whole numbers, in all combinations."""
    whole = np.rint(fit).astype(np.int64)
    distance = np.abs(fit - whole)
    places = [int(place) for place in np.argsort(-distance)[:MOST_UNDECIDED] if distance[place] > UNDECIDED]
    found = []
    for chosen in itertools.product((False, True), repeat=len(places)) if places else ():
        other = whole.copy()
        for place, flips in zip(places, chosen, strict=True):
            other[place] += int(np.sign(fit[place] - whole[place])) * flips
        found.append(other)
    return found
