"""Noise and secret coin flips from a cryptographic generator, never from torch's or numpy's own.

A generator of 2^19937 states that starts from a 32- or 64-bit seed can be guessed and its noise subtracted.
Here every call takes a fresh 256-bit key from the operating system and expands it with AES-256 in counter
mode.

Not covered by `gaussian`: the gaps between floating-point numbers, which can betray the noiseless value when a
noised float is released as it is (Mironov 2012). A release is rounded to a public fixed-point grid after
noising, which hides the low bits the attack reads but is not a proof; integer (discrete Gaussian) noise is.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from numpy.typing import NDArray

from privacy.accountant import require_positive, require_sample_rate
from privacy.discrete_gaussian import WORDS_PER_DRAW, draws_from_words
from privacy.errors import InvalidSetting

_KEY_BYTES = 32
_TWO_TO_64 = 2.0**64
BLOCK_DRAWS = 1 << 12  # words, table and draws of one block stay in the processor's cache


class NoiseSource(Protocol):
    """Where a mechanism gets its randomness."""

    def gaussian(self, shape: tuple[int, ...], sigma: float) -> NDArray[np.float64]:
        """Independent draws from N(0, sigma^2)."""

    def discrete_gaussian(self, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Independent integers of variance `discrete_gaussian.VARIANCE`."""

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

    def discrete_gaussian(self, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Independent draws, each within `discrete_gaussian.TOTAL_VARIATION` of the discrete Gaussian.

        Four words a draw, in blocks of `BLOCK_DRAWS` draws.
        """
        draws = np.empty(math.prod(shape), dtype=np.int64)
        stream = _open_stream(self._next_key())
        for start in range(0, draws.size, BLOCK_DRAWS):
            block = draws[start : start + BLOCK_DRAWS]
            block[:] = draws_from_words(_next_words(stream, WORDS_PER_DRAW * block.size))
        return draws.reshape(shape)

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
    return _next_words(_open_stream(key), words)


def _open_stream(key: bytes) -> CipherContext:
    # A fixed counter start is safe because no key is ever used for a second stream.
    return Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()


def _next_words(stream: CipherContext, words: int) -> NDArray[np.uint64]:
    return np.frombuffer(stream.update(bytes(8 * words)), dtype="<u8").astype(np.uint64, copy=False)
