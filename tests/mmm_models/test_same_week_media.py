"""A single unit's baseline may follow media of the same week; with more units there is no such thing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmm_models.network import MediaResponse
from mmm_models.neural_mmm import NeuralMmm
from mmm_models.panel import Channel, ChannelKind, Panel
from mmm_models.reach_frequency import REFERENCE_FREQUENCY
from mmm_models.same_week_media import with_same_week_media
from mmm_models.spec import BaselineSpec, ModelSpec, TrainingSpec
from mmm_models.unit_data import UnitData
from simulations.scenario import load_scenario
from simulations.world import make_world
from tests.mmm_models.small_panels import prepared, small_panel

SPEC = ModelSpec(baseline=BaselineSpec(same_week_media_sd=0.2))
OFF = ModelSpec(baseline=BaselineSpec(same_week_media_sd=0.0))


def records(panel: Panel, spec: ModelSpec = SPEC) -> tuple[UnitData, MediaResponse]:
    scales, data = prepared(panel, spec)
    return data, MediaResponse(spec, scales.spend_per_revenue.tolist())


def added(panel: Panel, spec: ModelSpec = SPEC) -> np.ndarray:
    """The features a panel's single unit gets `[week, channel]`."""
    data, response = records(panel, spec)
    more = with_same_week_media(data, response)
    before = data.features.shape[-1]
    assert torch.equal(more.features[..., :before], data.features)
    assert torch.equal(more.noise, data.noise)
    assert more.whitener.shape == more.features.shape
    return more.features[0, :, before:].double().numpy()


def test_each_channels_media_of_the_week_are_counted_in_standard_deviations_of_training_weeks() -> None:
    panel = small_panel(units=1)
    media = panel.media[0]
    train = media[:52]

    expected = 0.2 * (media - train.mean(axis=0)) / train.std(axis=0)
    np.testing.assert_allclose(added(panel), expected, rtol=1e-4, atol=1e-7)


def test_a_week_says_nothing_of_the_next() -> None:
    media = np.ones((1, 60, 1))
    pulse = media.copy()
    pulse[0, 20] = 4.0
    feature = added(small_panel(units=1, channels=1, media=pulse))[:, 0]

    assert feature[20] > 0.3
    assert np.ptp(np.delete(feature, 20)) == 0.0


def test_media_of_held_out_weeks_do_not_move_those_of_training_weeks() -> None:
    data, response = records(small_panel(units=1))
    media = data.media.clone()
    media[:, 52:] *= 3.0
    one, two = (with_same_week_media(part, response) for part in (data, replace(data, media=media)))

    for name in ("features", "whitener"):
        assert torch.equal(getattr(one, name)[:, :52], getattr(two, name)[:, :52])


@pytest.mark.parametrize(("units", "spec"), [(2, SPEC), (3, SPEC), (1, OFF)])
def test_several_units_and_a_width_of_nothing_leave_the_records_as_they_are(
    units: int, spec: ModelSpec
) -> None:
    data, response = records(small_panel(units=units), spec)

    assert with_same_week_media(data, response) is data


def test_channels_about_whose_return_nothing_is_believed_are_left_to_the_data() -> None:
    panel = small_panel(units=1)
    organic = replace(
        panel,
        spend=panel.spend * np.array([1.0, 0.0]),
        channels=(panel.channels[0], Channel("mail", ChannelKind.ORGANIC, "sends")),
    )
    np.testing.assert_array_equal(added(organic), added(panel)[:, :1])
    data, response = records(replace(panel, spend=1000.0 * panel.spend))  # in no money that revenue is in
    assert with_same_week_media(data, response) is data


def test_channels_that_an_experiment_tested_are_read_both_ways_whatever_their_spend() -> None:
    panel = small_panel(units=1)
    data, response = records(replace(panel, spend=1000.0 * panel.spend))
    before = data.features.shape[-1]

    more = with_same_week_media(data, response, {1})

    np.testing.assert_array_equal(more.features[0, :, before:].double().numpy(), added(panel)[:, 1:])


def test_a_second_unit_that_sells_nothing_does_not_count() -> None:
    panel = small_panel(units=2)
    outcome = panel.outcome.copy()
    outcome[1] = 0.0
    data, response = records(replace(panel, outcome=outcome))

    assert with_same_week_media(data, response).features.shape[-1] == data.features.shape[-1] + 2


def test_where_frequency_is_known_exposures_count_all_the_same() -> None:
    panel = small_panel(units=1)
    known = replace(panel, frequency=np.full(panel.media.shape, REFERENCE_FREQUENCY))
    spec = SPEC.model_copy(update={"reach_frequency": True})

    np.testing.assert_allclose(added(known, spec), added(panel), rtol=1e-4, atol=1e-7)


def test_fits_of_several_units_are_the_same_to_the_last_bit_whatever_the_width() -> None:
    panel, quick = small_panel(units=2), TrainingSpec(steps=20)
    one, two = (NeuralMmm(spec, quick).fit(panel, holdout_weeks=8) for spec in (SPEC, OFF))

    assert one.posterior.mode.tolist() == two.posterior.mode.tolist()
    assert one.results.channels == two.results.channels


def test_a_hidden_shock_that_media_followed_is_not_taken_for_what_they_sold() -> None:
    """The world `national`: video and search follow a shock that no column shows."""
    world = make_world(load_scenario("national", seed=4))
    truth = {row.name: row.contribution for row in world.channel_truths()}

    def fit(spec: ModelSpec) -> tuple[float, set[str]]:
        results = NeuralMmm(spec).fit(world.panels[0], holdout_weeks=24).results
        found = {row.channel: row.contribution / truth[row.channel] - 1.0 for row in results.channels}
        named = {name for each in results.findings if each.code == "same-week" for name in each.channels}
        return found["video"] + found["search"], named

    trusting, named = fit(OFF)
    averaged, also_named = fit(ModelSpec())

    assert trusting > 1.0  # of the two errors together
    assert abs(averaged) < 0.75 * trusting
    assert "search" in named & also_named
    assert "tv" not in named | also_named
