"""The prior of the shared response, by hand."""

import math

import pytest
import torch

from mmm_models.network import MediaResponse
from mmm_models.response_prior import judged_by_roi, negative_log_prior, prior_weight, starting_values
from mmm_models.spec import ModelSpec, ResponsePrior

SPEND = [0.05, 0.02, 0.0]


def test_training_starts_at_a_common_roi_or_a_common_effect():
    prior = ResponsePrior(log_roi_mean=math.log(2.0), log_effect_mean=math.log(0.03))
    effect = [math.exp(value) for value in starting_values(prior, SPEND)["log_effect"]]
    assert effect == pytest.approx([2.0 * 0.05, 2.0 * 0.02, 0.03])


def test_the_start_is_the_most_likely_point():
    response = MediaResponse(ModelSpec(effect_waves=1), SPEND)
    loss = response.negative_log_prior()
    gradients = torch.autograd.grad(loss, list(response.parameters()))
    assert loss.item() == pytest.approx(0.0, abs=1e-10)
    assert all(gradient.abs().max() < 1e-5 for gradient in gradients)


def test_roi_scatters_around_a_common_mean_that_is_itself_uncertain():
    prior = ResponsePrior(log_roi_sd=0.5, log_roi_mean_sd=0.7, log_effect_sd=2.0)
    moved = {name: torch.tensor(values) for name, values in starting_values(prior, SPEND).items()}
    moved["log_effect"] += torch.tensor([0.8, 0.2, 1.0])
    # paid channels: common 0.5 above its mean, each 0.3 away from it; the unpaid one 1.0 above its own mean
    expected = 0.5 * (2 * (0.3 / 0.5) ** 2 + (0.5 / 0.7) ** 2 + (1.0 / 2.0) ** 2)
    assert negative_log_prior(prior, moved, SPEND).item() == pytest.approx(expected, rel=1e-5)


def test_shapes_synergy_and_waves_each_have_their_penalty():
    prior = ResponsePrior(decay_logit_sd=2.0, log_slope_sd=0.1, synergy_sd=0.02, wave_sd=0.5)
    moved = {name: torch.tensor(values) for name, values in starting_values(prior, [0.1]).items()}
    moved["decay_logit"] += 1.0
    moved["log_slope"] -= 0.1
    moved["synergy"] = torch.tensor([0.0])  # softplus(0) = ln 2
    moved["effect_wave"] = torch.tensor([[0.5, -1.0]])
    expected = 0.5 * (1 / 2) ** 2 + 0.5 * 1.0 + math.log(2.0) / 0.02 + 0.5 * (1.0 + 4.0)
    assert negative_log_prior(prior, moved, [0.1]).item() == pytest.approx(expected, rel=1e-5)


def test_the_prior_weighs_as_one_unit_in_sixty_and_once_for_all():
    prior = ResponsePrior(units_per_prior=60.0)
    assert prior_weight(prior, 1) == pytest.approx(61 / 60)
    assert prior_weight(prior, 60) == pytest.approx(2 / 60)
    assert prior_weight(prior, 1e9) == pytest.approx(1 / 60)


@pytest.mark.parametrize(
    ("spend", "judged"),
    [
        ([0.05, 0.02, 0.0], (True, True, False)),
        ([0.0, 0.0], (False, False)),
        ([0.003, 0.001], (False, False)),  # thousands against single units of money
        ([40.0, 0.1], (False, False)),  # money against orders
        ([], ()),
    ],
)
def test_spend_that_cannot_be_compared_with_revenue_is_not_judged_by_roi(spend, judged):
    assert judged_by_roi(spend) == judged


def test_an_incomparable_spend_leaves_the_effect_prior():
    prior = ResponsePrior(log_effect_mean=-3.0)
    assert starting_values(prior, [0.0001, 0.0002])["log_effect"] == [-3.0, -3.0]
