"""Training without federation: it learns, repeats itself, says when it fails and finds what is there."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mmm_models.errors import TrainingDiverged
from mmm_models.network import MediaResponse
from mmm_models.objective import UnitObjective, pack
from mmm_models.spec import ModelSpec, ResponsePrior, TrainingSpec
from mmm_models.training import (
    IterateAverage,
    get_vector,
    learning_rate,
    prior_gradient,
    set_vector,
    train,
)
from mmm_models.unit_data import UnitData
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel

SPEC = ModelSpec(max_lag_weeks=4)


def prepared_data() -> UnitData:
    return prepared(small_panel(), SPEC)[1]


def test_the_loss_falls_and_progress_is_told_every_step():
    told: list[tuple[int, float]] = []
    response = scattered_response(SPEC, 2)
    trained = train(
        response,
        prepared_data(),
        TrainingSpec(steps=40),
        progress=lambda step, loss: told.append((step, loss)),
    )
    assert told == list(zip(range(1, 41), trained.losses.tolist(), strict=True))
    assert trained.losses[-1] < trained.losses[:5].min()


def test_training_twice_gives_the_same_numbers():
    vectors = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        response = MediaResponse(SPEC, [0.05, 0.05])
        train(response, prepared_data(), TrainingSpec(steps=10))
        vectors.append(get_vector(response).tolist())
    assert vectors[0] == vectors[1]
    assert vectors[0] != get_vector(MediaResponse(SPEC, [0.05, 0.05])).tolist()


@pytest.mark.parametrize("steps", [1, 30])
def test_a_loss_that_is_not_finite_stops_training_and_leaves_no_result(steps):
    data = prepared_data()
    broken = replace(data, outcome=data.outcome * float("nan"))
    with pytest.raises(TrainingDiverged, match="after step 0; no result was written") as caught:
        train(MediaResponse(SPEC, [0.05, 0.05]), broken, TrainingSpec(steps=steps))
    assert "learning rate" in caught.value.hint


@pytest.mark.parametrize("steps", [1, 30])
def test_a_step_far_too_long_is_noticed_even_when_it_is_the_last(steps):
    """The effect starts too small, so the first step makes it e to the power of ten thousand."""
    with pytest.raises(TrainingDiverged):
        train(
            MediaResponse(SPEC, [0.006, 0.006]), prepared_data(), TrainingSpec(steps=steps, learning_rate=1e4)
        )


def test_known_parameters_are_found_again():
    """Outcomes made by the network itself, without noise: what is left to miss is the prior's pull."""
    spec = ModelSpec(max_lag_weeks=6, prior=ResponsePrior(units_per_prior=1e6))
    truth = MediaResponse(spec, [0.05, 0.05])
    with torch.no_grad():
        truth.parameters_by_name["log_effect"].copy_(torch.tensor([0.25, 0.15]).log())
        truth.parameters_by_name["decay_logit"].copy_(torch.tensor([0.4, -1.0]))
        truth.parameters_by_name["log_half_saturation"].copy_(torch.tensor([0.6, 0.0]))
    season = 0.1 * np.sin(2 * np.pi * np.arange(80) / 52)
    panel = small_panel(units=20, weeks=80, seed=2, population=np.full(20, 1e4))  # so that media are per head
    with torch.no_grad():
        media = prepared(panel, spec, 0)[1].media
        effects = truth.effects(truth.parameters_by_name, media).double().numpy()
    panel = replace(panel, outcome=100.0 * (1.0 + season + effects.sum(axis=-1)))
    _, data = prepared(panel, spec, 0)
    response = MediaResponse(spec, [0.05, 0.05])
    train(response, data, TrainingSpec(steps=200, learning_rate=0.1))
    with torch.no_grad():
        found = response.effects(response.parameters_by_name, data.media).double().numpy()
    level = panel.outcome.mean(axis=1)[:, None, None]
    # outcomes were made at a level of 100, the network sees each unit's own mean: compare in money
    ratio = (found * level).sum(axis=(0, 1)) / (100.0 * effects).sum(axis=(0, 1))
    np.testing.assert_allclose(ratio, 1.0, atol=0.05)
    kernel_rate = torch.sigmoid(response.parameters_by_name["decay_logit"].detach()).numpy()
    np.testing.assert_allclose(kernel_rate, torch.sigmoid(torch.tensor([0.4, -1.0])), atol=0.05)


def test_the_learning_rate_falls_along_a_half_cosine():
    spec = TrainingSpec(steps=100, learning_rate=0.2, final_learning_rate_share=0.1)
    assert learning_rate(spec, 0) == pytest.approx(0.2)
    assert learning_rate(spec, 50) == pytest.approx(0.2 * 0.55)
    assert learning_rate(spec, 100) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("steps", "share", "counted"), [(8, 0.25, [6, 7]), (3, 0.01, [2]), (4, 1.0, [0, 1, 2, 3])]
)
def test_the_last_iterates_are_averaged(steps, share, counted):
    average = IterateAverage(TrainingSpec(steps=steps, average_last_share=share))
    for step in range(steps):
        average.add(step, np.array([float(step), 1.0]))
    assert average.value.tolist() == [np.mean(counted), 1.0]


def test_parameters_survive_their_vector():
    response = scattered_response(ModelSpec(synergy=True, effect_waves=2), 3)
    vector = get_vector(response)
    again = MediaResponse(response.spec, response.spend_per_revenue)
    set_vector(again, vector)
    assert get_vector(again).tolist() == vector.tolist()
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), response.parameters(), strict=True))


def test_the_prior_gradient_is_a_finite_difference_of_the_prior():
    response = scattered_response(ModelSpec(synergy=True), 2).double()
    gradient, step = prior_gradient(response), 1e-5
    for place, parameter in enumerate(value for tensor in response.parameters() for value in tensor.view(-1)):
        with torch.no_grad():
            parameter += step
            high = response.negative_log_prior().item()
            parameter -= 2 * step
            low = response.negative_log_prior().item()
            parameter += step
        assert gradient[place] == pytest.approx((high - low) / (2 * step), rel=1e-3, abs=1e-3)


def test_the_reported_loss_is_the_mean_over_units_without_the_prior():
    data, response = prepared_data(), scattered_response(SPEC, 2)
    before = UnitObjective(response).losses(pack(data)).mean().item()
    assert train(response, data, TrainingSpec(steps=1)).losses.tolist() == [before]


def test_without_media_training_ends_at_the_prior():
    panel = small_panel(media=np.zeros((3, 60, 2)), spend=np.zeros((3, 60, 2)))
    response = scattered_response(SPEC, 2)
    start = response.negative_log_prior().item()
    train(response, prepared(panel, SPEC)[1], TrainingSpec(steps=150, learning_rate=0.1))
    assert response.negative_log_prior().item() < 0.01 * start
