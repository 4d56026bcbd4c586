"""Uplift of a randomised trial: effects are the known ones with honest errors, and a trial that was none is noticed."""

from datetime import date

import numpy as np
import pytest

from mmm_models.experiments.balance import check_balance
from mmm_models.experiments.lift_entry_text import add_lift
from mmm_models.experiments.lift_errors import LiftFileInvalid, LiftInvalid, RandomisationDoubtful
from mmm_models.experiments.lift_file import lifts_from, read_lift_file
from mmm_models.experiments.trial import Trial
from mmm_models.experiments.trial_lift import TrialScope, trial_lift
from mmm_models.experiments.uplift import measure_uplift
from tests.mmm_models.small_panels import small_panel

SCOPE = TrialScope("social", date(2024, 3, 4), date(2024, 3, 31), 10_000)


def trial(*, people=4000, seed=0, effect=0.5, varies=0.5, chance=0.5, **parts):
    """Effect `effect` plus `varies` for those whose first covariate is above 0; the second moves the outcome only.

    chance: of treatment; it may depend on the covariates [person].
    """
    rng = np.random.default_rng(seed)
    known = rng.standard_normal((people, 2))
    treated = rng.random(people) < (chance(known) if callable(chance) else chance)
    gain = effect + varies * (known[:, 0] > 0)
    fields = {
        "treated": treated,
        "outcome": 2 * known[:, 1] + gain * treated + rng.standard_normal(people),
        "covariates": known,
        "covariate_names": ("likes", "spends"),
        "segment": np.where(known[:, 0] > 0, "likes it", "does not").astype(object),
        **parts,
    }
    return Trial(**fields)


def within(effect, truth, errors=4):
    return abs(effect.effect - truth) < errors * effect.standard_error


def test_average_and_segments_are_the_known_effects():
    measured = measure_uplift(trial())

    segments = {item.segment: item.effect for item in measured.segments}
    assert within(measured.average, 0.75)
    assert within(measured.unadjusted, 0.75)
    assert within(segments["likes it"], 1.0)
    assert within(segments["does not"], 0.5)
    assert segments["likes it"].people + segments["does not"].people == 4000


def test_covariates_that_explain_the_outcome_narrow_the_error():
    """Of a variance of 4 + 1 + a little, they explain 4."""
    measured = measure_uplift(trial())

    assert measured.average.standard_error < 0.6 * measured.unadjusted.standard_error


def test_without_covariates_the_uplift_is_the_difference_of_means():
    one = trial(covariates=np.zeros((4000, 0)), covariate_names=())
    groups = one.outcome[one.treated], one.outcome[~one.treated]

    measured = measure_uplift(one)

    assert measured.average == measured.unadjusted
    assert measured.average.effect == pytest.approx(groups[0].mean() - groups[1].mean())
    assert np.isnan(measured.qini.effect)
    assert measured.balance.p_value == 1.0


def test_ranking_gains_where_the_effect_can_be_foretold_and_only_there():
    """Half of the people have 1, half 0: treating the better half first gains a triangle of height 1/2 * 1/2."""
    foretold = measure_uplift(trial(effect=0.0, varies=1.0, people=8000)).qini
    same = measure_uplift(trial(varies=0.0, people=8000)).qini

    assert within(foretold, 0.125)
    assert foretold.effect > 4 * foretold.standard_error
    assert within(same, 0.0)


def test_the_same_trial_gives_the_same_numbers():
    assert measure_uplift(trial(people=600)) == measure_uplift(trial(people=600))


@pytest.mark.slow
def test_standard_errors_are_as_large_as_the_errors():
    """Of 60 trials with a fifth treated: error over standard error spreads by near 1."""
    scores = [
        (found.effect - 0.5) / found.standard_error
        for found in (
            measure_uplift(trial(people=1000, seed=seed, varies=0.0, chance=0.2)).average
            for seed in range(60)
        )
    ]

    assert 0.75 < np.sqrt(np.mean(np.square(scores))) < 1.3


def test_a_segment_of_few_people_has_no_number():
    segment = np.array(["many"] * 3960 + ["few"] * 40, dtype=object)

    effects = {item.segment: item.effect for item in measure_uplift(trial(segment=segment)).segments}

    assert effects["few"].people == 40
    assert np.isnan(effects["few"].effect)
    assert np.isfinite(effects["many"].effect)


# --- balance --------------------------------------------------------------------------------------------


def test_a_randomised_trial_is_balanced_and_a_chosen_treatment_is_not():
    chosen = trial(chance=lambda known: 1 / (1 + np.exp(-known[:, 1])))

    balance = check_balance(chosen)

    assert not check_balance(trial()).is_doubtful
    assert balance.is_doubtful
    assert balance.covariates[0].name == "spends"
    assert balance.covariates[0].difference > 0.5


def test_the_p_value_is_as_rare_as_it_says():
    """Of 400 randomised trials, about a fifth have one under 0.2: between 16 % and 24 % at two standard errors."""
    values = [check_balance(trial(people=300, seed=seed)).p_value for seed in range(400)]

    assert 0.16 < np.mean(np.array(values) < 0.2) < 0.24


def test_columns_that_say_the_same_twice_change_nothing():
    one = trial()
    twice = trial(
        covariates=np.column_stack([one.covariates, one.covariates.sum(axis=1)]),
        covariate_names=(*one.covariate_names, "both"),
    )

    assert check_balance(twice).p_value == pytest.approx(check_balance(one).p_value, rel=1e-6)


# --- as a lift ------------------------------------------------------------------------------------------


def test_the_lift_is_the_average_times_the_people_and_goes_through_a_file(tmp_path):
    measured = measure_uplift(trial(people=600))
    lift = trial_lift(measured, SCOPE, source='the "first" trial')
    path = tmp_path / "lifts.toml"

    add_lift(lift, path)
    add_lift(lift, path)

    assert lift.lift == pytest.approx(measured.average.effect * 10_000)
    assert (lift.first_week, lift.last_week, lift.change) == (date(2024, 3, 4), date(2024, 3, 25), -1.0)
    assert lifts_from(read_lift_file(path), small_panel(), lambda entry: lift) == (lift, lift)


def test_a_damaged_lift_file_stays_as_it_was(tmp_path):
    path = tmp_path / "lifts.toml"
    path.write_text("lift = 3", encoding="utf-8")

    with pytest.raises(LiftFileInvalid):
        add_lift(trial_lift(measure_uplift(trial(people=600)), SCOPE, source="x"), path)

    assert path.read_text(encoding="utf-8") == "lift = 3"


def test_a_treatment_that_was_not_random_gives_no_lift():
    measured = measure_uplift(trial(chance=lambda known: 1 / (1 + np.exp(-known[:, 1]))))

    with pytest.raises(RandomisationDoubtful, match="most of all spends; no lift was written") as refused:
        trial_lift(measured, SCOPE, source="x")

    assert "how treatment was dealt out" in refused.value.hint


def test_a_period_of_half_a_week_is_refused():
    with pytest.raises(LiftInvalid, match="no whole number of weeks"):
        TrialScope("social", date(2024, 3, 4), date(2024, 3, 30), 10)
