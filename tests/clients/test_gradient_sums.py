"""Gradient and curvature sums: exactly what they say they are, and moved by one unit by no more than its bound."""

from collections.abc import Callable
from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from clients.gradient_sums import (
    Noising,
    exact_curvature,
    exact_gradient,
    noised_curvature,
    noised_gradient,
)
from clients.update_bound import UpdateBound
from mmm_models.curvature import pack_symmetric, packed_size, unit_information
from mmm_models.objective import UnitObjective, pack
from mmm_models.spec import ModelSpec
from mmm_models.unit_data import UnitData
from privacy.discrete_gaussian import VARIANCE
from privacy.distributed_noise import DistributedSum, IntegerBlock, NoiseShares, read_sum
from privacy.secure_noise import KeyedNoise, NoiseSource, SecureNoise, SeededNoise
from tests.mmm_models.small_panels import prepared, scattered_response, small_panel

Array = NDArray[np.float64]
SPEC = ModelSpec(max_lag_weeks=4)
UNITS, PARAMETERS = 6, 10
PACKED = packed_size(PARAMETERS)
SHARES = NoiseShares(survivors=4, colluding=1)
WHITE = np.random.default_rng(5).normal(size=(PARAMETERS, PARAMETERS)) / 3.0
FREE = UpdateBound(np.inf, np.inf)
SAME_NOISE = b"the same noise!!"


class NoNoise:
    """Shows the sum itself, over the units whose places are in `taken`, or over all."""

    def __init__(self, *taken: int) -> None:
        self._taken = taken

    def gaussian(self, shape: tuple[int, ...], sigma: float) -> Array:
        raise AssertionError("integer noise only")

    def discrete_gaussian(self, shape: tuple[int, ...]) -> NDArray[np.int64]:
        return np.zeros(shape, dtype=np.int64)

    def coin_flips(self, count: int, probability: float) -> NDArray[np.bool_]:
        return np.isin(np.arange(count), self._taken) if self._taken else np.ones(count, dtype=np.bool_)


@pytest.fixture(scope="module")
def data() -> UnitData:
    return prepared(small_panel(units=UNITS), SPEC)[1]


def units_of(data: UnitData, *places: int) -> UnitData:
    values: dict[str, Any] = {field.name: getattr(data, field.name) for field in fields(data)}
    chosen: dict[str, Any] = {k: v[list(places)] if isinstance(v, Tensor) else v for k, v in values.items()}
    return UnitData(**chosen)


def gradients_by_hand(data: UnitData) -> Array:
    """One unit after the other, by plain backpropagation; whitened."""
    response = scattered_response(SPEC, 2)
    objective, records, rows = UnitObjective(response), pack(data), []
    for unit in range(data.units):
        loss = objective.losses(records[unit : unit + 1]).sum()
        parts = torch.autograd.grad(loss, list(objective.parameters()))
        rows.append(torch.cat([part.reshape(-1) for part in parts]).double().numpy())
    return np.array(rows) @ WHITE.T


def gradient_release(clip_norm: float, noise: float = 1e-6) -> DistributedSum:
    """With so little noise that the grid is fine and the sum itself can be read."""
    return DistributedSum((IntegerBlock(PARAMETERS, clip_norm, noise), IntegerBlock(1, 0.5, noise)), SHARES)


def curvature_release(bound: float, noise: float = 1e-6) -> DistributedSum:
    return DistributedSum((IntegerBlock(PACKED, bound, noise),), SHARES)


def gradient_sum(
    data: UnitData, release: DistributedSum, noise: NoiseSource, rate: float = 1.0
) -> NDArray[np.uint64]:
    return noised_gradient(scattered_response(SPEC, 2), data, WHITE, Noising(release, noise, rate))


def curvature_sum(
    data: UnitData, release: DistributedSum, noise: NoiseSource, rate: float = 1.0
) -> NDArray[np.uint64]:
    return noised_curvature(scattered_response(SPEC, 2), data, WHITE, Noising(release, noise, rate))


class TestNoisedGradient:
    def test_is_the_sum_of_clipped_whitened_gradients_and_the_centred_count(self, data: UnitData) -> None:
        whitened = gradients_by_hand(data)
        norms = np.linalg.norm(whitened, axis=1)
        clip_norm = float(np.median(norms))
        clipped = whitened * np.minimum(1.0, clip_norm / norms)[:, None]
        release = gradient_release(clip_norm)

        read = read_sum(gradient_sum(data, release, SecureNoise()), release)

        assert read[:-1] == pytest.approx(clipped.sum(axis=0), rel=1e-3, abs=1e-4 * clip_norm)
        assert read[-1] == pytest.approx(UNITS / 2 - UNITS / 2, abs=1e-4)  # three within, three above

    def test_with_a_clip_norm_above_all_is_the_exact_sum(self, data: UnitData) -> None:
        """And then it is what the exact way of summing gives: both ways share their coordinates."""
        release = gradient_release(1e6)
        read = read_sum(gradient_sum(data, release, NoNoise()), release)
        exact = exact_gradient(scattered_response(SPEC, 2), data, WHITE, FREE)

        assert read[:-1] == pytest.approx(exact.gradient, rel=1e-3, abs=1e-3)
        assert read[-1] == pytest.approx(UNITS / 2, rel=1e-5)

    def test_of_no_units_is_noise_alone(self, data: UnitData) -> None:
        nobody = units_of(data)
        release = gradient_release(1.0)

        assert not gradient_sum(nobody, release, NoNoise()).any()
        assert gradient_sum(nobody, release, SecureNoise()).all()

    def test_has_the_deviation_of_a_share_of_the_planned_noise(self, data: UnitData) -> None:
        """Three honest shares make the planned noise, so one is 1 / sqrt(3) of it, for gradient and count."""
        release, nobody = gradient_release(2.0, noise=1.5), units_of(data)
        draws = np.array(
            [read_sum(gradient_sum(nobody, release, SecureNoise()), release) for _ in range(100)]
        )

        assert stats.kstest(draws[:, :-1].ravel() / (1.5 * 2.0 / 3**0.5), "norm").pvalue > 1e-6
        assert stats.kstest(draws[:, -1] / (1.5 * 0.5 / 3**0.5), "norm").pvalue > 1e-6


def poisoned(column: str, value: float) -> Callable[[UnitData], UnitData]:
    """The last unit's series spoilt."""

    def spoil(data: UnitData) -> UnitData:
        changed = getattr(data, column).clone()
        changed[-1] = value if not np.isfinite(value) or value == 0 else changed[-1] * value
        return replace(data, **{column: changed})

    return spoil


ADVERSARIAL = {
    "outcomes a million times as large": poisoned("outcome", 1e6),
    "outcomes beyond single precision's squares": poisoned("outcome", 1e30),
    "outcomes that are not numbers": poisoned("outcome", np.nan),
    "outcomes without end": poisoned("outcome", np.inf),
    "media a million times as large": poisoned("media", 1e6),
    "media without end": poisoned("media", np.inf),
    "media that are not numbers": poisoned("media", np.nan),
    "noise so small that every residual is huge": poisoned("noise", 1e-20),
    "no noise at all": poisoned("noise", 0.0),
    "a baseline without end": poisoned("whitener", np.inf),
    "nothing unusual": poisoned("outcome", 1.0),
}


def squared_length(integers: NDArray[np.uint64]) -> int:
    """Exact, in integer units."""
    return sum(value * value for value in integers.view(np.int64).tolist())


def longest_squared(block: IntegerBlock) -> Fraction:
    """(s / z)^2 with s^2 = h S^2 - 1/12, as the noise was sized for."""
    return (SHARES.honest * VARIANCE - Fraction(1, 12)) / Fraction(block.noise_multiplier) ** 2


@pytest.mark.parametrize("what", ADVERSARIAL)
class TestOneUnitMore:
    """The two neighbours differ by it; in integer units, so that no rounding is left out of account."""

    def test_moves_no_block_of_a_gradient_sum_by_more_than_its_bound(self, data: UnitData, what: str) -> None:
        release = gradient_release(0.7, noise=1.5)
        whole = ADVERSARIAL[what](data)

        moved = gradient_sum(whole, release, SeededNoise(SAME_NOISE)) - gradient_sum(
            units_of(whole, *range(UNITS - 1)), release, SeededNoise(SAME_NOISE)
        )

        gradient, count = release.blocks
        assert squared_length(moved[:-1]) <= longest_squared(gradient)
        assert squared_length(moved[-1:]) <= longest_squared(count)

    def test_moves_a_curvature_sum_by_no_more_than_its_bound(self, data: UnitData, what: str) -> None:
        release = curvature_release(0.7, noise=1.5)
        whole = ADVERSARIAL[what](data)

        moved = curvature_sum(whole, release, SeededNoise(SAME_NOISE)) - curvature_sum(
            units_of(whole, *range(UNITS - 1)), release, SeededNoise(SAME_NOISE)
        )

        assert squared_length(moved) <= longest_squared(release.blocks[0])


@pytest.mark.parametrize("entry", [np.nan, np.inf, 1e300, 1e-300, 0.0])
def test_no_coordinates_a_coordinator_names_let_a_unit_move_a_sum_further(
    data: UnitData, entry: float
) -> None:
    """It may send any matrix: records are bounded after it."""
    forward, response = np.full((PARAMETERS, PARAMETERS), entry), scattered_response(SPEC, 2)
    gradient, curvature = gradient_release(0.7, noise=1.5), curvature_release(0.7, noise=1.5)
    one = units_of(data, 0)

    moved = noised_gradient(response, one, forward, Noising(gradient, NoNoise(), 1.0))
    bent = noised_curvature(response, one, forward, Noising(curvature, NoNoise(), 1.0))

    assert squared_length(moved[:-1]) <= longest_squared(gradient.blocks[0])
    assert squared_length(moved[-1:]) <= longest_squared(gradient.blocks[1])
    assert squared_length(bent) <= longest_squared(curvature.blocks[0])


def test_without_clipping_a_unit_would_move_the_sum_by_more(data: UnitData) -> None:
    """The control for the bounds above: the same unit under a clip norm far above it."""
    wild = ADVERSARIAL["outcomes a million times as large"](data)
    free, bound = gradient_release(1e12), gradient_release(0.7)

    apart = np.linalg.norm(read_sum(gradient_sum(units_of(wild, UNITS - 1), free, NoNoise()), free)[:-1])

    assert apart > 1e3 * bound.blocks[0].bound


class TestTheNumberOfUnits:
    """Private: neighbours differ in it. Dividing by it would scale the noise with it, which then tells it."""

    @pytest.fixture
    def with_a_mute_unit(self, data: UnitData) -> UnitData:
        """The last unit trains in no week, so that it has no gradient and no curvature."""
        train = data.train.clone()
        train[-1] = 0.0
        return replace(data, train=train)

    def test_a_unit_without_a_gradient_changes_no_bit_of_the_gradient(
        self, with_a_mute_unit: UnitData
    ) -> None:
        """It moves the clip count by its centred half, which has noise of its own, and nothing else."""
        release = gradient_release(0.7, noise=1.5)
        five, six = (
            gradient_sum(units_of(with_a_mute_unit, *range(n)), release, SeededNoise(SAME_NOISE))
            for n in (UNITS - 1, UNITS)
        )

        assert six[:-1].tobytes() == five[:-1].tobytes()
        half = 0.5 / release.blocks[1].step(SHARES)
        assert half - 2 - half * 2.0**-20 <= int(six[-1] - five[-1]) <= half

    def test_a_unit_without_curvature_changes_no_bit_of_it(self, with_a_mute_unit: UnitData) -> None:
        release = curvature_release(0.7, noise=1.5)
        sums = {
            curvature_sum(units_of(with_a_mute_unit, *places), release, SeededNoise(SAME_NOISE)).tobytes()
            for places in (range(UNITS - 1), range(UNITS), (*range(UNITS), UNITS - 1, UNITS - 1))
        }

        assert len(sums) == 1

    def test_noise_is_the_same_for_one_unit_and_for_two(self, with_a_mute_unit: UnitData) -> None:
        """Where an average over so few would have half of it."""
        mute, release = UNITS - 1, gradient_release(1.0, noise=1.5)
        one, two = (
            gradient_sum(units_of(with_a_mute_unit, *[mute] * n), release, SeededNoise(SAME_NOISE))
            for n in (1, 2)
        )

        assert one[:-1].tobytes() == two[:-1].tobytes()


class TestRounding:
    """How numbers are rounded depends on what is computed together; no unit's integers may."""

    def differences(self, data: UnitData) -> int:
        """Integers of five units' sums that are not those of six less the sixth's alone."""
        gradients, curvatures = gradient_release(0.7, noise=1.5), curvature_release(0.7, noise=1.5)
        found = 0
        for place in range(UNITS):
            others = units_of(data, *(unit for unit in range(UNITS) if unit != place))
            for total, release in ((gradient_sum, gradients), (curvature_sum, curvatures)):
                six, five, one = (
                    total(part, release, NoNoise()) for part in (data, others, units_of(data, place))
                )
                found += int((six - five != one).sum())
        return found

    def test_a_units_integers_are_the_same_whichever_others_it_is_summed_with(self, data: UnitData) -> None:
        assert self.differences(data) == 0

    def test_in_single_precision_they_would_not_be(
        self, data: UnitData, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The control: why private sums are computed in double precision."""
        monkeypatch.setattr("clients.gradient_sums.in_double", lambda response, data: (response, data))

        assert self.differences(data) > 0


class TestSampling:
    def test_the_sum_is_over_the_sample(self, data: UnitData) -> None:
        release = gradient_release(0.7)
        sampled = gradient_sum(data, release, NoNoise(1, 4), rate=0.5)

        assert sampled.tolist() == gradient_sum(units_of(data, 1, 4), release, NoNoise()).tolist()

    def test_curvature_is_of_a_sample_too(self, data: UnitData) -> None:
        release = curvature_release(0.7)
        sampled = curvature_sum(data, release, NoNoise(0, 5), rate=0.5)

        assert sampled.tolist() == curvature_sum(units_of(data, 0, 5), release, NoNoise()).tolist()

    def test_each_unit_takes_part_with_the_agreed_chance_and_independently(self, data: UnitData) -> None:
        """How many of 6 took part, read from the centred count: binomial."""
        release = gradient_release(1e6)
        counts = [
            round(2 * read_sum(gradient_sum(data, release, SecureNoise(), rate=0.3), release)[-1])
            for _ in range(100)
        ]

        assert set(counts) <= set(range(UNITS + 1))
        assert stats.binomtest(sum(counts), 100 * UNITS, 0.3).pvalue > 1e-6
        assert len(set(counts)) > 2

    def test_two_silos_draw_independent_samples_and_one_silo_repeats_its_own(self, data: UnitData) -> None:
        """From each silo's own secret: nothing in a request decides or tells who takes part."""
        release = gradient_release(0.7)
        one, again, other = (
            [
                gradient_sum(data, release, _OnlyFlips(key + bytes([n]) * 16), rate=0.5).tobytes()
                for n in range(12)
            ]
            for key in (b"silo one" * 2, b"silo one" * 2, b"silo two" * 2)
        )

        assert one == again
        assert sum(a != b for a, b in zip(one, other, strict=True)) > 6


class _OnlyFlips(NoNoise):
    """A silo's keyed coin flips without its noise, so that sums tell who was in them."""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._flips = KeyedNoise(key)

    def coin_flips(self, count: int, probability: float) -> NDArray[np.bool_]:
        return self._flips.coin_flips(count, probability)


class TestExactSums:
    def test_are_those_of_single_units_added_up(self, data: UnitData) -> None:
        response = scattered_response(SPEC, 2)
        found = exact_gradient(response, data, WHITE, FREE)
        losses = UnitObjective(response).losses(pack(data))

        assert found.gradient == pytest.approx(gradients_by_hand(data).sum(axis=0), rel=1e-3, abs=1e-3)
        assert found.loss == pytest.approx(float(losses.sum().item()), rel=1e-6)

    def test_curvature_is_whitened_packed_and_added_up(self, data: UnitData) -> None:
        response = scattered_response(SPEC, 2)
        expected = pack_symmetric(WHITE @ unit_information(response, data).sum(axis=0) @ WHITE.T)

        assert exact_curvature(response, data, WHITE, FREE) == pytest.approx(expected, rel=1e-6)

    @pytest.mark.parametrize("bound", [UpdateBound(0.01, np.inf), UpdateBound(np.inf, UNITS / 2)])
    def test_keep_to_what_one_silo_may_move(self, data: UnitData, bound: UpdateBound) -> None:
        """A mean of length 0.01, or half of every unit. Curvature, like a gradient's square, is 0.01^2 long."""
        response = scattered_response(SPEC, 2)
        free, held = (exact_gradient(response, data, WHITE, b).gradient for b in (FREE, bound))
        free_curve, held_curve = (exact_curvature(response, data, WHITE, b) for b in (FREE, bound))

        for whole, part, length in ((free, held, bound.length), (free_curve, held_curve, bound.length**2)):
            mean = min(float(np.linalg.norm(whole)) / UNITS, length)
            assert np.linalg.norm(part) == pytest.approx(
                UNITS * mean * min(1.0, bound.units / UNITS), rel=1e-9
            )
            assert part / np.linalg.norm(part) == pytest.approx(whole / np.linalg.norm(whole), rel=1e-9)
