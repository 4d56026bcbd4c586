"""Per-unit gradients are exact, no unit moves the sum by more than the clip norm, the noise is secure.

`TestBrokenPrivacyIsNoticed` breaks the mechanism on purpose: a check blind to that would prove nothing.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from opacus import GradSampleModule
from scipy import stats
from torch import Tensor, nn

from privacy import dp_sgd
from privacy.accountant import GaussianEvent
from privacy.dp_sgd import DpStep, GradientRelease, PerUnitGradients
from privacy.errors import InvalidSetting, NetworkUnsuitable
from privacy.secure_noise import SecureNoise, SeededNoise

CHANNELS, LAGS = 3, 4
CLIP = 0.05
SPEC = GradientRelease(max_grad_norm=CLIP, noise_multiplier=2.0)
SIGNIFICANCE = 1e-6


class ResponseNetwork(nn.Module):
    """Adstock, saturation, effect, trend in small; inputs [unit, week, channel + outcome]."""

    def __init__(self) -> None:
        super().__init__()
        self.decay = nn.Parameter(torch.tensor([-1.0, 0.0, 1.0]))
        self.half_saturation = nn.Parameter(torch.tensor([0.5, 1.0, 2.0]))
        self.effect = nn.Parameter(torch.tensor([0.3, 0.6, 0.1]))
        self.trend = nn.Parameter(torch.tensor(0.2))

    def forward(self, inputs: Tensor) -> Tensor:
        shared = {name: value.unsqueeze(0) for name, value in self.named_parameters()}
        return self.forward_per_unit(shared, inputs)

    def forward_per_unit(self, parameters: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        media, outcome = inputs[..., :CHANNELS], inputs[..., CHANNELS]
        weights = torch.sigmoid(parameters["decay"]).unsqueeze(-1) ** torch.arange(LAGS)
        windows = nn.functional.pad(media, (0, 0, LAGS - 1, 0)).unfold(1, LAGS, 1).flip(-1)
        carried = (windows * weights.unsqueeze(1)).sum(-1)
        saturated = carried / (carried + parameters["half_saturation"].exp().unsqueeze(1))
        trend = parameters["trend"].unsqueeze(1) * torch.linspace(-1, 1, inputs.shape[1])
        residual = outcome - (saturated * parameters["effect"].unsqueeze(1)).sum(-1) - trend
        return residual - residual.mean(dim=1, keepdim=True)


def mean_squares(output: Tensor, inputs: Tensor) -> Tensor:
    return output.square().mean(dim=1)


def panel(n_units: int, n_weeks: int = 20, seed: int = 0) -> Tensor:
    rng = np.random.default_rng(seed)
    values = rng.lognormal(size=(n_units, n_weeks, CHANNELS + 1)) * rng.lognormal(size=(n_units, 1, 1))
    return torch.from_numpy(values).float()


def plain_gradient(network: nn.Module, inputs: Tensor) -> Tensor:
    loss = mean_squares(network(inputs), inputs).sum()
    return torch.cat(
        [gradient.reshape(-1) for gradient in torch.autograd.grad(loss, list(network.parameters()))]
    )


def gradients_of(inputs: Tensor) -> Tensor:
    return PerUnitGradients(ResponseNetwork())(inputs, mean_squares)


def release(inputs: Tensor, spec: GradientRelease = SPEC, seed: int = 1) -> NDArray[np.float64]:
    step = DpStep(ResponseNetwork(), noise=SeededNoise(seed.to_bytes(16, "big")))
    return step.release(inputs, mean_squares, spec=spec).gradient_sum


class TestPerUnitGradients:
    def test_equal_a_loop_over_units(self) -> None:
        network, inputs = ResponseNetwork(), panel(7)
        rows = []
        for unit in range(7):
            rows.append(plain_gradient(network, inputs[unit : unit + 1]))

        torch.testing.assert_close(gradients_of(inputs), torch.stack(rows).double(), rtol=1e-5, atol=1e-7)

    def test_equal_a_vectorised_map_over_units(self) -> None:
        network, inputs = ResponseNetwork(), panel(7)
        shared = {name: value.detach() for name, value in network.named_parameters()}

        def loss(parameters: dict[str, Tensor], unit: Tensor) -> Tensor:
            output = torch.func.functional_call(network, parameters, (unit.unsqueeze(0),))
            return mean_squares(output, unit).sum()

        mapped = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(shared, inputs)
        flat = torch.cat([value.reshape(7, -1) for value in mapped.values()], dim=1)

        torch.testing.assert_close(gradients_of(inputs), flat.double(), rtol=1e-5, atol=1e-7)

    # Opacus hooks a module whose inputs need no gradient; torch remarks on that.
    @pytest.mark.filterwarnings("ignore:Full backward hook is firing:UserWarning")
    def test_equal_the_gradients_of_opacus_own_hooks(self) -> None:
        network, inputs = ResponseNetwork(), panel(7)
        hooked = GradSampleModule(network, loss_reduction="sum", force_functorch=True)
        mean_squares(hooked(inputs), inputs).sum().backward()
        samples: list[Tensor] = [vars(value)["grad_sample"] for value in network.parameters()]
        flat = torch.cat([sample.reshape(7, -1) for sample in samples], dim=1)

        torch.testing.assert_close(gradients_of(inputs), flat.double(), rtol=1e-5, atol=1e-7)

    def test_add_up_to_the_plain_gradient_and_leave_the_network_alone(self) -> None:
        network, inputs = ResponseNetwork(), panel(30)
        per_unit = PerUnitGradients(network)(inputs, mean_squares)
        assert all(value.grad is None and not hasattr(value, "grad_sample") for value in network.parameters())

        plain = plain_gradient(network, inputs).double()

        torch.testing.assert_close(per_unit.sum(dim=0), plain, rtol=1e-4, atol=1e-6)

    def test_skip_frozen_parameters(self) -> None:
        network = ResponseNetwork()
        network.decay.requires_grad_(False)
        gradients = PerUnitGradients(network)

        assert gradients.names == ("half_saturation", "effect", "trend")
        torch.testing.assert_close(gradients(panel(5), mean_squares), gradients_of(panel(5))[:, CHANNELS:])


class TestUnsuitableNetworks:
    def test_a_network_without_per_unit_parameters_is_refused(self) -> None:
        with pytest.raises(NetworkUnsuitable, match="Linear"):
            PerUnitGradients(nn.Linear(3, 1))

    def test_a_network_with_buffers_is_refused(self) -> None:
        network = ResponseNetwork()
        network.register_buffer("running_mean", torch.zeros(1))

        with pytest.raises(NetworkUnsuitable, match="buffers"):
            PerUnitGradients(network)

    def test_a_loss_that_averages_over_units_is_refused(self) -> None:
        with pytest.raises(NetworkUnsuitable, match="shape"):
            PerUnitGradients(ResponseNetwork())(panel(3), lambda output, inputs: output.square().mean())

    def test_a_loss_that_mixes_units_is_refused(self) -> None:
        gradients = PerUnitGradients(ResponseNetwork())
        gradients.check_units_do_not_mix(panel(4), mean_squares)

        with pytest.raises(NetworkUnsuitable, match="other units"):
            gradients.check_units_do_not_mix(panel(4), lambda o, i: ((o - o.mean(dim=0)) ** 2).mean(dim=1))

    def test_a_model_that_has_diverged_is_refused_before_the_data_are_used(self) -> None:
        network = ResponseNetwork()
        with torch.no_grad():
            network.effect[0] = torch.nan

        with pytest.raises(NetworkUnsuitable, match="finite"):
            PerUnitGradients(network)(panel(3), mean_squares)


def influence(inputs: Tensor, unit: Tensor, spec: GradientRelease = SPEC) -> float:
    """How far adding `unit` moves the sum; equal seeds make the noise cancel."""
    return float(np.linalg.norm(release(torch.cat([inputs, unit]), spec) - release(inputs, spec)))


class TestClipping:
    @pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3, 1e6, 1e15])
    def test_no_unit_moves_the_sum_by_more_than_the_clip_norm(self, scale: float) -> None:
        for seed in range(5):
            assert influence(panel(40), panel(1, seed=100 + seed) * scale) <= CLIP * (1 + 1e-9)

    @pytest.mark.parametrize("poison", [torch.nan, torch.inf, 3e38])
    def test_a_unit_without_a_finite_gradient_counts_as_zero(self, poison: float) -> None:
        assert influence(panel(40), torch.full((1, 20, CHANNELS + 1), poison)) <= CLIP

    def test_the_sum_is_the_sum_of_clipped_gradients_plus_the_seeded_noise(self) -> None:
        gradients = gradients_of(panel(40)).numpy()
        norms = np.linalg.norm(gradients, axis=1)
        assert (norms > CLIP).any()
        assert (norms < CLIP).any()
        clipped = (gradients * np.minimum(1.0, CLIP / (norms + 1e-6))[:, None]).sum(axis=0)
        noise = SeededNoise((1).to_bytes(16, "big")).gaussian(clipped.shape, 2.0 * CLIP)

        np.testing.assert_allclose(release(panel(40)), clipped + noise, rtol=1e-12)

    def test_a_step_leaves_nothing_for_the_next(self) -> None:
        step = DpStep(ResponseNetwork(), noise=SecureNoise())
        tiny = GradientRelease(max_grad_norm=CLIP, noise_multiplier=1e-9)
        first = step.release(panel(40), mean_squares, spec=tiny).gradient_sum
        second = step.release(panel(40), mean_squares, spec=tiny).gradient_sum

        np.testing.assert_allclose(first, second, atol=1e-7)


class TestNoise:
    def repeated(self, spec: GradientRelease, times: int = 400) -> NDArray[np.float64]:
        step = DpStep(ResponseNetwork(), noise=SecureNoise())
        inputs = panel(3, n_weeks=6)
        return np.array([step.release(inputs, mean_squares, spec=spec).gradient_sum for _ in range(times)])

    def test_has_the_promised_deviation_in_every_coordinate(self) -> None:
        sums = self.repeated(SPEC)
        z = (sums - sums.mean(axis=0)) / (SPEC.noise_multiplier * CLIP)
        freedom = len(sums) - 1

        for chi_square in (z**2).sum(axis=0):
            assert stats.chi2.cdf(chi_square, freedom) > SIGNIFICANCE
            assert stats.chi2.sf(chi_square, freedom) > SIGNIFICANCE
        assert stats.kstest(z.ravel(), "norm").pvalue > SIGNIFICANCE

    def test_does_not_repeat_when_torch_is_seeded_alike(self) -> None:
        sums = []
        for _ in range(2):
            torch.manual_seed(3)
            sums.append(
                DpStep(ResponseNetwork(), noise=SecureNoise()).release(panel(5), mean_squares, spec=SPEC)
            )

        assert not np.isin(sums[0].gradient_sum, sums[1].gradient_sum).any()


class TestClipCount:
    SPEC = GradientRelease(max_grad_norm=CLIP, noise_multiplier=2.0, clip_count_sigma=4.0)

    def counts(self, inputs: Tensor, times: int) -> NDArray[np.float64]:
        step = DpStep(ResponseNetwork(), noise=SecureNoise())
        released = [step.release(inputs, mean_squares, spec=self.SPEC) for _ in range(times)]
        return np.array([r.centred_clip_count for r in released])

    def test_is_the_centred_number_of_unclipped_units_with_its_noise(self) -> None:
        inputs = panel(40)
        unclipped = int((gradients_of(inputs).norm(dim=1) <= CLIP).sum())
        noise = (self.counts(inputs, 300) - (unclipped - 20)) / 4.0

        assert 0 < unclipped < 40
        assert stats.kstest(noise, "norm").pvalue > SIGNIFICANCE

    def test_is_not_released_unless_asked_for(self) -> None:
        step = DpStep(ResponseNetwork(), noise=SecureNoise())

        assert step.release(panel(3), mean_squares, spec=SPEC).centred_clip_count is None

    def test_is_charged_with_the_gradient_as_one_event(self) -> None:
        # 1/2^2 + (1/2 / 4)^2 = 0.25 + 0.015625
        assert self.SPEC.event(300) == GaussianEvent(0.265625**-0.5, 300)
        assert SPEC.event(300) == GaussianEvent(2.0, 300)


class PowerNetwork(nn.Module):
    """One slope, so that each unit's gradient is its input [unit, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(1))

    def forward_per_unit(self, parameters: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
        return (parameters["slope"] * inputs).sum(dim=1)


class TestSampling:
    HALF = GradientRelease(max_grad_norm=1e6, noise_multiplier=1e-12, sample_rate=0.5)

    def test_each_unit_takes_part_independently_with_the_asked_chance(self) -> None:
        """Unit u's gradient is 2^u, so that the released sum spells who took part."""
        step = DpStep(PowerNetwork(), noise=SecureNoise())
        powers = (2.0 ** torch.arange(12)).unsqueeze(1)
        spelt = [
            round(float(step.release(powers, lambda output, units: output, spec=self.HALF).gradient_sum[0]))
            for _ in range(300)
        ]
        bits = np.array([[number >> unit & 1 for unit in range(12)] for number in spelt])

        assert stats.binomtest(int(bits.sum()), bits.size, 0.5).pvalue > SIGNIFICANCE
        assert len(set(spelt)) > 200, "samples are drawn anew each step"
        pairs = np.corrcoef(bits.T)[np.triu_indices(12, 1)]
        assert np.abs(pairs).max() < 6 / np.sqrt(300)

    @pytest.mark.parametrize(
        "inputs, spec", [(panel(0), SPEC), (panel(1), GradientRelease(CLIP, 2.0, 4.0, 1e-12))]
    )
    def test_an_empty_batch_still_releases_noise(self, inputs: Tensor, spec: GradientRelease) -> None:
        step = DpStep(ResponseNetwork(), noise=SecureNoise())
        sums = np.array([step.release(inputs, mean_squares, spec=spec).gradient_sum for _ in range(50)])

        assert stats.kstest(sums.ravel() / (2.0 * CLIP), "norm").pvalue > SIGNIFICANCE


class TestBrokenPrivacyIsNoticed:
    def test_without_clipping_one_unit_moves_the_sum_by_more(self) -> None:
        unclipped = GradientRelease(max_grad_norm=1e9, noise_multiplier=1e-9)

        assert influence(panel(40), panel(1, seed=100) * 1e3, unclipped) > 100 * CLIP

    def test_noise_divided_by_ten_fails_the_deviation_test(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = SecureNoise.gaussian
        monkeypatch.setattr(SecureNoise, "gaussian", lambda self, shape, sigma: real(self, shape, sigma / 10))

        with pytest.raises(AssertionError):
            TestNoise().test_has_the_promised_deviation_in_every_coordinate()

    def test_opacus_own_noise_fails_the_seeding_test(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(dp_sgd._SecureNoiseOptimizer, "add_noise")

        with pytest.raises(AssertionError):
            TestNoise().test_does_not_repeat_when_torch_is_seeded_alike()

    def test_a_shared_noise_seed_lets_a_membership_attack_win(self) -> None:
        """With one seed the noise cancels and the unit shows; with different seeds it drowns."""
        target = panel(1, seed=100) * 10
        direction = gradients_of(target)[0].numpy()
        direction /= np.linalg.norm(direction)

        def score(seed: int) -> float:
            difference = release(torch.cat([panel(40), target]), seed=seed) - release(panel(40), seed=1)
            return float(difference @ direction)

        assert score(seed=1) == pytest.approx(CLIP, rel=1e-3)
        assert np.std([score(seed) for seed in range(2, 32)]) > CLIP


@pytest.mark.parametrize(
    "make",
    [
        lambda: GradientRelease(0.0, 1.0),
        lambda: GradientRelease(1.0, 0.0),
        lambda: GradientRelease(1.0, float("nan")),
        lambda: GradientRelease(1.0, 1.0, clip_count_sigma=0.0),
        lambda: GradientRelease(1.0, 1.0, sample_rate=0.0),
        lambda: SPEC.event(0),
    ],
)
def test_a_release_without_meaning_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidSetting):
        make()
