"""One silo's round: exact steps are gradient descent, private ones are noised sums of clipped gradients."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from clients.local_training import LocalRun, LocalUpdate, train_locally
from mmm_models.federated_spec import LocalOptimizer, LocalTraining
from mmm_models.network import MediaResponse
from mmm_models.objective import UnitObjective, gradient_balance, pack
from mmm_models.response_prior import prior_weight
from mmm_models.spec import ModelSpec
from mmm_models.training import get_vector
from mmm_models.unit_data import UnitData
from privacy.per_unit_gradients import PerUnitGradients
from privacy.run_terms import PrivacyMode, PrivacyTerms
from privacy.secure_noise import NoiseSource, SecureNoise, SeededNoise
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel

SPEC = ModelSpec()
UNITS = 5
NONE, LOCAL = PrivacyTerms(PrivacyMode.NONE), PrivacyTerms(PrivacyMode.LOCAL, 8.0, 1e-4, 4, values=100)
ONE_STEP = LocalTraining(optimizer=LocalOptimizer.SGD, steps=1, learning_rate=0.01)


@pytest.fixture(scope="module")
def data() -> UnitData:
    return prepared(small_panel(units=UNITS), SPEC)[1]


def trained(
    data: UnitData,
    training: LocalTraining = ONE_STEP,
    *,
    privacy: PrivacyTerms = NONE,
    noise: NoiseSource | None = None,
    clip_norm: float = 1.0,
) -> LocalUpdate:
    run = LocalRun(training, privacy, noise or SecureNoise(), units=UNITS, units_of_all=20.0)
    return train_locally(scattered_response(SPEC, 2), data, run, clip_norm=clip_norm)


def loss_and_prior(response: MediaResponse, data: UnitData) -> torch.Tensor:
    loss = UnitObjective(response).losses(pack(data)).mean()
    return loss + prior_weight(SPEC.prior, 20.0) * response.negative_log_prior()


def gradient_of(response: MediaResponse, data: UnitData) -> np.ndarray:
    gradients = torch.autograd.grad(loss_and_prior(response, data), list(response.parameters()))
    return torch.cat([gradient.reshape(-1) for gradient in gradients]).double().numpy()


def test_one_step_descends_the_mean_loss_plus_the_prior(data: UnitData) -> None:
    expected = -0.01 * gradient_of(scattered_response(SPEC, 2), data)

    assert trained(data).change == pytest.approx(expected, rel=1e-4, abs=1e-8)


def test_the_loss_reported_is_that_of_the_model_as_it_arrived(data: UnitData) -> None:
    losses = UnitObjective(scattered_response(SPEC, 2)).losses(pack(data))
    three = ONE_STEP.model_copy(update={"steps": 3})

    assert trained(data, three).loss_sum == pytest.approx(float(losses.sum().item()), rel=1e-6)


def test_three_steps_are_three_gradients(data: UnitData) -> None:
    response = scattered_response(SPEC, 2)
    start = get_vector(response)
    optimizer = torch.optim.SGD(response.parameters(), lr=0.01)
    for _ in range(3):
        optimizer.zero_grad()
        loss_and_prior(response, data).backward()
        optimizer.step()

    change = trained(data, ONE_STEP.model_copy(update={"steps": 3})).change

    assert change == pytest.approx(get_vector(response) - start, rel=1e-3, abs=1e-6)


def test_adam_takes_torchs_steps(data: UnitData) -> None:
    response = scattered_response(SPEC, 2)
    start = get_vector(response)
    optimizer = torch.optim.Adam(response.parameters(), lr=0.02)
    for _ in range(3):
        optimizer.zero_grad()
        loss_and_prior(response, data).backward()
        optimizer.step()
    training = LocalTraining(optimizer=LocalOptimizer.ADAM, steps=3, learning_rate=0.02)

    assert trained(data, training).change == pytest.approx(get_vector(response) - start, rel=1e-2, abs=1e-5)


def test_the_proximal_term_keeps_the_model_near_the_start(data: UnitData) -> None:
    many = ONE_STEP.model_copy(update={"steps": 20})

    free = np.linalg.norm(trained(data, many).change)
    held = np.linalg.norm(trained(data, many.model_copy(update={"proximal": 20.0})).change)

    assert held < 0.9 * free


def test_the_proximal_pull_starts_with_the_second_step(data: UnitData) -> None:
    pulled = ONE_STEP.model_copy(update={"proximal": 10.0})

    assert trained(data, pulled).change.tolist() == trained(data).change.tolist()


class RecordedNoise:
    """Hands out known noise and notes its size."""

    def __init__(self) -> None:
        self.sigmas: list[float] = []
        self._source = SeededNoise(b"local training!!")

    def gaussian(self, shape: tuple[int, ...], sigma: float) -> np.ndarray:
        self.sigmas.append(sigma)
        return self._source.gaussian(shape, sigma)

    def discrete_gaussian(self, shape: tuple[int, ...]) -> np.ndarray:
        raise AssertionError("each silo's own noise is continuous")

    def coin_flips(self, count: int, probability: float) -> np.ndarray:
        raise AssertionError("every unit takes part in every step")


def test_a_private_step_is_the_noised_sum_of_clipped_balanced_gradients(data: UnitData) -> None:
    response, clip_norm = scattered_response(SPEC, 2), 0.7
    balance = gradient_balance(response)
    objective = UnitObjective(response, {name: 1 / value for name, value in balance.items()})
    gradients = PerUnitGradients(objective)(pack(data), objective.unit_loss).numpy()
    norms = np.linalg.norm(gradients, axis=1, keepdims=True)
    clipped = gradients * np.minimum(1.0, clip_norm / (norms + 1e-6))
    factors = np.concatenate(
        [
            balance.get(name, torch.ones_like(value)).reshape(-1).double().numpy()
            for name, value in response.named_parameters()
        ]
    )
    source = SeededNoise(b"local training!!")
    count_noise = source.gaussian((1,), LOCAL.clip_count_sigma)
    sigma = LOCAL.gradient_noise_multiplier * clip_norm
    noised = (clipped.sum(axis=0) + source.gaussian((gradients.shape[1],), sigma)) * factors
    prior = gradient_of(response, data) - _mean_loss_gradient(response, data)

    update = trained(data, privacy=LOCAL, noise=RecordedNoise(), clip_norm=clip_norm)

    assert update.change == pytest.approx(-0.01 * (noised / UNITS + prior), rel=1e-3, abs=1e-5)
    within = float((norms <= clip_norm).sum()) - UNITS / 2
    assert update.centred_clip_count == pytest.approx(within + count_noise[0])


def _mean_loss_gradient(response: MediaResponse, data: UnitData) -> np.ndarray:
    loss = UnitObjective(response).losses(pack(data)).mean()
    gradients = torch.autograd.grad(loss, list(response.parameters()))
    return torch.cat([gradient.reshape(-1) for gradient in gradients]).double().numpy()


def test_noise_has_the_size_that_was_charged(data: UnitData) -> None:
    noise = RecordedNoise()

    trained(data, ONE_STEP.model_copy(update={"steps": 2}), privacy=LOCAL, noise=noise, clip_norm=0.5)

    gradient = 0.5 * LOCAL.gradient_noise_multiplier
    assert noise.sigmas == pytest.approx([LOCAL.clip_count_sigma, gradient] * 2)


def test_a_private_update_tells_no_loss(data: UnitData) -> None:
    assert trained(data, privacy=LOCAL).loss_sum == 0.0


def test_a_private_update_does_not_repeat_when_torch_is_seeded_alike(data: UnitData) -> None:
    changes = []
    for _ in range(2):
        torch.manual_seed(0)
        np.random.seed(0)
        changes.append(trained(data, privacy=LOCAL).change)

    assert not np.any(changes[0] == changes[1])


def test_private_training_leaves_torchs_generator_alone(data: UnitData) -> None:
    before = torch.random.get_rng_state()

    trained(data, privacy=LOCAL)

    assert torch.equal(torch.random.get_rng_state(), before)


def test_one_wild_store_moves_a_private_update_by_at_most_its_clip_norm(data: UnitData) -> None:
    """The same noise on both; the wild store's series is multiplied by a thousand."""
    wild = data.outcome.clone()
    wild[0] *= 1000.0
    balance = gradient_balance(scattered_response(SPEC, 2))
    largest = max(float(value.max()) for value in balance.values())

    usual, changed = (
        trained(d, privacy=LOCAL, noise=SeededNoise(b"local training!!"), clip_norm=0.5).change
        for d in (data, replace(data, outcome=wild))
    )

    # one step: learning rate / units * (one clipped gradient taken out, one put in), balanced back
    assert 0 < np.linalg.norm(changed - usual) <= 0.01 / UNITS * 2 * 0.5 * max(largest, 1.0) * 1.01
