"""Fair division."""

from itertools import permutations

import numpy as np
import pytest

from mmm_models.peers.shapley import shapley_values

WEIGHT = np.ones((1, 1))


def in_one_cell(total):
    return lambda inside: np.array([[float(total(inside))]])


def test_a_left_glove_is_worth_more_than_one_of_two_right_ones():
    """One left and two right gloves; a pair is worth one. By hand: 2/3, 1/6, 1/6."""
    found = shapley_values(in_one_cell(lambda on: on[0] and (on[1] or on[2])), 3, weight=WEIGHT)

    assert found.values[0, 0] == pytest.approx([2 / 3, 1 / 6, 1 / 6])
    assert found.standard_error.tolist() == [0, 0, 0]


def test_exact_values_are_the_mean_over_all_orders():
    worth = np.random.default_rng(0).normal(size=2**4)
    total = in_one_cell(lambda on: worth[int(on @ (1 << np.arange(4)))])
    by_hand = np.zeros(4)
    for order in permutations(range(4)):
        inside = np.zeros(4, dtype=bool)
        for channel in order:
            before = total(inside)[0, 0]
            inside[channel] = True
            by_hand[channel] += (total(inside)[0, 0] - before) / 24

    assert shapley_values(total, 4, weight=WEIGHT).values[0, 0] == pytest.approx(by_hand)


def test_sampled_values_add_up_and_lie_within_their_error():
    """Twelve channels of which neighbours reinforce each other: each gets its own and half of both products."""
    own = np.arange(12.0)
    total = in_one_cell(lambda on: own @ on + 3.0 * (on[:-1] & on[1:]).sum())
    found = shapley_values(total, 12, weight=WEIGHT)
    truth = own + np.array([1.5, *[3.0] * 10, 1.5])

    assert found.values.sum() == pytest.approx(truth.sum())
    assert (np.abs(found.values[0, 0] - truth) <= 4 * found.standard_error + 1e-9).all()
    assert found.standard_error.max() < 0.5


def test_channels_that_do_not_interact_are_sampled_without_error():
    found = shapley_values(in_one_cell(lambda on: np.arange(12.0) @ on), 12, weight=WEIGHT)

    assert found.values[0, 0] == pytest.approx(np.arange(12.0))
    assert found.standard_error == pytest.approx(np.zeros(12), abs=1e-12)


def test_without_channels_there_is_nothing_to_divide():
    assert shapley_values(in_one_cell(lambda on: 5.0), 0, weight=WEIGHT).values.shape == (1, 1, 0)
