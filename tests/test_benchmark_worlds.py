"""What benchmarks of attribution take for true: interventions, simulated experiments, varied worlds, coverage."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from benchmarks.interval_coverage import CONTRIBUTION, MARGINAL_ROI, interval_coverage
from benchmarks.interventions import true_curve, true_lift
from benchmarks.known_worlds import scenario
from benchmarks.simulated_lifts import (
    EXPERIMENT_WEEKS,
    least_identified,
    simulate_lift_test,
    two_lift_tests,
)
from benchmarks.truth_errors import result_errors, truth_errors
from benchmarks.varied_worlds import (
    ELASTICITIES,
    FOLLOW_STRENGTHS,
    NOISE,
    SHARE_LOG_SD,
    SLOPES,
    vary,
)
from mmm_models.results import ChannelResult, HoldoutFit, Interval, ResponseCurve, Results
from simulations.scenario import Scenario, load_scenario
from simulations.world import World, make_world

SEARCH = 4  # of the channels of `geo`


@lru_cache(maxsize=1)
def toy_world() -> World:
    return make_world(scenario(quick=True, seed=1, name="geo"))


def truthful_results(world: World, *, width: float) -> Results:
    """What a model would say that knows the truth and gives intervals of a relative `width` around it."""
    multipliers = (0.5, 1.0, 1.5)
    curves = np.array([true_curve(world, multiplier) for multiplier in multipliers])

    def around(value: float) -> Interval:
        return Interval(value * (1 - width / 2), value * (1 + width / 2))

    truths = world.channel_truths()
    return Results(
        outcome=world.total_outcome,
        outcome_unit="EUR",
        revenue=world.total_outcome,
        currency="EUR",
        units=6.0,
        channels=tuple(
            ChannelResult(
                t.name,
                "paid",
                t.spend,
                t.contribution,
                t.share,
                t.roi,
                t.marginal_roi,
                contribution_interval=around(t.contribution),
                roi_interval=around(t.roi),
                marginal_roi_interval=around(t.marginal_roi),
            )
            for t in truths
        ),
        curves=tuple(
            ResponseCurve(
                t.name,
                multipliers,
                tuple(m * t.spend for m in multipliers),
                tuple(curves[:, index]),
                low=tuple(curves[:, index] * (1 - width / 2)),
                high=tuple(curves[:, index] * (1 + width / 2)),
            )
            for index, t in enumerate(truths)
        ),
        holdout=HoldoutFit(0, 0.0, np.nan, np.nan, np.nan),
    )


def test_a_curve_passes_through_zero_and_the_contribution() -> None:
    world = toy_world()
    contribution = [truth.contribution for truth in world.channel_truths()]

    assert true_curve(world, 0.0) == pytest.approx(np.zeros(5))
    assert true_curve(world, 1.0) == pytest.approx(contribution)
    assert (true_curve(world, 1.5) > contribution).all()


def test_switching_a_channel_off_for_good_loses_its_contribution() -> None:
    world = toy_world()

    for index, truth in enumerate(world.channel_truths()):
        assert true_lift(world, index, slice(0, 104)) == pytest.approx(truth.contribution)


def test_a_lift_leaves_out_what_is_carried_into_and_out_of_its_weeks() -> None:
    """Search acts within few weeks: 16 weeks off lose a little less than what those weeks were credited with."""
    world = toy_world()
    credited = sum(silo.contribution[:, EXPERIMENT_WEEKS, SEARCH].sum() for silo in world.silos)
    lift = true_lift(world, SEARCH, EXPERIMENT_WEEKS)

    assert 0.9 * credited < lift < credited


def test_a_lift_test_tells_the_truth_with_the_error_it_states() -> None:
    """Over many seeds the error is as large as stated and on neither side."""
    errors = []
    for seed in range(40):
        world = make_world(scenario(quick=True, seed=seed, name="geo"))
        test = simulate_lift_test(world, "search", error_share=0.05)
        truth = true_lift(world, SEARCH, EXPERIMENT_WEEKS)
        assert test.standard_error == pytest.approx(0.05 * truth)
        errors.append((test.lift - truth) / test.standard_error)

    assert abs(np.mean(errors)) < 4 / np.sqrt(40)
    assert abs(np.std(errors) - 1.0) < 4 / np.sqrt(2 * 40)


def test_a_lift_test_names_the_weeks_of_the_experiment() -> None:
    world = toy_world()
    test = simulate_lift_test(world, "search", error_share=0.05)
    weeks = world.panels[0].weeks
    inside = (weeks >= np.datetime64(test.first_week)) & (weeks <= np.datetime64(test.last_week))

    assert np.flatnonzero(inside).tolist() == list(range(60, 76))
    assert test.units is None
    assert EXPERIMENT_WEEKS.stop <= world.scenario.weeks - world.scenario.holdout_weeks


def test_experiments_are_run_where_intervals_are_widest_for_what_they_are_about() -> None:
    world = toy_world()
    results = truthful_results(world, width=0.5)
    wide = {"outdoor": 2.0, "display": 3.0}
    rows = [
        replace(row, contribution_interval=Interval(0.0, wide.get(row.channel, 1.0) * row.contribution))
        for row in results.channels
    ]
    results = replace(results, channels=tuple(rows))

    assert least_identified(results)[:2] == ("display", "outdoor")
    assert [test.channel for test in two_lift_tests(world, results, error_share=0.05)] == [
        "display",
        "outdoor",
    ]


def test_errors_of_the_truth_are_zero_and_of_twice_the_truth_all_of_it() -> None:
    world = toy_world()
    truths = world.channel_truths()
    exact = result_errors(truthful_results(world, width=0.1), world)
    twice = truth_errors(np.array([2 * truth.contribution for truth in truths]), world)

    assert (exact.mean_relative, exact.share_points, exact.total_media) == pytest.approx((0.0, 0.0, 0.0))
    assert (twice.mean_relative, twice.total_media) == pytest.approx((1.0, 1.0))
    assert twice.share_points == pytest.approx(100 * np.mean([truth.share for truth in truths]))


def test_intervals_around_the_truth_cover_it() -> None:
    world = toy_world()
    found = interval_coverage(truthful_results(world, width=0.4), world)

    assert all(covered.all() for covered in found.covered.values())
    assert found.width == pytest.approx(np.full(5, 0.4))


def test_an_interval_beside_the_truth_or_none_covers_nothing() -> None:
    world = toy_world()
    results = truthful_results(world, width=0.4)
    first, second, *others = results.channels
    beside = replace(
        first, contribution_interval=Interval(1.1 * first.contribution, 2.0 * first.contribution)
    )
    without = replace(second, marginal_roi_interval=Interval())
    found = interval_coverage(replace(results, channels=(beside, without, *others)), world)

    assert found.covered[CONTRIBUTION].tolist() == [False, True, True, True, True]
    assert found.covered[MARGINAL_ROI].tolist() == [True, False, True, True, True]


def test_varied_worlds_differ_in_their_truth_as_far_as_they_say() -> None:
    geo = load_scenario("geo")
    drawn = [vary(geo.model_copy(update={"seed": seed})) for seed in range(200)]
    logs = np.array([np.log(_shares(world) / _shares(geo)) for world in drawn])
    channels = [channel for world in drawn for channel in world.channels]

    assert np.std(logs) == pytest.approx(SHARE_LOG_SD, rel=0.1)
    assert all(SLOPES[0] <= channel.slope <= SLOPES[1] for channel in channels)
    assert all(ELASTICITIES[0] <= channel.demand_elasticity <= ELASTICITIES[1] for channel in channels)
    assert all(FOLLOW_STRENGTHS[0] <= channel.follow_strength <= FOLLOW_STRENGTHS[1] for channel in channels)
    assert all(NOISE[0] <= w.baseline.noise_low <= w.baseline.noise_high <= NOISE[1] for w in drawn)


def test_a_varied_world_is_a_valid_scenario_and_the_same_each_time() -> None:
    geo = load_scenario("geo", seed=7)

    assert Scenario.model_validate(vary(geo).model_dump()) == vary(geo)
    assert vary(geo) != vary(geo.model_copy(update={"seed": 8}))


def _shares(described: Scenario) -> np.ndarray:
    return np.array([channel.sales_share for channel in described.channels])
