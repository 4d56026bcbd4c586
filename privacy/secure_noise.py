"""Gaussian noise and secret coin flips from a cryptographic generator, never from torch's or numpy's own.

A generator of 2^19937 states that starts from a 32- or 64-bit seed can be guessed and its noise subtracted.
Here every call takes a fresh 256-bit key from the operating system and expands it with AES-256 in counter
mode.

Not covered: the gaps between floating-point numbers, which can betray the noiseless value when a noised float
is released as it is (Mironov 2012). A release is rounded to a public fixed-point grid after noising, which
hides the low bits the attack reads but is not a proof; integer (discrete Gaussian) noise is.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from privacy.accountant import require_positive, require_sample_rate
from privacy.errors import InvalidSetting

_KEY_BYTES = 32
_TWO_TO_64 = 2.0**64


class NoiseSource(Protocol):
    """Where a mechanism gets its randomness."""

    def gaussian(self, shape: tuple[int, ...], sigma: float) -> NDArray[np.float64]:
        """Independent draws from N(0, sigma^2)."""

    def coin_flips(self, count: int, probability: float) -> NDArray[np.bool_]:
        """Independent flips, each True with `probability`."""


class _KeystreamNoise(ABC):
    """Numbers from an AES-256-CTR keystream; each call uses a key of its own."""

    @abstractmethod
    def _next_key(self) -> bytes:
        """32 bytes never returned before."""

    def gaussian(self, shape: tuple[int, ...], sigma: float) -> NDArray[np.float64]:
        """Independent draws from N(0, sigma^2), float64, cut off at 9.4 sigma (probability 5e-20 a draw).

        Box, Muller 1958: radius from one uniform word, angle from another.
        """
        require_positive("sigma", sigma)
        count = math.prod(shape)
        pairs = (count + 1) // 2
        words = _keystream(self._next_key(), 2 * pairs).astype(np.float64)
        radius = sigma * np.sqrt(-2.0 * np.log((words[:pairs] + 1.0) / _TWO_TO_64))
        angle = (2.0 * math.pi / _TWO_TO_64) * words[pairs:]
        return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count].reshape(shape)

    def coin_flips(self, count: int, probability: float) -> NDArray[np.bool_]:
        """Independent flips, each True with `probability` rounded up by at most 2^-53 of itself."""
        require_sample_rate(probability)
        if probability == 1.0:
            return np.ones(count, dtype=np.bool_)
        return _keystream(self._next_key(), count) < np.uint64(math.ceil(probability * 2**64))


class SecureNoise(_KeystreamNoise):
    """The noise to protect people with: a fresh key from the operating system every call."""

    def _next_key(self) -> bytes:
        return secrets.token_bytes(_KEY_BYTES)


class KeyedNoise(_KeystreamNoise):
    """Noise that only the holder of a secret key can know, and that repeats for the same key.

    Private as long as the key stays secret and is never used for two different sums: derive one key per sum.
    """

    label = b"mixroom keyed noise"

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise InvalidSetting(f"the key has {len(key)} bytes", hint="give at least 16")
        self._key = bytes(key)
        self._calls = 0

    def _next_key(self) -> bytes:
        self._calls += 1
        return hmac.new(self._key, self.label + self._calls.to_bytes(8, "big"), hashlib.sha256).digest()


class SeededNoise(KeyedNoise):
    """Repeatable noise for tests and invented worlds. **Not private**: who knows the seed removes it."""

    label = b"mixroom seeded noise"


def _keystream(key: bytes, words: int) -> NDArray[np.uint64]:
    # A fixed counter start is safe because no key is ever used for a second stream.
    encryptor = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    return np.frombuffer(encryptor.update(bytes(8 * words)), dtype="<u8").astype(np.uint64, copy=False)
