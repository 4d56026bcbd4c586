"""From summed records to results: shares, returns, curves and fit, each computed a second way."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmm_models.attribution import Naming, results_from_sum
from mmm_models.contribution_totals import MULTIPLIERS, STEP
from mmm_models.errors import TotalsLost
from mmm_models.evaluation import holdout_errors
from mmm_models.panel import Channel, ChannelKind
from mmm_models.results import R2_EDGES
from mmm_models.spec import ModelSpec
from mmm_models.unit_records import RecordLayout, unit_records
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel

PRICE = 0.5


def setting(spec=None, *, private=False, holdout_weeks=8, **parts):
    spec = spec or ModelSpec(max_lag_weeks=4)
    panel = replace(small_panel(units=4, revenue_per_outcome=np.full((4, 60), PRICE)), **parts)
    scales, data = prepared(panel, spec, holdout_weeks)
    response, layout = scattered_response(spec, panel.n_channels), RecordLayout(panel.n_channels, private)
    total = unit_records(response, panel, data, scales=scales, layout=layout).sum(axis=0)
    naming = Naming(panel.channels, "units", "EUR")
    results = results_from_sum(total, naming, response=response, scales=scales, layout=layout)
    return panel, data, response, results


def revenue_with(response, data, factors) -> float:
    """Revenue of all media when each channel's media are multiplied by its factor, in double precision."""
    media = data.media.double() * torch.as_tensor(factors, dtype=torch.float64)
    with torch.no_grad():
        sales = response.double()(media).numpy() * data.level.double().numpy()[:, None]
    return float(PRICE * sales.sum())


def test_totals_shares_and_names():
    panel, _, _, results = setting()
    assert results.outcome == pytest.approx(panel.outcome.sum())
    assert results.revenue == pytest.approx(PRICE * panel.outcome.sum())
    assert (results.units, results.outcome_unit, results.currency) == (4, "units", "EUR")
    assert [channel.channel for channel in results.channels] == ["c0", "c1"]
    assert [channel.kind for channel in results.channels] == ["paid", "paid"]
    for index, channel in enumerate(results.channels):
        assert channel.spend == pytest.approx(panel.spend[..., index].sum())
        assert channel.share == pytest.approx(channel.contribution / panel.outcome.sum())
    assert results.media_share == pytest.approx(sum(channel.share for channel in results.channels))


def test_roi_is_revenue_lost_without_the_channel_over_its_spend():
    _, data, response, results = setting()
    for index, channel in enumerate(results.channels):
        without = [1.0, 1.0]
        without[index] = 0.0
        lost = revenue_with(response, data, [1.0, 1.0]) - revenue_with(response, data, without)
        assert channel.contribution * PRICE == pytest.approx(lost, rel=1e-4)
        assert channel.roi == pytest.approx(lost / channel.spend, rel=1e-4)


@pytest.mark.parametrize("synergy", [False, True])
def test_marginal_roi_is_a_finite_difference_of_all_revenue(synergy):
    _, data, response, results = setting(ModelSpec(max_lag_weeks=4, synergy=synergy))
    for index, channel in enumerate(results.channels):
        more = [1.0, 1.0]
        more[index] += STEP
        gain = revenue_with(response, data, more) - revenue_with(response, data, [1.0, 1.0])
        assert channel.marginal_roi == pytest.approx(gain / (STEP * channel.spend), rel=2e-3)


def test_contributions_with_synergy_add_up_to_all_media_do():
    _, data, response, results = setting(ModelSpec(max_lag_weeks=4, synergy=True))
    everything = revenue_with(response, data, [1.0, 1.0])
    assert PRICE * sum(channel.contribution for channel in results.channels) == pytest.approx(
        everything, rel=1e-4
    )


def test_curves_pass_through_nothing_and_what_happened():
    _, data, response, results = setting()
    for index, (channel, curve) in enumerate(zip(results.channels, results.curves, strict=True)):
        assert curve.channel == channel.channel
        assert curve.multiplier == MULTIPLIERS
        assert curve.contribution[0] == curve.spend[0] == 0.0
        assert curve.contribution[MULTIPLIERS.index(1.0)] == channel.contribution
        assert curve.spend[-1] == pytest.approx(2.0 * channel.spend)
        factors = [1.0, 1.0]
        for point, multiplier in enumerate(MULTIPLIERS):
            factors[index] = multiplier
            rest = factors.copy()
            rest[index] = 0.0
            own = revenue_with(response, data, factors) - revenue_with(response, data, rest)
            assert curve.contribution[point] * PRICE == pytest.approx(own, rel=1e-4, abs=1e-6)


def test_a_channel_without_spend_has_no_return():
    channels = (Channel("c0", ChannelKind.PAID, ""), Channel("owned", ChannelKind.ORGANIC, "visits"))
    spend = small_panel(units=4).spend * np.array([1.0, 0.0])
    _, _, _, results = setting(channels=channels, spend=spend)
    assert math.isfinite(results.channels[0].roi)
    assert results.channels[1].contribution > 0
    assert math.isnan(results.channels[1].roi)
    assert math.isnan(results.channels[1].marginal_roi)


def test_fit_is_what_the_units_errors_add_up_to():
    panel, data, response, results = setting()
    errors = holdout_errors(response, data)
    level = panel.outcome[:, :-8].mean(axis=1)
    holdout = results.holdout
    assert (holdout.weeks, holdout.units) == (8, 4)
    assert holdout.nrmse == pytest.approx(math.sqrt(errors.squared.sum() / 32))
    assert holdout.rmse == pytest.approx(math.sqrt((errors.squared * level**2).sum() / 32), rel=1e-5)
    assert holdout.mape == pytest.approx(errors.mape.mean())
    assert holdout.r2_counts == tuple(np.histogram(errors.r2, [-np.inf, *R2_EDGES, np.inf])[0])


@pytest.mark.parametrize("private", [False, True])
def test_no_hold_out_has_no_fit(private):
    _, _, _, results = setting(holdout_weeks=0, private=private)
    assert results.holdout.weeks == 0
    assert all(
        math.isnan(value) for value in (results.holdout.rmse, results.holdout.nrmse, results.holdout.mape)
    )
    assert all(channel.contribution > 0 for channel in results.channels)


def test_private_records_give_the_same_totals_and_curves_of_steady_media():
    _, _, response, exact = setting()
    _, _, _, private = setting(private=True)
    assert private.private
    for one, other in zip(exact.channels, private.channels, strict=True):
        assert other.contribution == pytest.approx(one.contribution)
        assert other.roi == pytest.approx(one.roi)
        assert other.spend == pytest.approx(one.spend)
    assert private.holdout.nrmse == pytest.approx(exact.holdout.nrmse)
    assert math.isnan(private.holdout.rmse)
    assert private.holdout.r2_counts == ()
    steady = torch.ones(2, 20, 2)
    steady[1] *= 1.5
    with torch.no_grad():
        last = response.effects(response.parameters_by_name, steady)[:, -1]
    for index, curve in enumerate(private.curves):
        at = dict(zip(curve.multiplier, curve.contribution, strict=True))
        assert at[1.5] / at[1.0] == pytest.approx(float(last[1, index] / last[0, index]), rel=1e-4)


def test_a_private_marginal_roi_is_the_slope_of_its_curve_with_only_that_channel_scaled():
    _, _, response, results = setting(ModelSpec(max_lag_weeks=4, synergy=True), private=True)
    for index, channel in enumerate(results.channels):
        more = torch.ones(1, 20, 2)
        more[..., index] += STEP
        with torch.no_grad():
            now = response.effects(response.parameters_by_name, torch.ones(1, 20, 2))[0, -1, index]
            step = response.effects(response.parameters_by_name, more)[0, -1, index]
        elasticity = float(step / now - 1.0) / STEP
        assert channel.marginal_roi == pytest.approx(channel.roi * elasticity, rel=2e-3)


@pytest.mark.parametrize("private", [False, True])
def test_an_outcome_that_is_not_positive_has_no_shares_and_says_so(private):
    layout = RecordLayout(2, private)
    response = scattered_response(ModelSpec(max_lag_weeks=4), 2)
    naming = Naming(tuple(Channel(f"c{i}", ChannelKind.PAID, "") for i in range(2)), "units", "EUR")
    scales, _ = prepared(small_panel(units=4), ModelSpec(max_lag_weeks=4), 8)
    with pytest.raises(TotalsLost, match="noise exceeds it" if private else "not above zero") as lost:
        results_from_sum(
            np.full(layout.length, -1.0), naming, response=response, scales=scales, layout=layout
        )
    assert ("larger epsilon" in lost.value.hint) is private


def test_noise_below_nothing_is_read_as_nothing():
    panel, _, response, _ = setting(private=True)
    layout = RecordLayout(2, private=True)
    scales, _ = prepared(panel, response.spec)
    groups = {name: np.full((1, size), -0.3) for name, size in layout.sizes.items()}
    groups |= {"outcome": np.array([[100.0]]), "units": np.array([[4.0]]), "test_weeks": np.array([[32.0]])}
    naming = Naming(panel.channels, "EUR", "EUR")
    results = results_from_sum(
        layout.join(groups)[0], naming, response=response, scales=scales, layout=layout
    )
    assert [channel.contribution for channel in results.channels] == [0.0, 0.0]
    assert [channel.spend for channel in results.channels] == [0.0, 0.0]
    assert (results.holdout.nrmse, results.holdout.mape) == (0.0, 0.0)
