"""The allocation's programme: exact over its tables, S-shaped curves included."""

from itertools import product

import numpy as np
import pytest

from mmm_models.planning.cell_curves import CurveTables
from mmm_models.planning.feasible import Feasible, Row
from mmm_models.planning.piecewise import Aim, best_piecewise

GRID = np.linspace(0.0, 10.0, 11)
CONCAVE, S_SHAPED = np.sqrt(GRID), GRID**3 / (GRID**3 + 4.0**3) * 4.0


def tables(*curves: np.ndarray) -> CurveTables:
    return CurveTables(np.stack([GRID] * len(curves)), np.stack(curves))


def feasible(cells: int, *rows: Row) -> Feasible:
    return Feasible(np.zeros(cells), np.full(cells, 10.0), rows)


def brute_force(found: CurveTables, total: float) -> float:
    splits = product(range(11), repeat=len(found.money))
    return max(
        sum(found.revenue[cell, point] for cell, point in enumerate(split))
        for split in splits
        if sum(split) == total
    )


def value(found: CurveTables, split: np.ndarray) -> float:
    return sum(float(np.interp(x, m, r)) for x, m, r in zip(split, found.money, found.revenue, strict=True))


@pytest.mark.parametrize("total", [3.0, 7.0, 12.0])
@pytest.mark.parametrize(
    "curves", [(CONCAVE, 2 * CONCAVE, CONCAVE), (S_SHAPED, S_SHAPED, S_SHAPED), (S_SHAPED, CONCAVE)]
)
def test_it_finds_what_trying_everything_finds(curves: tuple[np.ndarray, ...], total: float) -> None:
    given = tables(*curves)
    split = best_piecewise(given, feasible(len(curves)), Aim(total=total))

    assert split is not None
    assert split.sum() == pytest.approx(total)
    assert value(given, split) >= brute_force(given, total) - 1e-6


def test_equal_s_shaped_channels_are_not_starved_equally() -> None:
    split = best_piecewise(tables(S_SHAPED, S_SHAPED), feasible(2), Aim(total=6.0))

    assert split is not None
    assert sorted(split.round(6).tolist()) == [0.0, 6.0]


def test_sums_and_prices_are_kept() -> None:
    given = tables(CONCAVE, CONCAVE)
    row = Row("both", np.array([1.0, 1.0]), 0.0, 5.0)
    limited = best_piecewise(given, feasible(2, row), Aim(price=0.0))
    dear = best_piecewise(given, feasible(2), Aim(price=0.5))

    assert limited is not None
    assert limited.sum() == pytest.approx(5.0)
    assert dear is not None
    assert np.allclose(dear, 1.0)


def test_many_s_shaped_channels_are_filled_one_after_the_other() -> None:
    many = CurveTables(np.stack([GRID] * 30), np.stack([S_SHAPED] * 30))
    split = best_piecewise(many, feasible(30), Aim(total=60.0))

    assert split is not None
    assert value(many, split) >= 10 * S_SHAPED[6] - 1e-6


def test_the_size_of_money_does_not_matter() -> None:
    given = tables(S_SHAPED, CONCAVE)
    large = CurveTables(1e9 * given.money, 1e12 * given.revenue)
    limits = Feasible(np.zeros(2), np.full(2, 1e10), ())
    split = best_piecewise(large, limits, Aim(total=7e9))
    small = best_piecewise(given, feasible(2), Aim(total=7.0))

    assert split is not None
    assert small is not None
    np.testing.assert_allclose(split, 1e9 * small, rtol=1e-6)
