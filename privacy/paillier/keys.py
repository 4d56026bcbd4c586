"""The key holder's Paillier key on its own disk, and what a silo demands of the modulus it encrypts under.

Encryption is phe's (Paillier 1999, g = n + 1), with gmpy2 behind it; without gmpy2 it would be some fifty times
slower, so its absence is an error.
"""

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from math import gcd, prod
from pathlib import Path

import gmpy2
from phe import PaillierPrivateKey, PaillierPublicKey, generate_paillier_keypair

from privacy.errors import HolderUnusable, InvalidSetting, ModulusRefused

USUAL_BITS = 3072  # about 128 bits of security (NIST SP 800-57)
FEWEST_BITS = 2048
OWNER_ONLY = 0o600
FORMAT = "mixroom-paillier-key/1"
_SMALL_PRIMES = prod(int(prime) for prime in range(3, 1000) if gmpy2.is_prime(prime))


@dataclass(frozen=True)
class ModulusRule:
    """The shortest modulus a silo accepts. `insecure` lifts the floor of 2048 bits, for tests."""

    least_bits: int = USUAL_BITS
    insecure: bool = False

    def __post_init__(self) -> None:
        if self.least_bits < FEWEST_BITS and not self.insecure:
            raise InvalidSetting(
                f"a Paillier modulus of {self.least_bits} bits can be factored",
                hint=f"use {USUAL_BITS} bits, {FEWEST_BITS} at the very least",
            )

    def require(self, modulus: int) -> None:
        """Raise ModulusRefused unless `modulus` is long, odd, composite, no power and free of small factors.

        Whether it is a product of two large primes its holder alone can know; a holder that chose it badly hurts
        the secrecy that it was trusted with anyway.
        """
        unsound = (
            modulus % 2 == 0
            or gcd(modulus, _SMALL_PRIMES) != 1
            or gmpy2.is_prime(modulus)
            or gmpy2.is_power(modulus)
        )
        if modulus.bit_length() < self.least_bits or unsound:
            raise ModulusRefused(
                f"the key holder's modulus of {modulus.bit_length()} bits is too short or unsound; nothing was sent",
                hint=f"make the key holder a key of at least {self.least_bits} bits",
            )


@dataclass(frozen=True)
class HolderKey:
    """The two primes, and the fewest silos whose sum this holder ever opens. Never prints."""

    p: int = field(repr=False)
    q: int = field(repr=False)
    min_silos: int

    @classmethod
    def generate(cls, rule: ModulusRule, *, min_silos: int) -> "HolderKey":
        """A new key of `rule.least_bits` from the operating system's random source (seconds at 3072 bits)."""
        _, private = generate_paillier_keypair(n_length=rule.least_bits)
        return cls(private.p, private.q, min_silos)

    @classmethod
    def load(cls, path: Path) -> "HolderKey":
        """Read what `save` wrote; HolderUnusable when it is missing, foreign or readable by others."""
        try:
            if path.stat().st_mode & 0o077:
                raise HolderUnusable(
                    "the key holder's private key may be read by other users; it was not used",
                    hint="chmod 600 it, or make a new key holder",
                )
            stored = json.loads(path.read_bytes())
            if stored.pop("format") != FORMAT:
                raise ValueError
            return cls(int(stored["p"], 16), int(stored["q"], 16), int(stored["min_silos"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise HolderUnusable(
                "the key holder has no readable private key",
                hint="make one with `mixroom key-holder create`",
            ) from error

    def save(self, path: Path) -> None:
        """Write it for the owner's eyes only (0600). An existing file is never overwritten."""
        content = {"format": FORMAT, "p": hex(self.p), "q": hex(self.q), "min_silos": self.min_silos}
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        except OSError as error:
            raise HolderUnusable(
                "the key holder's private key could not be written; nothing was changed",
                hint="choose a new directory: keys are never overwritten",
            ) from error
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())

    @property
    def modulus(self) -> int:
        return self.p * self.q

    def decrypt(self, ciphertext: int) -> int:
        """The plaintext in 0..n-1 of a ciphertext that `is_ciphertext`."""
        return int(self._private.raw_decrypt(ciphertext))

    @cached_property
    def _private(self) -> PaillierPrivateKey:
        return PaillierPrivateKey(PaillierPublicKey(self.modulus), self.p, self.q)


def encrypt(modulus: int, plaintext: int, randbelow: Callable[[int], int] = secrets.randbelow) -> int:
    """(1 + n)^plaintext * r^n modulo n^2, with a fresh r."""
    return int(PaillierPublicKey(modulus).raw_encrypt(plaintext, r_value=1 + randbelow(modulus - 1)))


def is_ciphertext(modulus: int, number: int) -> bool:
    """Whether decryption is defined for it. What shares a factor with n could tell about n's factors."""
    return 0 < number < modulus * modulus and int(gmpy2.gcd(number, modulus)) == 1


def multiply(modulus: int, first: int, second: int) -> int:
    """A ciphertext of the plaintexts' sum."""
    return int(gmpy2.mpz(first) * second % gmpy2.mpz(modulus) ** 2)


def ciphertext_bytes(modulus: int) -> int:
    """Bytes of one ciphertext on the wire: a number below n^2."""
    return (2 * modulus.bit_length() + 7) // 8
