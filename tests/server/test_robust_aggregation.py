"""Flower's robust rules on silos' changes: hand arithmetic, one liar among honest silos, and too few silos."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from server.errors import SettingsInvalid
from server.robust_aggregation import RobustAggregation
from server.settings import RobustRule, RunSettings, parse_settings
from tests.small_federation import final_parameters, settings_for, train

Files = tuple[Path, ...]
ROBUST = [rule for rule in RobustRule if rule is not RobustRule.NONE]


def change(rule: RobustRule, *changes: list[float], suspected: int = 1) -> list[float]:
    return [float(value) for value in RobustAggregation(rule, suspected).change(np.array(changes))]


def test_the_median_is_that_of_each_parameter() -> None:
    assert change(RobustRule.MEDIAN, [1.0, 9.0], [2.0, 7.0], [1e6, 8.0]) == [2.0, 8.0]


def test_the_trimmed_mean_leaves_out_as_many_at_each_end_as_may_lie() -> None:
    sevens = [[value] for value in (-1e6, 1.0, 2.0, 3.0, 4.0, 5.0, 1e6)]

    assert change(RobustRule.TRIMMED_MEAN, *sevens) == [3.0]  # (1 + 2 + 3 + 4 + 5) / 5
    assert change(RobustRule.TRIMMED_MEAN, *sevens, suspected=2) == [3.0]  # (2 + 3 + 4) / 3
    assert change(RobustRule.TRIMMED_MEAN, [0.0], [3.0], [1e6]) == [3.0]


def test_krum_takes_the_silo_nearest_to_its_neighbours() -> None:
    """Five silos, one liar: each is scored by its 5 - 1 - 2 = 2 nearest. Scores 1+4.41, 1+1.21, 1.21+4.41, ..."""
    assert change(RobustRule.KRUM, [0.0], [1.0], [2.1], [5.0], [1e6]) == [1.0]


def test_multi_krum_averages_those_with_the_best_scores() -> None:
    """Seven silos, one liar: 7 - 1 - 2 = 4 are kept; of one cluster of five the outermost goes."""
    found = change(RobustRule.MULTI_KRUM, [0.0], [1.0], [2.0], [3.0], [5.0], [100.0], [1e6])

    assert found == [(0.0 + 1.0 + 2.0 + 3.0) / 4]


def test_bulyan_averages_the_selected_values_nearest_to_their_median() -> None:
    """Seven silos, one liar: krum selects 7 - 2 = 5, of which the 5 - 2 = 3 nearest to the median count."""
    found = change(RobustRule.BULYAN, [0.0], [1.0], [2.0], [3.0], [4.0], [1e5], [-1e6])

    assert found == [2.0]  # selected 0..4, median 2, nearest 1, 2, 3


@pytest.mark.parametrize("lie", [1e3, -1e3, 1e9])
@pytest.mark.parametrize("rule", ROBUST)
def test_one_liar_of_eight_leaves_the_change_within_the_honest_ones(rule: RobustRule, lie: float) -> None:
    honest = np.random.default_rng(1).normal(1.0, 0.3, (7, 5))

    found = RobustAggregation(rule).change(np.vstack([honest, np.full((1, 5), lie)]))

    assert (honest.min(axis=0) <= found).all()
    assert (found <= honest.max(axis=0)).all()


def test_the_mean_of_seven_honest_silos_and_a_liar_is_the_liars() -> None:
    honest = np.random.default_rng(1).normal(1.0, 0.3, (7, 5))

    found = RobustAggregation().change(np.vstack([honest, np.full((1, 5), 1e3)]))

    assert (found > honest.max(axis=0)).all()


@pytest.mark.parametrize("rule", ROBUST)
def test_silos_that_agree_are_believed(rule: RobustRule) -> None:
    assert change(rule, *[[1.0, -2.0]] * 7) == pytest.approx([1.0, -2.0])


def test_the_total_reads_like_a_sum_whose_mean_is_the_rules() -> None:
    """Three silos: weighted changes, weights 1, 2 and 5, one metric."""
    vectors = np.array([[1.0 * 1, 1.0, 10.0], [2.0 * 2, 2.0, 20.0], [1e6 * 5, 5.0, 30.0]])

    total = RobustAggregation(RobustRule.MEDIAN).total(vectors, 1)

    assert total.tolist() == [2.0 * 8, 8.0, 60.0]


def test_a_claimed_weight_moves_nothing() -> None:
    small, large = (
        RobustAggregation(RobustRule.MEDIAN).total(
            np.array([[1.0, 1.0], [2.0, 1.0], [9.0 * weight, weight]]), 1
        )
        for weight in (1.0, 1e6)
    )

    assert small[0] / small[1] == large[0] / large[1] == 2.0


@pytest.mark.parametrize(
    "rule, suspected, fewest",
    [
        (RobustRule.NONE, 3, 1),
        (RobustRule.MEDIAN, 1, 3),
        (RobustRule.TRIMMED_MEAN, 2, 5),
        (RobustRule.KRUM, 1, 5),
        (RobustRule.MULTI_KRUM, 2, 7),
        (RobustRule.BULYAN, 1, 7),
    ],
)
def test_a_rule_needs_enough_honest_silos(rule: RobustRule, suspected: int, fewest: int) -> None:
    chosen = RobustAggregation(rule, suspected)

    chosen.require_enough(fewest)
    if fewest > 1:
        with pytest.raises(SettingsInvalid, match=f"{rule} needs {fewest} silos"):
            chosen.require_enough(fewest - 1)


@pytest.mark.parametrize(
    "key, value",
    [
        ("update-norm-bound", -1.0),
        ("max-units-per-silo", -1),
        ("robust-rule", "mode"),
        ("suspected-silos", 0),
    ],
)
def test_a_setting_out_of_range_is_named(key: str, value: Any) -> None:
    with pytest.raises(SettingsInvalid, match=key):
        parse_settings({key: value})


@pytest.mark.parametrize("rule", ROBUST)
def test_masks_hide_what_a_rule_would_compare(rule: RobustRule) -> None:
    with pytest.raises(SettingsInvalid, match="--secure-aggregation none"):
        parse_settings({"robust-rule": rule.value})


def test_newton_steps_on_gradient_sums_which_no_rule_compares() -> None:
    with pytest.raises(SettingsInvalid, match="fedadam, fedavg or fedprox"):
        parse_settings({"robust-rule": "median", "secure-aggregation": "none", "strategy": "newton"})


def test_a_limit_on_units_is_refused_beside_noise() -> None:
    with pytest.raises(SettingsInvalid, match="max-units-per-silo"):
        parse_settings({"max-units-per-silo": 9, "privacy": "local", "epsilon": 1.0, "delta": 1e-4})


class TestARunOfFourSilos:
    """The small world, whose silos are few and small: enough to see that the rule is what steps the model."""

    def settings(self, out: Path, **changes: Any) -> RunSettings:
        return settings_for(out, rounds=2, secure_aggregation="none", **changes)

    def test_ends_elsewhere_with_a_robust_rule(self, silo_files: Files, tmp_path: Path) -> None:
        rules = {
            rule: self.settings(tmp_path / rule, robust_rule=rule)
            for rule in ("none", "median", "trimmed-mean")
        }
        ends = {}
        for rule, settings in rules.items():
            train(silo_files, settings)
            ends[rule] = final_parameters(settings)

        # of four silos the median is the mean of the middle two, and so is the mean without one at each end
        assert ends["median"] == pytest.approx(ends["trimmed-mean"], abs=1e-6)
        assert ends["median"] != pytest.approx(ends["none"], abs=1e-6)

    def test_is_refused_before_any_data_are_read_when_they_are_too_few(
        self, silo_files: Files, tmp_path: Path
    ) -> None:
        with pytest.raises(SettingsInvalid, match="krum needs 5 silos to stand 1 that lie; the run has 4"):
            train(silo_files, self.settings(tmp_path / "run", robust_rule="krum"))
