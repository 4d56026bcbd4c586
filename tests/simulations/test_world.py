"""Worlds: the seed fixes everything, the truth adds up, and the default world is as hard as promised."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import chi2

from mmm_models.panel import ChannelKind
from simulations.errors import ScenarioInvalid
from simulations.scenario import Scenario, load_scenario
from simulations.world import World, make_world

ARRAYS = ("outcome", "media", "spend", "controls", "population", "weeks")


@pytest.fixture(scope="module")
def default() -> World:
    return make_world(load_scenario("default"))


@pytest.fixture(scope="module")
def everything() -> World:
    return make_world(load_scenario("everything"))


def small(**settings: Any) -> Scenario:
    channel = {"name": "tv", "sales_share": 0.1, "spend_share": 0.05}
    size = {"name": "small", "silos": 2, "units_per_silo": 3, "weeks": 30, "holdout_weeks": 6}
    return Scenario.model_validate(size | {"channels": [channel]} | settings)


# --- what holds in every world --------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_world(everything):
    again = make_world(load_scenario("everything"))

    for first, second in zip(everything.silos, again.silos, strict=True):
        for name in ARRAYS:
            assert_array_equal(getattr(first.panel, name), getattr(second.panel, name))
        assert_array_equal(first.contribution, second.contribution)
    assert everything.channel_truths()[:5] == again.channel_truths()[:5]  # the sixth is free: its ROI is NaN


def test_another_seed_gives_another_world(everything):
    other = make_world(load_scenario("everything", seed=2))

    for first, second in zip(everything.panels, other.panels, strict=True):
        for name in set(ARRAYS) - {"weeks"}:
            assert not np.array_equal(getattr(first, name), getattr(second, name))


def test_silos_of_one_world_are_not_copies_of_each_other():
    first, second = make_world(small()).panels

    for name in set(ARRAYS) - {"weeks"}:
        assert not np.array_equal(getattr(first, name), getattr(second, name))


def test_adding_a_silo_leaves_what_the_others_drew_unchanged():
    two, three = make_world(small()), make_world(small(silos=3))

    for before, after in zip(two.silos, three.silos[:2], strict=True):
        assert_array_equal(before.intensity, after.intensity)
        assert_array_equal(before.baseline, after.baseline)
        assert_array_equal(before.panel.population, after.panel.population)


@pytest.mark.parametrize("name", ["default", "everything"])
def test_sales_are_baseline_and_contributions_and_noise_to_the_cent(name, request):
    for silo in request.getfixturevalue(name).silos:
        sales = silo.baseline + silo.contribution.sum(axis=-1) + silo.noise

        assert sales.min() > 0
        assert_allclose(silo.panel.outcome, sales, rtol=0, atol=0.005 + 1e-9)


def test_sales_are_cut_off_at_zero_where_noise_would_make_them_negative():
    noisy = make_world(small(baseline={"noise_low": 0.8, "noise_high": 0.8}))

    for silo in noisy.silos:
        sales = silo.baseline + silo.contribution.sum(axis=-1) + silo.noise
        assert (silo.panel.outcome[sales < 0] == 0).all()
    assert any((panel.outcome == 0).any() for panel in noisy.panels)


@pytest.mark.parametrize("name", ["default", "everything"])
def test_channels_and_synergies_reach_their_shares_of_expected_sales(name, request):
    world = request.getfixturevalue(name)
    scenario = world.scenario
    contributed = sum(silo.contribution.sum(axis=(0, 1)) for silo in world.silos)
    expected_sales = contributed.sum() + sum(silo.baseline.sum() for silo in world.silos)

    for channel, found in zip(scenario.channels, contributed, strict=True):
        pairs = [pair for pair in scenario.synergies if channel.name in (pair.first, pair.second)]
        share = channel.sales_share + sum(pair.sales_share for pair in pairs) / 2
        assert found / expected_sales == pytest.approx(share, abs=1e-9)


def test_each_paid_channel_costs_its_share_of_sales_without_media(everything):
    baseline = sum(silo.baseline.sum() for silo in everything.silos)

    for channel, truth in zip(everything.scenario.channels, everything.channel_truths(), strict=True):
        # A channel-week's price varies by 8 %, so the average of some 300 weeks is good to 2 %.
        assert truth.spend / baseline == pytest.approx(channel.spend_share, rel=0.02)


def test_the_true_shares_and_returns_are_ratios_of_what_the_panels_hold(everything):
    sales = sum(panel.outcome.sum() for panel in everything.panels)

    assert everything.total_outcome == pytest.approx(sales)
    for index, truth in enumerate(everything.channel_truths()[:5]):
        contribution = sum(silo.contribution[..., index].sum() for silo in everything.silos)
        spend = sum(panel.spend[..., index].sum() for panel in everything.panels)
        assert truth.contribution == pytest.approx(contribution)
        assert truth.share == pytest.approx(contribution / sales)
        assert truth.spend == pytest.approx(spend)
        assert truth.roi == pytest.approx(contribution / spend)


def test_marginal_roi_is_what_one_per_cent_more_media_adds_to_all_channels():
    """Recomputed from the formulas: everybody alike, two synergic channels, geometric carry-over, Hill."""
    shared = {"sales_share": 0.1, "spend_share": 0.05, "half_life_weeks": 2.0, "half_saturation": 1.5}
    scenario = small(
        channels=[{"name": name, **shared} for name in ("tv", "radio")],
        synergies=[{"first": "radio", "second": "tv", "sales_share": 0.05}],
        silo_log_sd=0.0,
        unit_log_sd=0.0,
    )
    world = make_world(scenario)
    kernel = 0.5 ** (np.arange(13) / 2)
    kernel /= kernel.sum()

    def saturated(media):
        ratio = np.convolve(media, kernel)[: media.size] / 1.5
        return ratio / (1 + ratio)

    def media_sales(tv: float, radio: float) -> float:
        total = 0.0
        for silo in world.silos:
            effect, synergy = silo.response.effect[0], silo.response.synergy[0, 1]
            for unit, level in enumerate(silo.level):
                first = saturated(tv * silo.intensity[unit, :, 0])
                second = saturated(radio * silo.intensity[unit, :, 1])
                total += level * (effect[0] * first + effect[1] * second + synergy * first * second).sum()
        return total

    now = media_sales(1, 1)
    tv, radio = world.channel_truths()
    assert tv.contribution + radio.contribution == pytest.approx(now)
    assert tv.marginal_roi == pytest.approx((media_sales(1.01, 1) - now) / (0.01 * tv.spend))
    assert radio.marginal_roi == pytest.approx((media_sales(1, 1.01) - now) / (0.01 * radio.spend))
    assert 0 < tv.marginal_roi < tv.roi + radio.roi


def test_a_channel_a_silo_lacks_is_zero_there_and_alive_elsewhere(everything):
    radio = everything.scenario.channel_names.index("radio")

    for silo in everything.silos:
        absent = silo.panel.silo == "silo-2"
        for array in (silo.panel.media, silo.panel.spend, silo.contribution):
            assert (array[..., radio].max() == 0) == absent


def test_synergy_needs_both_channels(everything):
    """In the silo without radio, social has no more than its own effect."""
    names = everything.scenario.channel_names
    silo = everything.silos[1]
    social = names.index("social")
    alone = (np.arange(len(names)) == social).astype(float)

    assert silo.contributions_at(alone)[social] == pytest.approx(silo.contribution[..., social].sum())
    assert everything.contributions_at(alone)[social] < everything.channel_truths()[social].contribution


def test_a_synergy_of_channels_that_no_silo_has_both_of_is_refused():
    channels = [
        {"name": "tv", "sales_share": 0.1, "spend_share": 0.05, "absent_in": ["silo-1"]},
        {"name": "radio", "sales_share": 0.1, "spend_share": 0.05, "absent_in": ["silo-2"]},
    ]
    synergy = {"first": "tv", "second": "radio", "sales_share": 0.05}

    with pytest.raises(
        ScenarioInvalid, match="'tv' x 'radio' has a sales_share, but they never run together"
    ):
        make_world(small(channels=channels, synergies=[synergy]))


def test_organic_media_cost_nothing_and_have_no_return_on_investment(everything):
    newsletter = everything.scenario.channel_names.index("newsletter")
    truth = everything.channel_truths()[newsletter]

    assert truth.contribution > 0
    assert truth.spend == 0
    assert math.isnan(truth.roi)
    assert math.isnan(truth.marginal_roi)
    for panel in everything.panels:
        assert panel.channels[newsletter].kind is ChannelKind.ORGANIC
        assert panel.spend[..., newsletter].max() == 0
        assert panel.media[..., newsletter].max() > 0


def test_silos_may_have_different_numbers_of_units(everything):
    assert [panel.n_units for panel in everything.panels] == [12, 8, 20, 5]


def test_holidays_fall_into_the_weeks_of_the_year_the_scenario_names():
    scenario = small(weeks=60, start="2024-01-01", baseline={"holiday_weeks": [0, 51]})
    panel = make_world(scenario).panels[0]
    holiday = panel.controls[0, :, panel.control_names.index("holiday")]

    assert list(np.flatnonzero(holiday)) == [0, 51, 52]


def test_each_units_trend_is_a_straight_line_of_the_scenarios_mean_and_spread():
    still = {"season_amplitude": 0, "demand_shock_sd": 0, "holiday_lift": 0, "promotion_lift": 0}
    silo = make_world(
        small(
            silos=1, units_per_silo=400, weeks=53, baseline=still | {"trend_per_year": 0.1, "trend_sd": 0.05}
        )
    ).silos[0]

    relative = silo.baseline / silo.level[:, None]
    assert_allclose(np.diff(relative, n=2, axis=1), 0.0, atol=1e-12)
    growth = (relative[:, 52] - relative[:, 0]) * 365.25 / 364
    assert growth.mean() == pytest.approx(0.1, abs=4 * 0.05 / 20)  # 400 units: standard error 0.05 / 20
    assert growth.std() == pytest.approx(0.05, rel=4 / np.sqrt(800))


def test_a_promotion_is_a_treatment_that_lifts_the_baseline():
    quiet = {
        "season_amplitude": 0,
        "trend_per_year": 0,
        "trend_sd": 0,
        "demand_shock_sd": 0,
        "holiday_lift": 0,
    }
    panel_and_truth = make_world(
        small(baseline=quiet | {"promotion_lift": 0.3, "promotion_rate": 0.5})
    ).silos[0]
    promoted = panel_and_truth.panel.controls[..., -1] == 1

    assert panel_and_truth.panel.treatment_names == ("promotion",)
    relative = panel_and_truth.baseline / panel_and_truth.level[:, None]
    assert_allclose(relative[promoted], 1.3)
    assert_allclose(relative[~promoted], 1.0)


def test_a_control_moves_the_baseline_by_its_effect_per_standard_deviation():
    quiet = {
        "season_amplitude": 0,
        "trend_per_year": 0,
        "trend_sd": 0,
        "demand_shock_sd": 0,
        "holiday_lift": 0,
    }
    silo = make_world(
        small(baseline=quiet | {"promotion_lift": 0}, controls=[{"name": "price", "effect": -0.1}])
    ).silos[0]

    relative = silo.baseline / silo.level[:, None]
    assert_allclose(relative, 1 - 0.1 * silo.panel.controls[..., 0], atol=0.1 * 0.5e-4 + 1e-9)  # 4 decimals


def test_a_control_nobody_observes_does_all_the_same_and_has_no_column():
    def world(**observed: bool) -> World:
        controls = [{"name": "mood", "effect": 0.1, **observed}, {"name": "price", "effect": -0.1}]
        return make_world(small(controls=controls))

    for hidden, seen in zip(world(observed=False).silos, world().silos, strict=True):
        assert seen.panel.control_names == ("mood", "price", "holiday", "promotion")
        assert hidden.panel.control_names == ("price", "holiday", "promotion")
        assert_array_equal(hidden.panel.controls, seen.panel.controls[..., 1:])
        for name in set(ARRAYS) - {"controls"}:
            assert_array_equal(getattr(hidden.panel, name), getattr(seen.panel, name))


def test_the_smallest_world_is_a_world():
    scenario = small(silos=1, units_per_silo=1, weeks=12, holdout_weeks=1, baseline={"level": 100.0})

    (panel,) = make_world(scenario).panels

    assert panel.outcome.shape == (1, 12)
    assert panel.population.min() >= 1


def test_units_keep_their_order_by_name_beyond_999():
    units = make_world(small(silos=1, units_per_silo=1000, weeks=12, holdout_weeks=1)).panels[0].units

    assert units[0] == "silo-1-store-0001"
    assert list(units) == sorted(units)


# --- what the default world promises --------------------------------------------------------------------


def test_the_default_world_is_8_silos_of_100_stores_104_weeks_5_channels_with_24_weeks_held_out(default):
    assert len(default.panels) == 8
    assert {panel.media.shape for panel in default.panels} == {(100, 104, 5)}
    assert default.scenario.holdout_weeks == 24


def test_media_are_20_to_30_per_cent_of_the_default_worlds_sales(default):
    shares = [truth.share for truth in default.channel_truths()]

    assert 0.20 <= sum(shares) <= 0.30
    assert all(truth.roi > truth.marginal_roi > 0 for truth in default.channel_truths())


def test_search_follows_demand_in_the_default_world_and_social_does_not(default):
    names = default.scenario.channel_names
    search = _correlations(
        default, lambda silo, unit: (_media(silo, unit, names, "search"), silo.baseline[unit])
    )
    social = _correlations(
        default, lambda silo, unit: (_media(silo, unit, names, "social"), silo.baseline[unit])
    )

    assert search.mean() > 0.4
    assert (search > 0).mean() == 1
    assert abs(social.mean()) < 0.1


def test_display_is_collinear_with_social_in_the_default_world(default):
    names = default.scenario.channel_names
    pair = ("social", "display")
    together = _correlations(
        default, lambda silo, unit: tuple(_media(silo, unit, names, name) for name in pair)
    )

    assert together.mean() > 0.8
    assert together.min() > 0.6


def test_tv_and_outdoor_are_flighted_in_the_default_world_and_nothing_else_is(default):
    for panel in default.panels:
        dark = (panel.media == 0).mean(axis=(0, 1))
        flighted = dict(zip(panel.channel_names, dark, strict=True))
        assert 0.25 < flighted["tv"] < 0.8
        assert 0.25 < flighted["outdoor"] < 0.85
        assert flighted["social"] == flighted["display"] == flighted["search"] == 0


def test_the_default_worlds_noise_is_6_to_8_per_cent_of_each_stores_mean_sales(default):
    ratios = np.concatenate(
        [silo.noise.std(axis=1, ddof=1) / silo.panel.outcome.mean(axis=1) for silo in default.silos]
    )

    # A standard deviation measured on 104 weeks is good to 1 / sqrt(2 x 103) = 7 %; the mean of 800 to 0.3 %.
    assert ratios.mean() == pytest.approx(0.07, rel=4 * 0.003)
    assert ratios.min() > 0.06 * (1 - 4 * 0.07)
    assert ratios.max() < 0.08 * (1 + 4 * 0.07)


def test_the_default_worlds_responses_differ_by_15_per_cent_between_silos_and_20_between_stores(default):
    """Log standard deviations, each inside the interval that holds it 999 times in 1000."""
    parameters = [
        np.concatenate([silo.response.half_saturation, silo.response.effect, _half_life(silo)], axis=1)
        for silo in default.silos
    ]
    logs = np.log(np.stack(parameters))  # [silo, store, parameter]
    silos, stores, count = logs.shape
    within = logs.var(axis=1, ddof=1).mean()
    between = logs.mean(axis=1).var(axis=0, ddof=1).mean()

    assert _in_interval(within, true=0.20**2, degrees=silos * (stores - 1) * count)
    assert _in_interval(between, true=0.15**2 + 0.20**2 / stores, degrees=(silos - 1) * count)


def _half_life(silo):
    """Half-lives of social and search [unit, 2], read off their geometric kernels."""
    ratio = silo.response.kernel[:, 1] / silo.response.kernel[:, 0]
    return (np.log(0.5) / np.log(ratio))[:, [2, 4]]


def _in_interval(variance: float, *, true: float, degrees: int) -> bool:
    low, high = chi2.ppf([0.0005, 0.9995], degrees) / degrees
    return bool(low < variance / true < high)


def _media(silo, unit: int, names: tuple[str, ...], name: str):
    return silo.panel.media[unit, :, names.index(name)]


def _correlations(world: World, series):
    """One correlation per unit of the two series that `series(silo, unit)` gives."""
    pairs = [series(silo, unit) for silo in world.silos for unit in range(silo.panel.n_units)]
    return np.array([np.corrcoef(first, second)[0, 1] for first, second in pairs])
