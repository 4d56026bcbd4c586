"""A small table of people with rare combinations, and an attacker's exact arithmetic over all that was released.

The attacker knows of every released number whom it counts, as if the tables were open, and asks: is there any linear
combination of released numbers that depends on at least one person and on fewer than k?
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Group = NDArray[np.bool_]
Floats = NDArray[np.float64]
Random = np.random.Generator
DIMENSIONS = ("region", "segment", "age", "channel")
_SHARES = (
    (0.3, 0.3, 0.25, 0.145, 0.005),
    (0.4, 0.3, 0.2, 0.09, 0.01),
    (0.25, 0.35, 0.2, 0.18, 0.02),
    (0.55, 0.41, 0.04),
)
_CLOSE = 1e-7


@dataclass(frozen=True)
class Population:
    """Everybody's value in each dimension, as numbers; the last values are rare."""

    values: NDArray[np.int64]

    @classmethod
    def of(cls, size: int, random: Random) -> Population:
        """So many people."""
        columns = [random.choice(len(shares), size, p=shares) for shares in _SHARES]
        return cls(np.stack(columns).astype(np.int64))

    @property
    def size(self) -> int:
        """How many there are."""
        return int(self.values.shape[1])

    def condition(self, random: Random, depth: int = 3) -> Group:
        """People who meet a random condition of comparisons with AND, OR and NOT."""
        kind = random.integers(0, 4) if depth else 0
        if kind == 0:
            return self.comparison(random)
        first = self.condition(random, depth - 1)
        if kind == 1:
            return ~first
        second = self.condition(random, depth - 1)
        return first & second if kind == 2 else first | second

    def comparison(self, random: Random) -> Group:
        """dimension = value, or dimension IN (...)."""
        dimension = int(random.integers(len(self.values)))
        column = self.values[dimension]
        count = int(random.integers(1, len(_SHARES[dimension])))
        return np.isin(column, random.choice(len(_SHARES[dimension]), count, replace=False))

    def cells(self, dimensions: Sequence[int]) -> Iterator[Group]:
        """A GROUP BY."""
        kinds = [range(len(_SHARES[dimension])) for dimension in dimensions]
        for chosen in itertools.product(*kinds):
            pairs = zip(dimensions, chosen, strict=True)
            yield np.logical_and.reduce([self.values[dimension] == value for dimension, value in pairs])

    def rare(self, random: Random, most: int) -> Group:
        """A combination of values that at least one and fewer than `most` people have."""
        while True:
            person = int(random.integers(self.size))
            count = int(random.integers(1, len(self.values) + 1))
            chosen = random.choice(len(self.values), count, replace=False)
            group: Group = np.logical_and.reduce([self.values[d] == self.values[d, person] for d in chosen])
            if group.sum() < most:
                return group


def random_question(people: Population, random: Random) -> list[Group]:
    """The groups of one question: a count, counts under conditions, a GROUP BY with or without its total."""
    where = people.condition(random) if random.random() < 0.7 else np.ones(people.size, bool)
    kind = random.integers(0, 3)
    if kind == 0:
        return [where]
    if kind == 1:
        return [where, where & people.condition(random)]
    count = int(random.integers(1, 3))
    dimensions = [int(d) for d in random.choice(len(people.values), count, replace=False)]
    cells = [where & cell for cell in people.cells(dimensions)]
    return [where, *cells] if random.random() < 0.5 else cells


def aimed_question(target: Group, people: Population, random: Random) -> list[Group]:
    """A question of somebody who is after a target of few people: pads it, leaves it out, parts what is around it."""
    pad = people.condition(random)
    kind = random.integers(0, 5)
    if kind == 0:
        return [pad | target]
    if kind == 1:
        return [pad & ~target]
    if kind == 2:
        return [pad]
    if kind == 3:
        return [pad | target, ~pad | target]
    other = people.condition(random)
    return [(pad & other) | target, pad & ~other, pad | other | target]


def smallest_compromise(
    released: Sequence[Group], min_group_size: int, targets: Sequence[Group] = ()
) -> int | None:
    """How many people a combination of released numbers is about, if that can be fewer than min_group_size.

    People who are in the same released groups are one atom. Some combination depends on atoms S only exactly if the
    projection onto the released numbers' row space, restricted to S, has an eigenvalue 1. Tried are all sets of up to
    three small atoms, the atoms inside each target, and greedy sets by how much of an atom is known. What
    floating point finds is shown again in fractions.
    """
    if not released:
        return None
    membership = np.stack(released).astype(np.int8)
    columns, sizes = np.unique(membership, axis=1, return_counts=True)
    _, singular, right = np.linalg.svd(columns.astype(np.float64), full_matrices=False)
    basis = right[singular > 1e-9 * singular.max()]
    known = basis.T @ basis
    found: int | None = None
    for chosen in _candidates(
        known, sizes, min_group_size, [_inside(columns, membership, t) for t in targets]
    ):
        places = list(chosen)
        if float(np.linalg.eigvalsh(known[np.ix_(places, places)])[-1]) > 1 - _CLOSE:
            weight = int(sizes[places].sum())
            if (found is None or weight < found) and _is_exact(columns, places):
                found = weight
    return found


def _inside(columns: NDArray[np.int8], membership: NDArray[np.int8], target: Group) -> tuple[int, ...]:
    """Atoms that hold members of the target."""
    wanted = {tuple(column) for column in membership[:, target].T}
    return tuple(place for place, column in enumerate(columns.T) if tuple(column) in wanted)


def _candidates(
    known: Floats, sizes: NDArray[np.int64], most: int, given: Sequence[tuple[int, ...]]
) -> Iterator[tuple[int, ...]]:
    leverage = np.diagonal(known)
    small = [int(place) for place in np.flatnonzero((sizes < most) & (leverage > 1e-6))]
    for chosen in given:
        if chosen and sizes[list(chosen)].sum() < most:
            yield chosen
    for count in (1, 2, 3):
        flat = itertools.chain.from_iterable(itertools.combinations(small, count))
        places = np.fromiter(flat, np.int64).reshape(-1, count)
        possible = (leverage[places].sum(axis=1) > 1 - _CLOSE) & (sizes[places].sum(axis=1) < most)
        yield from (tuple(int(place) for place in row) for row in places[possible])
    orders: list[Callable[[int], float]] = [
        lambda place: -float(leverage[place] / sizes[place]),
        lambda place: -float(leverage[place]),
        lambda place: float(sizes[place]),
    ]
    starts: list[tuple[int, ...]] = [(), *((place,) for place in small if leverage[place] > 0.2)]
    for order, start in itertools.product(orders, starts):
        yield from _greedy(sorted(small, key=order), start, sizes, most)


def _greedy(
    order: Sequence[int], start: tuple[int, ...], sizes: NDArray[np.int64], most: int
) -> Iterator[tuple[int, ...]]:
    chosen, weight = list(start), int(sizes[list(start)].sum())
    for place in order:
        if place not in chosen and weight + sizes[place] < most:
            chosen.append(place)
            weight += int(sizes[place])
    if len(chosen) > 3:
        yield tuple(chosen)


def _is_exact(columns: NDArray[np.int8], places: Sequence[int]) -> bool:
    """Whether some combination vanishes outside the places and not on them, in fractions."""
    outside = [place for place in range(columns.shape[1]) if place not in set(places)]
    return _rank(columns[:, outside]) < _rank(columns)


def _rank(matrix: NDArray[np.int8]) -> int:
    rows = [[Fraction(int(value)) for value in row] for row in matrix]
    rank = 0
    for column in range(matrix.shape[1]):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        top = rows[rank]
        for r in range(rank + 1, len(rows)):
            if rows[r][column]:
                factor = rows[r][column] / top[column]
                rows[r] = [a - factor * b for a, b in zip(rows[r], top, strict=True)]
        rank += 1
    return rank
