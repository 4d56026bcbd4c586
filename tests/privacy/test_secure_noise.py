"""Noise that is normal, independent, of the asked size, and cannot be repeated by seeding a library."""

import hmac
import math
import secrets

import numpy as np
import pytest
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from scipy import stats

from privacy.errors import InvalidSetting
from privacy.secure_noise import NoiseSource, SecureNoise, SeededNoise

SOURCES = [SecureNoise(), SeededNoise(b"sixteen bytes or more")]
# A correct source fails one of these tests once in a million runs.
SIGNIFICANCE = 1e-6


@pytest.mark.parametrize("source", SOURCES, ids=["secure", "seeded"])
class TestEverySource:
    def test_is_normal_with_the_asked_deviation(self, source: NoiseSource) -> None:
        draws = source.gaussian((200_000,), 3.0)

        assert stats.kstest(draws / 3.0, "norm").pvalue > SIGNIFICANCE
        assert stats.kstest(draws[:100_000], draws[100_000:]).pvalue > SIGNIFICANCE

    def test_reaches_into_the_tails(self, source: NoiseSource) -> None:
        draws = 1_000_000
        beyond = int((np.abs(source.gaussian((draws,), 1.0)) > 4.0).sum())

        expected = 2 * stats.norm.sf(4.0) * draws  # 63
        assert stats.poisson.cdf(beyond, expected) > SIGNIFICANCE
        assert stats.poisson.sf(beyond - 1, expected) > SIGNIFICANCE

    def test_two_calls_and_two_halves_of_a_call_are_uncorrelated(self, source: NoiseSource) -> None:
        first, second = source.gaussian((100_000,), 1.0), source.gaussian((100_000,), 1.0)

        assert stats.pearsonr(first, second).pvalue > SIGNIFICANCE
        assert stats.pearsonr(first[:50_000], first[50_000:]).pvalue > SIGNIFICANCE
        assert stats.pearsonr(first[:50_000] ** 2, first[50_000:] ** 2).pvalue > SIGNIFICANCE

    @pytest.mark.parametrize("shape", [(), (1,), (3, 5), (0,)], ids=str)
    def test_keeps_the_asked_shape(self, source: NoiseSource, shape: tuple[int, ...]) -> None:
        draws = source.gaussian(shape, 1.0)

        assert draws.shape == shape
        assert draws.dtype == np.float64

    def test_flips_coins_with_the_asked_probability(self, source: NoiseSource) -> None:
        heads = int(source.coin_flips(100_000, 0.1).sum())

        assert stats.binomtest(heads, 100_000, 0.1).pvalue > SIGNIFICANCE
        assert source.coin_flips(1000, 1.0).all()

    @pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf])
    def test_refuses_to_add_nothing(self, source: NoiseSource, sigma: float) -> None:
        with pytest.raises(InvalidSetting):
            source.gaussian((1,), sigma)

    @pytest.mark.parametrize("probability", [0.0, 1.1, math.nan])
    def test_refuses_a_chance_that_is_none(self, source: NoiseSource, probability: float) -> None:
        with pytest.raises(InvalidSetting):
            source.coin_flips(10, probability)


def test_seeding_the_libraries_does_not_repeat_the_noise() -> None:
    def noise_after_seeding() -> np.ndarray:
        torch.manual_seed(7)
        np.random.seed(7)
        return SecureNoise().gaussian((50,), 1.0)

    assert not np.isin(noise_after_seeding(), noise_after_seeding()).any()


def test_every_call_takes_a_new_key_from_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counting_token_bytes(size: int) -> bytes:
        asked.append(size)
        return bytes([len(asked)]) * size

    monkeypatch.setattr(secrets, "token_bytes", counting_token_bytes)
    source = SecureNoise()
    first, second = source.gaussian((10,), 1.0), source.gaussian((10,), 1.0)

    assert asked == [32, 32]
    assert not np.isin(first, second).any()


def test_a_seed_fixes_the_noise_and_each_call_differs() -> None:
    first, second = SeededNoise(bytes(16)), SeededNoise(bytes(16))
    calls = [first.gaussian((4,), 1.0) for _ in range(2)]

    np.testing.assert_array_equal(calls, [second.gaussian((4,), 1.0) for _ in range(2)])
    assert not np.isin(calls[0], calls[1]).any()
    assert not np.isin(calls[0], SeededNoise(bytes(15) + b"\x01").gaussian((4,), 1.0)).any()


def test_the_derivation_is_hmac_then_aes_counter_mode_then_box_muller() -> None:
    seed = bytes(range(16))
    key = hmac.digest(seed, b"mixroom seeded noise" + bytes(7) + b"\x01", "sha256")
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(bytes(32))
    words = [int.from_bytes(stream[8 * i : 8 * i + 8], "little") / 2**64 for i in range(4)]
    radii = [2.0 * math.sqrt(-2 * math.log(words[i])) for i in (0, 1)]
    angles = [2 * math.pi * words[i] for i in (2, 3)]
    expected = [r * math.cos(a) for r, a in zip(radii, angles, strict=True)]
    expected += [r * math.sin(a) for r, a in zip(radii, angles, strict=True)]

    np.testing.assert_allclose(SeededNoise(seed).gaussian((4,), 2.0), expected, rtol=1e-12)


def test_a_short_seed_is_refused_and_a_seed_is_not_printed() -> None:
    with pytest.raises(InvalidSetting):
        SeededNoise(b"1")
    assert "sixteen" not in repr(SOURCES[1])
