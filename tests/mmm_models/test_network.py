"""The shared response: what its parts add up to, and that units may carry their own copy of it."""

import math
from itertools import combinations

import pytest
import torch

from mmm_models.network import MediaResponse
from mmm_models.spec import ModelSpec
from tests.mmm_models.small_panels import own_copies, scattered_response

SPECS = [
    ModelSpec(),
    ModelSpec(synergy=True),
    ModelSpec(effect_waves=2),
    ModelSpec(synergy=True, effect_waves=1, max_lag_weeks=4),
]


def gamma_media(units: int = 3, weeks: int = 20, channels: int = 3) -> torch.Tensor:
    return torch.distributions.Gamma(2.0, 2.0).sample((units, weeks, channels))


@pytest.mark.parametrize("spec", SPECS)
def test_effects_are_never_negative_and_add_up(spec):
    response, media = scattered_response(spec, 3), gamma_media()
    with torch.no_grad():
        effects = response.effects(response.parameters_by_name, media)
        torch.testing.assert_close(response(media), effects.sum(dim=-1))
    assert (effects > 0).all()


@pytest.mark.parametrize("spec", SPECS)
def test_a_channel_without_media_has_no_effect_and_changes_no_other_without_synergy(spec):
    response, media = scattered_response(spec, 3), gamma_media()
    silent = media.clone()
    silent[..., 1] = 0.0
    with torch.no_grad():
        before = response.effects(response.parameters_by_name, media)
        after = response.effects(response.parameters_by_name, silent)
    assert not after[..., 1].any()
    assert spec.synergy != torch.equal(before[..., [0, 2]], after[..., [0, 2]])


def test_synergies_are_split_as_shapley_values_by_enumeration():
    response, media = scattered_response(ModelSpec(synergy=True), 3), gamma_media()

    def worth(present: frozenset[int]) -> torch.Tensor:
        alone = torch.zeros_like(media)
        for channel in present:
            alone[..., channel] = media[..., channel]
        return response(alone)

    with torch.no_grad():
        effects = response.effects(response.parameters_by_name, media)
        for channel in range(3):
            others = [other for other in range(3) if other != channel]
            shapley = torch.zeros(media.shape[:2])
            for size in range(3):
                weight = math.factorial(size) * math.factorial(2 - size) / math.factorial(3)
                for subset in map(frozenset, combinations(others, size)):
                    shapley += weight * (worth(subset | {channel}) - worth(subset))
            torch.testing.assert_close(effects[..., channel], shapley, rtol=1e-4, atol=1e-6)


def test_a_synergy_is_its_strength_times_both_channels():
    response, media = scattered_response(ModelSpec(synergy=True), 2), gamma_media(channels=2)
    alone = [media * torch.eye(2)[channel] for channel in range(2)]
    parameters = response.parameters_by_name
    with torch.no_grad():
        saturated = response.saturated(parameters, media)
        expected = torch.nn.functional.softplus(parameters["synergy"]) * saturated.prod(dim=-1)
        torch.testing.assert_close(
            response(media) - sum(map(response, alone)), expected, rtol=1e-3, atol=1e-5
        )


@pytest.mark.parametrize("spec", SPECS)
def test_units_with_their_own_copy_of_the_same_parameters_agree_with_the_shared_ones(spec):
    response, media = scattered_response(spec, 3), gamma_media()
    shared = response.parameters_by_name
    copies = {name: value.expand(3, *value.shape) for name, value in shared.items()}
    with torch.no_grad():
        torch.testing.assert_close(response.effects(copies, media), response.effects(shared, media))


@pytest.mark.parametrize("spec", SPECS)
def test_a_unit_sees_only_its_own_copy(spec):
    response, media = scattered_response(spec, 3), gamma_media()
    own = own_copies(response, 3)
    together = response.effects(own, media)
    for unit in range(3):
        alone = {name: value[unit] for name, value in own.items()}
        torch.testing.assert_close(together[unit], response.effects(alone, media[unit : unit + 1])[0])


def test_effect_waves_are_one_on_average_in_the_logarithm():
    response = scattered_response(ModelSpec(effect_waves=3, max_lag_weeks=1), 2)
    weeks = 40
    media = torch.ones(1, weeks, 2)
    with torch.no_grad():
        logs = response.effects(response.parameters_by_name, media).log()[0]
    assert logs.std(dim=0).min() > 0.05
    torch.testing.assert_close(
        logs.mean(dim=0), response.parameters_by_name["log_effect"].detach(), rtol=1e-5, atol=1e-5
    )


def test_the_effect_of_steady_typical_media_is_the_parameter_itself():
    response = scattered_response(ModelSpec(max_lag_weeks=5), 2)
    with torch.no_grad():
        last = response.effects(response.parameters_by_name, torch.ones(1, 12, 2))[0, -1]
    torch.testing.assert_close(last, response.parameters_by_name["log_effect"].detach().exp())


@pytest.mark.parametrize(
    ("spec", "count"),
    [(ModelSpec(), 15), (ModelSpec(synergy=True), 18), (ModelSpec(synergy=True, effect_waves=2), 24)],
)
def test_the_shared_vector_is_five_numbers_a_channel_plus_what_was_asked_for(spec, count):
    assert sum(parameter.numel() for parameter in MediaResponse(spec, [0.1, 0.0, 0.1]).parameters()) == count


def test_no_channels_have_no_effect():
    response = MediaResponse(ModelSpec(synergy=True), [])
    assert response(torch.zeros(2, 5, 0)).tolist() == [[0.0] * 5] * 2
    assert response.negative_log_prior().item() == 0.0
