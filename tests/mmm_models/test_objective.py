"""Each unit's loss against the dense Gaussian likelihood it stands for."""

import numpy as np
import pytest
import torch

from mmm_models.network import MediaResponse
from mmm_models.objective import UnitObjective, gradient_balance, pack
from mmm_models.spec import BaselineSpec, ModelSpec
from tests.mmm_models.small_panels import own_copies, prepared, scattered_response, small_panel

SPEC = ModelSpec(max_lag_weeks=4)
TIGHT = ModelSpec(max_lag_weeks=4, baseline=BaselineSpec(intercept_sd=0.5))  # so that the mean counts too


def gaps() -> np.ndarray:
    observed = np.ones((3, 60), dtype=np.bool_)
    observed[1, 10:20] = False
    return observed


def panel():
    observed = gaps()
    return small_panel(observed=observed, outcome=small_panel().outcome * observed)


def test_a_loss_is_the_gaussian_quadratic_form_with_the_baseline_integrated_out():
    _, data = prepared(panel(), TIGHT)
    objective = UnitObjective(scattered_response(TIGHT, 2))
    with torch.no_grad():
        losses = objective.losses(pack(data)).double().numpy()
        effect = objective.response(data.media).double().numpy()
    for unit in range(3):
        train = data.train[unit].numpy() > 0
        features = data.features[unit].double().numpy()[train]
        residual = data.outcome[unit].double().numpy()[train] - 1.0 - effect[unit][train]
        covariance = float(data.noise[unit]) ** 2 * np.eye(train.sum()) + features @ features.T
        expected = 0.5 * residual @ np.linalg.inv(covariance) @ residual
        assert losses[unit] == pytest.approx(expected, rel=1e-3)


def test_a_loss_does_not_depend_on_other_units():
    _, data = prepared(panel(), SPEC)
    objective, inputs = UnitObjective(scattered_response(SPEC, 2)), pack(data)
    others = inputs.clone()
    others[1:] = others[1:].flip(1) * 3.0
    assert objective.losses(inputs)[0].item() == objective.losses(others)[0].item()
    assert objective.losses(inputs)[1].item() != objective.losses(others)[1].item()


def test_weeks_that_are_held_out_or_not_observed_do_not_count():
    _, data = prepared(panel(), SPEC)
    objective, inputs = UnitObjective(scattered_response(SPEC, 2)), pack(data)
    ignored = data.train == 0
    assert int(ignored.sum()) == 3 * 8 + 10
    changed = inputs.clone()
    changed[..., 0][ignored] = 77.0
    torch.testing.assert_close(objective.losses(changed), objective.losses(inputs), rtol=0, atol=0)


def test_per_unit_gradients_in_one_pass_match_one_unit_at_a_time():
    _, data = prepared(panel(), SPEC)
    response = scattered_response(SPEC, 2)
    objective, inputs = UnitObjective(response), pack(data)
    copies = {f"response.{name}": value.requires_grad_() for name, value in own_copies(response, 3).items()}
    losses = objective.unit_loss(objective.forward_per_unit(copies, inputs), inputs)
    together = torch.autograd.grad(losses.sum(), list(copies.values()))
    for unit in range(3):
        own = {name: value[unit].detach().requires_grad_() for name, value in copies.items()}
        row = inputs[unit : unit + 1]
        loss = objective.unit_loss(objective.forward_per_unit(own, row), row).sum()
        for all_units, alone in zip(together, torch.autograd.grad(loss, list(own.values())), strict=True):
            torch.testing.assert_close(all_units[unit], alone, rtol=1e-3, atol=1e-3)


def test_a_constant_shift_of_a_unit_is_left_to_its_baseline():
    _, data = prepared(small_panel(), SPEC)
    objective, inputs = UnitObjective(scattered_response(SPEC, 2)), pack(data)
    shifted = inputs.clone()
    shifted[..., 0] += 0.5
    # the intercept's prior (sd 10) charges almost nothing for it
    torch.testing.assert_close(objective.losses(shifted), objective.losses(inputs), rtol=1e-2, atol=0.05)


def test_a_gradient_scale_changes_gradients_and_nothing_else():
    _, data = prepared(small_panel(), SPEC)
    response, inputs = scattered_response(SPEC, 2), pack(data)
    scale = {"log_effect": torch.tensor([2.0, 0.25])}
    plain, scaled = UnitObjective(response), UnitObjective(response, scale)
    assert torch.equal(plain.losses(inputs), scaled.losses(inputs))
    name = "response.log_effect"
    before, after = (
        dict(zip(names, torch.autograd.grad(objective.losses(inputs).sum(), values), strict=True))
        for objective in (plain, scaled)
        for names, values in [zip(*objective.named_parameters(), strict=True)]
    )
    torch.testing.assert_close(after[name], before[name] * scale["log_effect"])
    assert all(torch.equal(after[other], before[other]) for other in before if other != name)


def test_gradients_are_balanced_by_a_channels_share_of_all_effects_within_limits():
    response = MediaResponse(ModelSpec(synergy=True, effect_waves=2), [0.05] * 4)
    with torch.no_grad():
        response.parameters_by_name["log_effect"].copy_(
            torch.tensor([0.001, 0.3, 0.099, 0.0]).clamp_min(1e-9).log()
        )
    balance = gradient_balance(response)  # effects of 0.1 on average
    assert balance["decay_logit"].tolist() == pytest.approx([0.1, 3.0, 0.99, 0.1])
    assert balance["effect_wave"].tolist() == [[value] * 2 for value in balance["log_effect"].tolist()]
    assert "synergy" not in balance
