"""Earlier weeks to learn from, later ones to judge by."""

import numpy as np
import pytest

from mmm_models.errors import NothingToLearnFrom
from mmm_models.spec import ModelSpec
from mmm_models.unit_data import split_weeks
from mmm_models.validation.early_stopping import EarlyStopping
from mmm_models.validation.splits import hold_out, inner_validation, rolling_origin
from tests.mmm_models.small_panels import small_panel


def weeks_of(mask: np.ndarray) -> list[int]:
    return np.flatnonzero(mask.any(axis=0)).tolist()


def test_the_hold_out_is_that_of_the_neural_mmm():
    panel = small_panel()
    for weeks in (0, 8, 40):
        split, (train, test) = hold_out(panel, weeks), split_weeks(panel, ModelSpec(), weeks)
        assert (split.learn == train).all()
        assert (split.judge == test).all()


def test_without_outcomes_nothing_can_be_learnt():
    with pytest.raises(NothingToLearnFrom):
        hold_out(small_panel(outcome=np.zeros((3, 60))), 8)


def test_every_origin_is_judged_by_the_weeks_right_after_it():
    learn = np.ones((2, 60), dtype=bool)
    learn[:, 50:] = False

    splits = rolling_origin(learn, folds=3, weeks=8)

    assert [weeks_of(split.judge) for split in splits] == [
        list(range(26, 34)), list(range(34, 42)), list(range(42, 50)),
    ]  # fmt: skip
    assert [weeks_of(split.learn) for split in splits] == [list(range(n)) for n in (26, 34, 42)]


def test_folds_never_leave_the_weeks_they_may_learn_from():
    learn = np.random.default_rng(0).random((4, 40)) < 0.7
    learn[:, 30:] = False
    for split in rolling_origin(learn):
        assert not ((split.learn | split.judge) & ~learn).any()
        assert max(weeks_of(split.learn)) < min(weeks_of(split.judge))


def test_a_short_history_has_short_folds_or_none():
    assert [len(weeks_of(s.judge)) for s in rolling_origin(np.ones((1, 15), dtype=bool))] == [2, 2, 2]
    assert rolling_origin(np.ones((1, 5), dtype=bool)) == ()


def test_inner_validation_is_the_last_weeks_or_everything():
    split = inner_validation(np.ones((1, 40), dtype=bool))
    assert (weeks_of(split.judge), len(weeks_of(split.learn))) == (list(range(32, 40)), 32)
    whole = inner_validation(np.ones((1, 1), dtype=bool))
    assert weeks_of(whole.learn) == weeks_of(whole.judge) == [0]


def test_learning_stops_when_patience_is_spent_and_the_best_step_is_known():
    stopping = EarlyStopping(patience=2)
    told = [stopping.should_stop(error) for error in (3.0, 1.0, 2.0, 1.5)]

    assert told == [False, False, False, True]
    assert (stopping.best_step, stopping.best_error) == (2, 1.0)


def test_an_error_that_is_not_a_number_never_is_the_best():
    stopping = EarlyStopping(patience=2)

    assert [stopping.should_stop(float("nan")) for _ in range(2)] == [False, True]
    assert stopping.best_step == 0
