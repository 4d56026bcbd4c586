"""Facts of a channel agree with what a plan and a what-if answer say, and with closed forms."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mmm_models.contribution_totals import MULTIPLIERS
from mmm_models.explaining.channel_facts import channel_facts
from mmm_models.explaining.explanation import explain
from mmm_models.planning.changes import Change
from mmm_models.planning.limits import limits_from
from mmm_models.planning.plan_basis import Part, PlanBasis
from mmm_models.planning.planner import Planner
from mmm_models.spec import ModelSpec
from mmm_models.stored_model import StoredModel
from mmm_models.training import get_vector
from tests.mmm_models.explaining.small_runs import PERIOD, small_run
from tests.mmm_models.planning.small_bases import small_model
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel


def synergetic(basis: PlanBasis, model: StoredModel) -> StoredModel:
    """The same model with a synergy of its two channels."""
    spec = ModelSpec(max_lag_weeks=4, synergy=True)
    scales, _ = prepared(small_panel(), spec)
    response = scattered_response(spec, len(basis.channels))
    size = get_vector(response).size
    described = model.description.model_copy(update={"model": spec})
    return StoredModel(described, scales, get_vector(response), 0.02 * np.eye(size))


@pytest.mark.parametrize("synergy", [False, True])
def test_ten_per_cent_more_and_less_are_what_if_answers(synergy: bool) -> None:
    basis, model = small_run()
    model = synergetic(basis, model) if synergy else model
    planner = Planner(model, basis.merged(), PERIOD)

    for fact in channel_facts(planner.measures):
        more = planner.what_if([Change(fact.channel, factor=1.1)]).changed
        less = planner.what_if([Change(fact.channel, factor=0.9)]).changed
        around = [planner.what_if([Change(fact.channel, factor=at)]).changed for at in (0.995, 1.005)]

        assert fact.ten_more.value == pytest.approx(more.gain)
        assert fact.ten_more.interval.high == pytest.approx(more.gain_interval.high)
        assert fact.ten_less.value == pytest.approx(-less.gain)
        assert fact.ten_less.interval.low == pytest.approx(-less.gain_interval.high)
        gained = around[1].gain - around[0].gain
        assert fact.marginal_roi.value == pytest.approx(gained / (0.01 * fact.spend))


@pytest.mark.parametrize("synergy", [False, True])
@pytest.mark.parametrize("by_part", [False, True])
def test_a_marginal_return_is_that_of_the_plan_that_changes_nothing(synergy: bool, by_part: bool) -> None:
    basis, model = small_run()
    model = synergetic(basis, model) if synergy else model
    planner = Planner(model, basis if by_part else basis.merged(), PERIOD)
    plan = planner.plan(limits=limits_from({"change": "0%"}))

    facts = channel_facts(planner.measures)
    assert [fact.marginal_roi.value for fact in facts] == pytest.approx(
        [cell.marginal_roi for cell in plan.cells], rel=1e-9
    )
    for fact, cell in zip(facts, plan.cells, strict=True):
        assert fact.marginal_roi.interval.low == pytest.approx(cell.marginal_roi_interval.low)
        assert fact.marginal_roi.interval.high == pytest.approx(cell.marginal_roi_interval.high)


def test_returns_and_shares_are_those_of_the_last_period() -> None:
    basis, model = small_run()
    planner = Planner(model, basis, PERIOD)
    last = planner.what_if([Change("c0", factor=1.0)])

    for fact, cell in zip(channel_facts(planner.measures), last.channels, strict=True):
        part = basis.parts[[part.name for part in basis.parts].index(fact.part)]
        spend = part.spend[-PERIOD:, basis.channels.index(fact.channel)].sum()
        assert (fact.part, fact.channel) == (cell.part, cell.channel)
        assert fact.spend == pytest.approx(spend)
        assert fact.roi.value == pytest.approx(cell.last_revenue / spend)
        assert fact.share.value == pytest.approx(cell.last_revenue / part.outcome[-PERIOD:].sum())


def steady_run() -> tuple[PlanBasis, StoredModel]:
    """Typical media in every week, so that the curve is a single Hill curve, without intervals."""
    model = small_model(small_panel())
    named = {name: value.detach().double().numpy() for name, value in model.response().named_parameters()}
    slope, half = np.exp(named["log_slope"]), np.exp(named["log_half_saturation"])
    weeks, level = 40, 100.0
    shape = np.array(
        [[m**k / (m**k + b**k) * (1 + b**k) for m in MULTIPLIERS] for k, b in zip(slope, half, strict=True)]
    )
    curves = np.exp(named["log_effect"])[:, None] * shape * weeks * level
    part = Part(
        "all", *(np.full(weeks, 1000.0), np.full(weeks, level), np.full((weeks, 2), 5.0), np.ones((weeks, 2))),
        np.tile(curves[:, [4]].T / weeks, (weeks, 1)), curves, 1.0,
    )  # fmt: skip
    weeks_from = np.datetime64("2024-01-01", "D") + 7 * np.arange(weeks).astype("timedelta64[D]")
    return PlanBasis(
        ("c0", "c1"), ("paid", "paid"), "EUR", "EUR", weeks_from, (part,), noise=np.zeros(2)
    ), model


def test_saturation_is_that_of_the_hill_curve() -> None:
    """The first weeks of the calendar have no media before them, which a basis's curve then includes: one per cent."""
    basis, model = steady_run()
    named = {name: value.detach().double().numpy() for name, value in model.response().named_parameters()}

    for channel, fact in enumerate(explain(basis, model).channels):
        k, b = np.exp(named["log_slope"][channel]), np.exp(named["log_half_saturation"][channel])
        twice = 2**k / (2**k + b**k) * (1 + b**k)
        assert fact.of_double.value == pytest.approx(1 / twice, rel=0.02)
        assert fact.of_ceiling.value == pytest.approx(1 / (1 + b**k), rel=0.03)


def test_what_was_never_seen_is_known_less_well_than_what_was() -> None:
    basis, model = small_run()

    for fact in explain(basis, model, weeks=PERIOD).channels:
        more, less = fact.ten_more.interval, fact.ten_less.interval
        assert fact.seen >= 1.0
        assert 0.5 <= fact.of_double.value < 1.0
        assert fact.of_ceiling.value < fact.of_double.value
        if fact.seen < 1.05:
            assert more.high / more.low > less.high / less.low


def test_a_channel_without_spend_has_no_returns_and_one_without_media_no_facts() -> None:
    basis, model = small_run()
    parts = tuple(
        replace(
            part,
            spend=np.where([True, False], 0.0, part.spend),
            intensity=np.where([False, True], 0.0, part.intensity),
            contribution=np.where([False, True], 0.0, part.contribution),
            curves=np.where([[False], [True]], 0.0, part.curves),
        )
        for part in basis.parts
    )
    organic, silent = explain(replace(basis, kinds=("organic", "paid"), parts=parts), model).channels

    assert (organic.is_paid, organic.has_effect, silent.has_effect) == (False, True, False)
    assert math.isnan(organic.roi.value)
    assert math.isnan(organic.marginal_roi.value)
    assert organic.ten_more.value > 0
    assert math.isnan(silent.of_double.value)


def test_without_a_posterior_there_are_values_and_no_intervals() -> None:
    basis, model = small_run(sure=False)
    told = explain(basis, model, weeks=PERIOD)

    assert math.isnan(told.interval_level)
    for fact in told.channels:
        assert fact.revenue.value > 0
        assert math.isnan(fact.revenue.interval.low)
        assert math.isnan(fact.timing.half_life_weeks.interval.high)
    assert [curve.low for curve in told.curves] == [(), ()]
    assert "intervals" in [item.what for item in told.absences]


def test_todays_point_of_a_curve_is_the_fact() -> None:
    told = explain(*small_run(), weeks=PERIOD)

    for fact, curve in zip(told.channels, told.curves, strict=True):
        now = curve.times.index(1.0)
        assert curve.revenue[now] == pytest.approx(fact.revenue.value)
        assert curve.low[now] == pytest.approx(fact.revenue.interval.low)
        assert curve.revenue[curve.times.index(1.1)] - curve.revenue[now] == pytest.approx(
            fact.ten_more.value
        )
        assert curve.revenue[now] / curve.revenue[-1] == pytest.approx(fact.of_double.value)
        assert (curve.spend[0], curve.revenue[0]) == (0.0, 0.0)
        assert curve.spend[now] == fact.spend
