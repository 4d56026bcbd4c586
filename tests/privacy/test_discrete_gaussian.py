"""Integer noise: the table is the distribution, and every stated distance is one that sums confirm."""

import hmac
import math
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate, stats

from privacy.discrete_gaussian import (
    LARGEST_DRAW,
    TOTAL_VARIATION,
    VARIANCE,
    alias_table,
    convolution_distance,
    distance_to_rounded_gaussian,
    draws_from_words,
    gaussian_masses,
)
from privacy.secure_noise import KeyedNoise, NoiseSource, SecureNoise, SeededNoise

KEY = bytes(range(32))
# A correct sampler fails one of these tests once in a million runs.
SIGNIFICANCE = 1e-6
BASE = gaussian_masses(320, 13)
# 4095 units of 2^-128 by rounding, and the tail beyond 4095.
DIGIT_DISTANCE = 4095 / 2**128 + 2 * math.exp(-(4096**2) / (2 * 320**2))
Floats = NDArray[np.float64]


def value_at(place: int, places: int) -> int:
    """Two's complement."""
    return place if place < places // 2 else place - places


def exact_probabilities(deviation: int, reach: int) -> list[Decimal]:
    """D(deviation) at 0, 1, .., reach, straight from the definition."""
    weights = [(Decimal(-(v**2)) / (2 * deviation**2)).exp() for v in range(reach + 1)]
    total = 2 * sum(weights) - weights[0]
    return [weight / total for weight in weights]


def probabilities(deviation: float, reach: int) -> Floats:
    """D(deviation) on -reach .. reach, in floating point."""
    weights = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * deviation**2))
    return weights / weights.sum()


def keystream(label: bytes, words: int) -> list[int]:
    """The words of the first call of a keyed source, from the standard alone."""
    key = hmac.digest(KEY, label + bytes(7) + b"\x01", "sha256")
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(bytes(8 * words))
    return [int.from_bytes(stream[8 * i : 8 * i + 8], "little") for i in range(words)]


class TestMasses:
    def test_each_is_the_probability_to_half_a_unit_and_the_mode_takes_up_the_rest(self) -> None:
        masses = gaussian_masses(2, 6)
        with localcontext() as context:
            context.prec = 60
            exact = exact_probabilities(2, 40)
            errors = [
                abs(mass - 2**128 * exact[abs(value_at(place, 64))])
                for place, mass in enumerate(masses)
                if place != 32
            ]

        # Cutting at 31, sixteen deviations, moves less than a unit: 2 exp(-32^2 / 8) 2^128 = 2e-17.
        assert max(errors[1:]) <= Decimal("0.50001")
        assert errors[0] <= 31
        assert sum(masses) == 2**128
        assert masses[32] == 0

    def test_both_signs_are_equally_likely(self) -> None:
        assert BASE[1:4096] == BASE[:4096:-1]

    def test_the_base_table_is_as_close_as_stated(self) -> None:
        """The sum of all |mass - probability|, in whole numbers of 2^-192."""
        with localcontext() as context:
            context.prec = 64
            exact = [int(2**192 * probability) for probability in exact_probabilities(320, 5000)]
        differences = [abs((mass << 64) - p) for mass, p in zip(BASE[:4096], exact[:4096], strict=True)]
        distance = Fraction(2 * sum(differences) - differences[0] + 2 * sum(exact[4096:]), 2 * 2**192)

        assert DIGIT_DISTANCE / 20 < distance < DIGIT_DISTANCE


class TestAliasTable:
    @given(st.lists(st.integers(0, 2**128), min_size=15, max_size=15))
    def test_the_words_that_give_an_outcome_are_counted_exactly(self, cuts: list[int]) -> None:
        edges = [0, *sorted(cuts), 2**128]
        masses = sorted((high - low for low, high in pairwise(edges)), reverse=True)

        assert words_per_outcome(masses) == masses

    def test_the_base_table_gives_every_digit_its_mass_exactly(self) -> None:
        assert words_per_outcome(BASE) == BASE

    def test_a_word_falls_on_the_side_its_column_says_and_a_spare_word_breaks_ties(self) -> None:
        """Four columns of 2^126; the first keeps all of its own and fills up the others, bar 2^125 + 5 each."""
        own = 2**125 + 5
        table = alias_table([2**128 - 3 * own, own, own, own])
        border = 2**62 + 2**61
        words = [
            0,
            2**62 - 1,
            2**62,
            border - 1,
            border,
            border,
            border + 1,
            2**63,
            2**63 + 2**61 + 1,
            2**64 - 2**62,
        ]
        spare = [9, 9, 9, 2**64 - 1, 4, 5, 0, 9, 0, 9]

        drawn = table.draw(np.array([words, words], dtype=np.uint64), np.array(spare, dtype=np.uint64))

        assert drawn.tolist() == [[0, 0, 1, 1, 1, 0, 0, -2, 0, -1]] * 2

    def test_draws_follow_the_closed_form(self) -> None:
        table = alias_table(gaussian_masses(3, 6))
        words = np.array(keystream(b"mixroom seeded noise", 100_000), dtype=np.uint64)
        observed = np.bincount(table.draw(words[None], words)[0] + 31, minlength=63)
        expected = probabilities(3, 31) * 100_000
        common = expected >= 5

        pooled_observed = [*observed[common], observed[~common].sum()]
        pooled_expected = [*expected[common], expected[~common].sum()]
        assert stats.chisquare(pooled_observed, pooled_expected).pvalue > SIGNIFICANCE


def words_per_outcome(masses: list[int]) -> list[int]:
    """How many of all 2^128 pairs of words give each place's outcome."""
    table, columns = alias_table(masses), len(masses)
    counts = dict.fromkeys((value_at(place, columns) for place in range(columns)), 0)
    outcomes, height = table.outcomes.tolist(), 2**128 // columns
    for column, (high, low) in enumerate(zip(table.last.tolist(), table.last_low.tolist(), strict=True)):
        first_side = (high << 64) + low + 1 - column * height
        counts[outcomes[2 * column]] += first_side
        counts[outcomes[2 * column + 1]] += height - first_side
    return list(counts.values())


class TestDistances:
    @pytest.mark.parametrize("a, b, k", [(1.0, 1.0, 1), (2.0, 2.0, 3), (3.0, 2.0, 4), (1.5, 2.5, 2)], ids=str)
    def test_two_digits_make_one_draw_up_to_the_stated_distance(self, a: float, b: float, k: int) -> None:
        reach, total = 100, 500
        stretched = np.zeros(2 * k * reach + 1)
        stretched[::k] = probabilities(a, reach)
        sums = np.convolve(stretched, probabilities(b, total - k * reach))
        distance = 0.5 * np.abs(sums - probabilities(math.hypot(k * a, b), total)).sum()
        stated = convolution_distance((a * b) ** 2 / ((k * a) ** 2 + b**2))

        assert stated / 10 < distance <= stated

    @pytest.mark.parametrize("deviation", [2, 3, 4, 8, 16, 32, 64])
    def test_rounding_a_gaussian_of_the_same_variance_gives_nearly_the_same(self, deviation: int) -> None:
        reach = 12 * deviation
        s = math.sqrt(deviation**2 - 1 / 12)
        towards_zero = np.abs(np.arange(-reach, reach + 1))  # survival functions keep the tails' digits
        rounded = stats.norm.sf((towards_zero - 0.5) / s) - stats.norm.sf((towards_zero + 0.5) / s)
        distance = 0.5 * np.abs(probabilities(deviation, reach) - rounded).sum()

        assert distance <= distance_to_rounded_gaussian(deviation**2)
        # The leading term is exact: half of f'''' (1/1152 - 1/1920) = f'''' / 2880, integrated.
        assert distance == pytest.approx(
            mean_absolute_hermite_4() / 5760 / deviation**4, rel=0.25 / deviation
        )

    def test_a_draw_is_within_2_to_the_minus_100_of_the_discrete_gaussian(self) -> None:
        """Three digits, and nearly all of it: three pairs of digits that tie with probability 2^-102 each."""
        assert pytest.approx(3 * DIGIT_DISTANCE + 3 * 2**-102, rel=1e-9, abs=0) == TOTAL_VARIATION
        assert TOTAL_VARIATION < 2**-100

    def test_the_three_digits_have_the_stated_variance_and_reach(self) -> None:
        assert VARIANCE == 320**2 * (128**4 + 128**2 + 1)
        assert LARGEST_DRAW == 4095 * (128**2 + 128 + 1)


def mean_absolute_hermite_4() -> float:
    roots = [math.sqrt(3 - math.sqrt(6)), math.sqrt(3 + math.sqrt(6))]
    half, _ = integrate.quad(
        lambda x: abs(x**4 - 6 * x**2 + 3) * stats.norm.pdf(x), 0, 15, points=roots, epsabs=1e-12
    )
    return 2 * half


class TestDraws:
    def test_a_draw_is_three_digits_read_from_the_stream_in_planes(self) -> None:
        table = alias_table(BASE)
        words, last, outcomes = keystream(KeyedNoise.label, 40), table.last.tolist(), table.outcomes.tolist()
        digits = [outcomes[2 * (word >> 51) + (word > last[word >> 51])] for word in words]
        expected = [128**2 * digits[i] + 128 * digits[10 + i] + digits[20 + i] for i in range(10)]

        assert KeyedNoise(KEY).discrete_gaussian((10,)).tolist() == expected

    def test_many_draws_are_made_in_blocks_of_their_own_words(self) -> None:
        words = np.array(keystream(KeyedNoise.label, 4 * 10_000), dtype=np.uint64)
        blocks = np.split(words, [4 * 4096, 8 * 4096])

        assert KeyedNoise(KEY).discrete_gaussian((100, 100)).ravel().tolist() == [
            draw for block in blocks for draw in draws_from_words(block).tolist()
        ]

    def test_no_word_gives_a_digit_beyond_the_stated_reach(self) -> None:
        possible = [value_at(place, 8192) for place, words in enumerate(words_per_outcome(BASE)) if words]

        assert max(map(abs, possible)) * (128**2 + 128 + 1) <= LARGEST_DRAW

    @pytest.mark.parametrize("source", [SecureNoise(), SeededNoise(KEY), KeyedNoise(KEY)], ids=type)
    class TestEverySource:
        def test_fills_the_range_like_the_bell_curve(self, source: NoiseSource) -> None:
            draws = source.discrete_gaussian((200_000,))
            edges = stats.norm.ppf(np.linspace(0, 1, 129)) * math.sqrt(VARIANCE)
            observed, _ = np.histogram(draws, edges)

            assert stats.chisquare(observed).pvalue > SIGNIFICANCE

        def test_is_uniform_in_its_lowest_bits(self, source: NoiseSource) -> None:
            lowest = source.discrete_gaussian((200_000,)) & 1023

            assert stats.chisquare(np.bincount(lowest, minlength=1024)).pvalue > SIGNIFICANCE

        def test_has_the_stated_variance(self, source: NoiseSource) -> None:
            draws = source.discrete_gaussian((400_000,)) / math.sqrt(VARIANCE)

            # One deviation of the estimate is sqrt(2 / n) = 0.22 %.
            assert np.mean(draws**2) == pytest.approx(1.0, abs=5 * math.sqrt(2 / 400_000))
            assert abs(draws.mean()) < 5 / math.sqrt(400_000)

        def test_neighbours_and_calls_are_uncorrelated(self, source: NoiseSource) -> None:
            first, second = (source.discrete_gaussian((100_000,)) for _ in range(2))

            assert stats.pearsonr(first, second).pvalue > SIGNIFICANCE
            assert stats.pearsonr(first[1:], first[:-1]).pvalue > SIGNIFICANCE

        @pytest.mark.parametrize("shape", [(), (1,), (3, 5), (0,)], ids=str)
        def test_keeps_the_asked_shape(self, source: NoiseSource, shape: tuple[int, ...]) -> None:
            draws = source.discrete_gaussian(shape)

            assert draws.shape == shape
            assert draws.dtype == np.int64

    def test_another_key_gives_other_noise_and_the_same_key_the_same(self) -> None:
        first, again = (KeyedNoise(KEY).discrete_gaussian((50,)) for _ in range(2))
        other = KeyedNoise(KEY[:-1] + b"\x00").discrete_gaussian((50,))

        assert first.tolist() == again.tolist()
        assert not np.isin(first, other).any()
