"""Units' own deviations: linear around the shared response, integrated out, and each unit's own."""

import numpy as np
import pytest
import torch

from mmm_models.objective import UnitObjective, training_records
from mmm_models.partial_pooling import deviations, with_unit_deviations
from mmm_models.spec import ModelSpec, PoolingSpec
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel

SPEC = ModelSpec(max_lag_weeks=4)
ALIKE = SPEC.model_copy(update={"pooling": PoolingSpec(unit_effect_sd=0.0, unit_shape_sd=0.0)})


def test_a_deviation_is_what_a_units_own_parameters_would_do() -> None:
    _, data = prepared(small_panel(), SPEC)
    response = scattered_response(SPEC, 2).double()
    media = data.media.double()
    features = deviations(response, media, 0.2, 0.2)
    own = {name: value.detach() for name, value in response.named_parameters()}
    effects = response.effects(own, media)

    assert features.shape == (*media.shape[:2], 6)
    torch.testing.assert_close(features[..., :2], SPEC.pooling.unit_effect_sd * effects)
    for place, name in ((2, "log_half_saturation"), (4, "decay_logit")):
        moved = response.effects({**own, name: own[name] + 1e-5}, media)
        change = SPEC.pooling.unit_shape_sd * (moved - effects) / 1e-5
        torch.testing.assert_close(features[..., place : place + 2], change, rtol=1e-3, atol=1e-6)


def test_units_that_respond_alike_have_no_deviations() -> None:
    _, data = prepared(small_panel(), ALIKE)
    assert with_unit_deviations(data, scattered_response(ALIKE, 2)) is data


def test_a_units_loss_is_that_of_noise_baseline_and_deviations_together() -> None:
    """Against the dense covariance: r' (noise^2 I + features features')^-1 r / 2."""
    _, data = prepared(small_panel(), SPEC)
    response = scattered_response(SPEC, 2).double()
    pooled = with_unit_deviations(data.double(), response)
    with torch.no_grad():
        losses = UnitObjective(response).losses(training_records(response, pooled))
        effect = response.effects(response.parameters_by_name, pooled.media).sum(dim=-1)
    for unit in range(3):
        weeks = pooled.train[unit] > 0
        features = torch.cat(
            [data.features[unit].double(), deviations(response, pooled.media, 0.2, 0.2)[unit]], dim=-1
        )[weeks]
        covariance = (
            pooled.noise[unit] ** 2 * torch.eye(int(weeks.sum()), dtype=torch.float64) + features @ features.T
        )
        residual = (pooled.outcome[unit] - 1.0 - effect[unit])[weeks]
        expected = 0.5 * residual @ torch.linalg.solve(covariance, residual)
        assert losses[unit].item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_unit_that_responds_differently_weighs_less_and_others_are_untouched() -> None:
    spec = SPEC.model_copy(update={"pooling": PoolingSpec(unit_effect_sd=1.0)})
    _, data = prepared(small_panel(), spec)
    response = scattered_response(spec, 2).double()
    with torch.no_grad():
        response.parameters_by_name["log_effect"].add_(2.0)  # far above the noise
    changed = data.outcome.clone()
    changed[0] += (
        response.effects(response.parameters_by_name, data.media.double()).sum(dim=-1)[0].float().detach()
    )
    odd = type(data)(**{**vars(data), "outcome": changed})

    def losses(records: object) -> np.ndarray:
        with torch.no_grad():
            return UnitObjective(response).losses(training_records(response, records)).numpy()  # type: ignore[arg-type]

    alike = losses(odd.double()) - losses(data.double())
    pooled = losses(with_unit_deviations(odd.double(), response)) - losses(
        with_unit_deviations(data.double(), response)
    )
    assert abs(pooled[0]) < 0.7 * abs(alike[0])
    np.testing.assert_array_equal(pooled[1:], 0.0)
