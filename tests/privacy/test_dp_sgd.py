"""No unit moves the sum by more than the clip norm, nothing is divided by their number, the noise is secure.

`TestBrokenPrivacyIsNoticed` breaks the mechanism on purpose: a check blind to that would prove nothing.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from opacus.optimizers import DPOptimizer
from scipy import stats
from torch import Tensor, nn

from privacy import dp_sgd
from privacy.accountant import GaussianEvent
from privacy.dp_sgd import DpStep, GradientRelease
from privacy.errors import InvalidSetting
from privacy.secure_noise import SecureNoise, SeededNoise
from tests.privacy.small_response import CHANNELS, ResponseNetwork, gradients_of, mean_squares, panel

CLIP = 0.05
SPEC = GradientRelease(max_grad_norm=CLIP, noise_multiplier=2.0)
SIGNIFICANCE = 1e-6


def release(inputs: Tensor, spec: GradientRelease = SPEC, seed: int = 1) -> NDArray[np.float64]:
    step = DpStep(ResponseNetwork(), noise=SeededNoise(seed.to_bytes(16, "big")))
    return step.release(inputs, mean_squares, spec=spec).gradient_sum


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


class TestTheNumberOfUnits:
    """It is private: neighbours differ in it. Whoever scales by it scales the noise too, which then tells it."""

    SPEC = GradientRelease(max_grad_norm=1.0, noise_multiplier=1.0, clip_count_sigma=4.0)

    def released(self, units: int) -> dp_sgd.NoisyGradient:
        """Of three units with a slope, and others whose gradient is zero, under one and the same noise."""
        inputs = torch.zeros(units, 1)
        inputs[:3, 0] = torch.tensor([0.25, -0.5, 0.125])
        step = DpStep(PowerNetwork(), noise=SeededNoise(b"the same noise!!"))
        return step.release(inputs, lambda output, _: output, spec=self.SPEC)

    def test_a_unit_with_a_zero_gradient_changes_no_bit_of_the_sum(self) -> None:
        """Also from one unit to two, where dividing by their number would halve the noise."""
        sums = {self.released(units).gradient_sum.tobytes() for units in (3, 4, 5, 100)}

        assert len(sums) == 1

    def test_it_moves_the_clip_count_by_its_centred_half(self) -> None:
        counts = [self.released(units).centred_clip_count or 0.0 for units in (3, 4, 5)]

        assert np.diff(counts) == pytest.approx([0.5, 0.5])

    @pytest.mark.filterwarnings("ignore:Secure RNG turned off:UserWarning")
    def test_what_opacus_own_scaling_gives_away(self) -> None:
        """The control: a mean over the private number of units. Its noise is that number's inverse, and long
        gradients show it: of two data sets without any information, no reader mistakes one for the other."""
        lengths = {units: self.length_of_a_mean(units) for units in (2, 3)}

        # Ten thousand coordinates of deviation 1 / units: the length is 100 / units, give or take 0.7 % of it.
        assert lengths == pytest.approx({2: 50.0, 3: 100 / 3}, rel=0.05)

    @staticmethod
    def length_of_a_mean(units: int) -> float:
        vector = nn.Parameter(torch.zeros(10_000))
        optimizer = DPOptimizer(
            torch.optim.SGD([vector], lr=1.0),
            noise_multiplier=1.0,
            max_grad_norm=1.0,
            expected_batch_size=units,
            loss_reduction="mean",
        )
        vector.grad_sample = torch.zeros(units, 10_000)  # type: ignore[attr-defined]
        optimizer.step()
        return float(vector.detach().norm())


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
