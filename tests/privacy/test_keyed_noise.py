"""Noise that repeats for the holder of the key, and for nobody else."""

import numpy as np
import pytest

from privacy.errors import InvalidSetting
from privacy.secure_noise import KeyedNoise, SeededNoise

KEY, OTHER = b"k" * 32, b"k" * 31 + b"l"


def test_the_same_key_gives_the_same_noise() -> None:
    first, second = (KeyedNoise(KEY).gaussian((100,), 1.0) for _ in range(2))

    assert first.tobytes() == second.tobytes()


def test_a_key_that_differs_in_one_bit_gives_unrelated_noise() -> None:
    first, second = (KeyedNoise(key).gaussian((20_000,), 1.0) for key in (KEY, OTHER))

    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / np.sqrt(20_000)


def test_each_call_draws_afresh() -> None:
    noise = KeyedNoise(KEY)

    assert noise.gaussian((5,), 1.0).tolist() != noise.gaussian((5,), 1.0).tolist()


def test_keyed_noise_is_normal() -> None:
    noise = KeyedNoise(KEY).gaussian((40_000,), 2.0)

    assert noise.std() == pytest.approx(2.0, rel=0.02)
    assert abs(noise.mean()) < 5 * 2.0 / 200


def test_a_seed_of_a_test_never_gives_the_noise_of_a_key() -> None:
    assert KeyedNoise(KEY).gaussian((5,), 1.0).tolist() != SeededNoise(KEY).gaussian((5,), 1.0).tolist()


def test_a_short_key_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="15 bytes"):
        KeyedNoise(b"k" * 15)


def test_a_key_is_not_printed() -> None:
    assert "kkkk" not in repr(KeyedNoise(KEY))
