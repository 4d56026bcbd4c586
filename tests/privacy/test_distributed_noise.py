"""Distributed noise: exact lengths, the noise of the centre, and a privacy loss that sums confirm."""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from privacy.accountant import GaussianEvent, epsilon_of, epsilon_replace_one, gaussian_delta
from privacy.discrete_gaussian import (
    LARGEST_DRAW,
    TOTAL_VARIATION,
    VARIANCE,
    convolution_distance,
    distance_to_rounded_gaussian,
)
from privacy.distributed_noise import (
    DistributedSum,
    IntegerBlock,
    NoiseShares,
    events_with_honest,
    integer_records,
    noised_sum,
    read_sum,
    total_variation,
)
from privacy.errors import CapacityExceeded, InvalidSetting
from privacy.secure_noise import SeededNoise

Array = NDArray[np.float64]
SHARES = NoiseShares(survivors=5, colluding=1)
RELEASE = DistributedSum((IntegerBlock(3, 2.0, 1.5), IntegerBlock(1, 0.5, 4.0)), SHARES)
EVERY_FLOAT = arrays(np.float64, (3, 4), elements=st.floats(width=64))


class NoNoise:
    """Shows the sum itself."""

    def gaussian(self, shape: tuple[int, ...], sigma: float) -> Array:
        raise AssertionError("integer noise only")

    def discrete_gaussian(self, shape: tuple[int, ...]) -> NDArray[np.int64]:
        return np.zeros(shape, dtype=np.int64)

    def coin_flips(self, count: int, probability: float) -> NDArray[np.bool_]:
        raise AssertionError("a full-batch sum flips no coins")


def longest_squared(block: IntegerBlock, shares: NoiseShares) -> Fraction:
    """(s / z)^2 with s^2 = h S^2 - 1/12, as an exact fraction."""
    return (shares.honest * VARIANCE - Fraction(1, 12)) / Fraction(block.noise_multiplier) ** 2


class TestLength:
    @given(EVERY_FLOAT, st.floats(1e-290, 1e290), st.floats(1e-3, 1e6), st.integers(1, 1000))
    def test_no_record_is_longer_than_the_noise_was_sized_for(
        self, records: Array, bound: float, noise_multiplier: float, honest: int
    ) -> None:
        blocks = (IntegerBlock(3, bound, noise_multiplier), IntegerBlock(1, bound, noise_multiplier))
        release = DistributedSum(blocks, NoiseShares(honest))
        integers = integer_records(records, release).tolist()

        for row in integers:
            assert sum(value**2 for value in row[:3]) <= longest_squared(blocks[0], release.shares)
            assert row[3] ** 2 <= longest_squared(blocks[1], release.shares)

    @pytest.mark.parametrize("values", [1, 2, 1000, 100_000])
    @pytest.mark.parametrize("scale", [1e-290, 1.0, 1e300])
    def test_a_long_record_of_many_values_is_not_longer_either_and_hardly_shorter(
        self, values: int, scale: float
    ) -> None:
        block = IntegerBlock(values, scale / 1e3, 1.0)
        record = scale * SeededNoise(bytes(16)).gaussian((1, values), 1.0)
        integers = integer_records(record, DistributedSum((block,), SHARES))
        squared = sum(value**2 for value in integers[0].tolist())

        # Cutting takes half a unit from each value, at most a quarter per cent of the longest record here.
        assert (1 - 0.0025) * longest_squared(block, SHARES) < squared <= longest_squared(block, SHARES)

    def test_a_record_within_the_bound_loses_less_than_a_step_a_value_and_never_grows(self) -> None:
        records = np.array([[0.3, -1.1, 0.0, 0.25], [-1.9, 1e-9, -1e-3, -0.4]])
        steps = np.repeat([block.step(SHARES) for block in RELEASE.blocks], [3, 1])
        lost = np.abs(records) - np.abs(integer_records(records, RELEASE) * steps)

        assert (lost > -1e-15).all()
        assert (lost < steps).all()
        assert steps.max() < 1e-5

    def test_a_record_above_the_bound_keeps_its_direction(self) -> None:
        integers = integer_records(np.array([[0.0, 30.0, 40.0, 0.0]]), RELEASE)[0]

        assert integers * RELEASE.blocks[0].step(SHARES) == pytest.approx([0, 1.2, 1.6, 0], rel=2e-6)

    @pytest.mark.parametrize("nonsense", [np.nan, np.inf, -np.inf])
    def test_a_record_that_is_not_finite_counts_as_zero_in_every_block_and_raises_nothing(
        self, nonsense: float
    ) -> None:
        records = np.array([[nonsense, 1.0, 1.0, 0.5], [1.0, 1.0, 1.0, nonsense], [1.0, 0.0, 0.0, 0.1]])

        assert integer_records(records, RELEASE)[:2].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0]]
        assert integer_records(records, RELEASE)[2].any()

    def test_blocks_are_clipped_apart(self) -> None:
        """A count of +-1/2 at its own bound survives beside a gradient a million times too long."""
        integers = integer_records(np.array([[1e6, 0.0, 0.0, -0.5]]), RELEASE)[0]

        assert integers[3] * RELEASE.blocks[1].step(SHARES) == pytest.approx(-0.5, rel=2e-6)


class TestSum:
    def test_sums_of_silos_add_up_across_zero(self) -> None:
        silos = [np.array([[0.5, -1.0, 0.1, 0.5]] * 2), np.array([[-0.5, -0.5, 0.2, -0.5]]), np.zeros((0, 4))]
        total = np.zeros(4, dtype=np.uint64)
        for records in silos:
            total += noised_sum(records, RELEASE, NoNoise())

        assert read_sum(total, RELEASE) == pytest.approx([0.5, -2.5, 0.4, 0.5], abs=1e-5)

    def test_the_certain_shares_are_the_noise_that_was_planned(self) -> None:
        """h = 4 shares: standard deviation z * bound in real units, 1.5 * 2 and 4 * 0.5."""
        blocks = (IntegerBlock(20_000, 2.0, 1.5), IntegerBlock(20_000, 0.5, 4.0))
        release, nobody = DistributedSum(blocks, SHARES), np.zeros((0, 40_000))
        noise = SeededNoise(bytes(16))
        total = np.zeros(40_000, dtype=np.uint64)
        for _ in range(SHARES.honest):
            total += noised_sum(nobody, release, noise)
        read = read_sum(total, release)

        assert stats.kstest(read[:20_000] / 3.0, "norm").pvalue > 1e-6
        assert stats.kstest(read[20_000:] / 2.0, "norm").pvalue > 1e-6

    def test_the_step_is_the_planned_noise_in_shares(self) -> None:
        """One integer unit is worth z * bound / (S sqrt(h)); 1/12 of a squared unit does not show."""
        assert RELEASE.blocks[0].step(SHARES) == pytest.approx(1.5 * 2.0 / math.sqrt(4 * VARIANCE), rel=1e-12)

    def test_everybody_who_answers_uses_one_step_whoever_else_does(self) -> None:
        assert IntegerBlock(3, 2.0, 1.5).step(NoiseShares(4)) == IntegerBlock(3, 2.0, 1.5).step(SHARES)

    @pytest.mark.parametrize("shape", [(2, 3), (2, 5), (4,)], ids=str)
    def test_records_of_another_length_are_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(InvalidSetting):
            noised_sum(np.zeros(shape), RELEASE, NoNoise())

    def test_a_sum_of_another_length_is_refused(self) -> None:
        with pytest.raises(InvalidSetting):
            read_sum(np.zeros(3, dtype=np.uint64), RELEASE)


class TestCapacity:
    # z = 1/2 and h = 4: the longest record has 2 * sqrt(4) S = 4 S integer units, rounded up.
    RELEASE = DistributedSum((IntegerBlock(1, 1.0, 0.5),), SHARES)
    LONGEST = math.isqrt(16 * VARIANCE) + 1

    def test_the_largest_sum_that_fits_is_allowed_and_one_unit_more_is_not(self) -> None:
        most = (2**63 - 1 - 10 * LARGEST_DRAW) // self.LONGEST

        self.RELEASE.require_capacity(silos=10, units=most)
        with pytest.raises(CapacityExceeded):
            self.RELEASE.require_capacity(silos=10, units=most + 1)

    def test_a_billion_units_of_a_thousand_silos_fit(self) -> None:
        self.RELEASE.require_capacity(silos=1000, units=10**9)

    @pytest.mark.parametrize("block", [IntegerBlock(1, 1.0, 1e-15), IntegerBlock(1, 1e-305, 1.0)])
    def test_a_grid_that_64_bits_cannot_hold_is_refused(self, block: IntegerBlock) -> None:
        with pytest.raises(CapacityExceeded):
            DistributedSum((block,), SHARES)


class TestPrivacy:
    @pytest.mark.parametrize(
        "deviation, honest, longest", [(3, 1, 2), (3, 2, 5), (4, 3, 3), (6, 4, 20)], ids=str
    )
    def test_the_exact_loss_of_an_integer_release_is_what_is_charged(
        self, deviation: int, honest: int, longest: int
    ) -> None:
        """The argument of the module docstring on a grid so coarse that sums can check it."""
        variance, reach = honest * deviation**2, 30 * deviation
        share = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * deviation**2))
        noise = np.ones(1)
        for _ in range(honest):
            noise = np.convolve(noise, share / share.sum())
        without, with_unit = np.pad(noise, (0, longest)), np.pad(noise, (longest, 0))
        slack = distance_to_rounded_gaussian(variance) + sum(
            convolution_distance(deviation**2 * m / (m + 1)) for m in range(1, honest)
        )
        mu = longest / math.sqrt(variance - 1 / 12)

        for epsilon in np.linspace(0.0, 4.0, 41):
            exact = np.maximum(0.0, with_unit - math.exp(epsilon) * without).sum()
            charged = gaussian_delta(mu, epsilon) + (1 + math.exp(epsilon)) * slack
            assert exact <= charged
            assert epsilon > 0 or exact > 0.98 * charged

    def test_a_reader_who_pools_with_the_colluding_silos_guesses_no_better_than_centrally(self) -> None:
        """Sensitivity / noise = 1/z: the best guess of one unit's presence is right with chance Phi(1 / (2 z))."""
        block, trials = IntegerBlock(1, 1.0, 0.8), 20_000
        release = DistributedSum((block,), SHARES)
        unit = int(integer_records(np.array([[1.0]]), release)[0, 0])
        source = SeededNoise(bytes(16))
        shares = [source.discrete_gaussian((2, trials)) for _ in range(SHARES.survivors)]
        opened = sum(shares) + np.array([[0], [unit]])  # absent, present
        seen = opened - shares[-1]  # the colluding silo subtracts its own share
        right = int((seen[0] <= unit / 2).sum() + (seen[1] > unit / 2).sum())

        assert stats.binomtest(right, 2 * trials, stats.norm.cdf(1 / (2 * 0.8))).pvalue > 1e-6

    def test_the_slack_of_a_value_is_four_honest_draws_and_the_rounding_of_their_sum(self) -> None:
        """Adding up draws costs exp(-pi^2 S^2), which is 0 in floating point."""
        one = 4 * TOTAL_VARIATION + 0.006 / (4 * VARIANCE) ** 2

        assert total_variation(60, SHARES) == pytest.approx(60 * one, rel=1e-9, abs=0)
        assert one < 1e-29

    @pytest.mark.parametrize("cost", [epsilon_of, epsilon_replace_one])
    def test_a_run_costs_what_the_central_run_costs_even_at_epsilon_20(
        self, cost: Callable[[list[GaussianEvent], float], float]
    ) -> None:
        """Slack is paid e^epsilon times, so it has to be far below delta: here a million values, 300 times."""
        central = GaussianEvent(8.0, 300)
        distributed = DistributedSum((IntegerBlock(10**6, 1.0, 8.0),), NoiseShares(8)).event(300)

        assert cost([central], 1e-4) > 8
        assert cost([central], 1e-4) <= cost([distributed], 1e-4)
        assert cost([distributed], 1e-4) == pytest.approx(cost([central], 1e-4), rel=1e-6)

    def test_two_blocks_are_one_release(self) -> None:
        """1/z^2 adds up: 0.3^2 + 0.4^2 = 0.5^2."""
        release = DistributedSum((IntegerBlock(7, 1.0, 1 / 0.3), IntegerBlock(2, 5.0, 1 / 0.4)), SHARES)

        event = release.event(10, 0.2)

        assert event.noise_multiplier == pytest.approx(2.0)
        assert (event.count, event.sample_rate) == (10, 0.2)
        assert event.slack == pytest.approx(10 * 9 * total_variation(1, SHARES), rel=1e-9, abs=0)


class TestOtherThanPlanned:
    PLANNED = (GaussianEvent(40.0, 300, slack=3e-10), GaussianEvent(5.0))

    def test_a_quarter_of_the_honest_shares_is_half_the_noise(self) -> None:
        fewer = events_with_honest(self.PLANNED, NoiseShares(8), 2)

        assert [event.noise_multiplier for event in fewer] == pytest.approx([20.0, 2.5])
        assert [event.count for event in fewer] == [300, 1]
        of_one_value = [total_variation(1, NoiseShares(honest)) for honest in (2, 8)]
        assert fewer[0].slack / 3e-10 == pytest.approx(of_one_value[0] / of_one_value[1])

    def test_what_was_planned_costs_what_was_planned(self) -> None:
        assert events_with_honest(self.PLANNED, SHARES, SHARES.honest) == self.PLANNED

    def test_more_shares_than_planned_cost_less(self) -> None:
        more = events_with_honest(self.PLANNED, SHARES, 9)

        assert epsilon_of(more, 1e-4) < epsilon_of(self.PLANNED, 1e-4)

    def test_the_grid_planned_for_some_shares_gives_the_loss_of_the_others(self) -> None:
        """The same step, read as noise over bound with 2 shares instead of 4."""
        block = IntegerBlock(1, 1.0, 3.0)
        noise_of_two = block.step(SHARES) * math.sqrt(2 * VARIANCE - 1 / 12)
        (event,) = events_with_honest([GaussianEvent(3.0)], SHARES, 2)

        assert event.noise_multiplier == pytest.approx(noise_of_two / block.bound, rel=1e-12)


@pytest.mark.parametrize(
    "make",
    [
        lambda: NoiseShares(0),
        lambda: NoiseShares(3, 3),
        lambda: NoiseShares(3, -1),
        lambda: NoiseShares(3, True),
        lambda: IntegerBlock(0, 1.0, 1.0),
        lambda: IntegerBlock(2**31, 1.0, 1.0),
        lambda: IntegerBlock(1, 0.0, 1.0),
        lambda: IntegerBlock(1, 1.0, math.nan),
        lambda: DistributedSum((), SHARES),
        lambda: total_variation(0, SHARES),
        lambda: events_with_honest([], SHARES, 0),
    ],
)
def test_a_value_without_meaning_is_refused_with_a_next_action(make: Callable[[], object]) -> None:
    with pytest.raises(InvalidSetting) as refused:
        make()

    assert refused.value.hint
