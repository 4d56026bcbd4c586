"""The key on its disk, what a silo demands of a modulus, and encryption against the book."""

import json
import math

import phe.util
import pytest
from phe import EncryptedNumber, PaillierPrivateKey, PaillierPublicKey

from privacy.errors import HolderUnusable, InvalidSetting, ModulusRefused
from privacy.paillier.keys import (
    HolderKey,
    ModulusRule,
    ciphertext_bytes,
    encrypt,
    is_ciphertext,
    multiply,
)
from tests.privacy.paillier.paillier_federation import BITS, WEAK, weak_key


def test_phe_works_with_gmpy2_behind_it():
    assert phe.util.HAVE_GMP


def test_encryption_is_paillier_as_written_in_1999():
    """n = 7 * 11, r = 5: Enc(42) = (1 + 77)^42 * 5^77 mod 77^2."""
    assert encrypt(77, 42, lambda n: 4) == pow(78, 42, 77**2) * pow(5, 77, 77**2) % 77**2
    assert HolderKey(7, 11, 3).decrypt(encrypt(77, 42, lambda n: 4)) == 42


def test_products_of_ciphertexts_hold_sums_modulo_n():
    product = multiply(77, encrypt(77, 42, lambda n: 4), encrypt(77, 70, lambda n: 1))

    assert HolderKey(7, 11, 3).decrypt(product) == (42 + 70) % 77


def test_phes_own_objects_read_our_ciphertexts():
    key = weak_key()
    public = PaillierPublicKey(key.modulus)
    number = EncryptedNumber(public, encrypt(key.modulus, 123))

    assert PaillierPrivateKey(public, key.p, key.q).decrypt(number + public.encrypt(1)) == 124


def test_the_same_number_is_never_encrypted_alike():
    key = weak_key()

    assert len({encrypt(key.modulus, 1) for _ in range(20)}) == 20


def test_what_decryption_is_not_defined_for_is_no_ciphertext():
    """Decrypting 0 or a multiple of p tells about the factors of n."""
    key = weak_key()
    n = key.modulus

    assert [is_ciphertext(n, c) for c in (0, key.p, n, n * n - n, n * n, n * n + 1, -1)] == [False] * 7
    assert is_ciphertext(n, 1)
    assert is_ciphertext(n, encrypt(n, 5))


@pytest.mark.parametrize("bits, expected", [(512, 128), (513, 129), (3072, 768)])
def test_a_ciphertext_takes_twice_the_bits_of_the_modulus(bits, expected):
    assert ciphertext_bytes(2 ** (bits - 1) + 1) == expected


def test_rules_below_2048_bits_must_call_themselves_insecure():
    assert ModulusRule().least_bits == 3072
    ModulusRule(2048)
    with pytest.raises(InvalidSetting, match="can be factored"):
        ModulusRule(2047)


def test_a_proper_modulus_is_accepted():
    WEAK.require(weak_key().modulus)


def test_unsound_moduli_are_refused():
    long_prime = 2**521 - 1  # a Mersenne prime
    other_prime = 2**607 - 1
    ModulusRule(1100, insecure=True).require(long_prime * other_prime)
    for modulus in (
        weak_key().modulus >> 1,  # a bit too short
        2 * long_prime,
        997 * long_prime,
        long_prime,
        long_prime**2,
        long_prime**3,
    ):
        with pytest.raises(ModulusRefused, match="too short or unsound"):
            WEAK.require(modulus)


def test_a_key_survives_its_file_which_only_the_owner_reads(tmp_path):
    path = tmp_path / "key.json"
    weak_key().save(path)

    assert HolderKey.load(path) == weak_key()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_overwritten(tmp_path):
    path = tmp_path / "key.json"
    weak_key().save(path)
    with pytest.raises(HolderUnusable, match="nothing was changed"):
        weak_key().save(path)


def test_a_key_that_others_may_read_is_not_used(tmp_path):
    path = tmp_path / "key.json"
    weak_key().save(path)
    path.chmod(0o640)
    with pytest.raises(HolderUnusable, match="other users"):
        HolderKey.load(path)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", json.dumps({"format": "another", "p": "0x7", "q": "0xb"})]
)
def test_a_foreign_file_is_no_key(tmp_path, content):
    path = tmp_path / "key.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(HolderUnusable, match="no readable private key"):
        HolderKey.load(path)


def test_the_primes_never_print():
    assert repr(weak_key()) == "HolderKey(min_silos=3)"


def test_a_new_key_has_the_asked_length_and_two_primes():
    key = HolderKey.generate(WEAK, min_silos=4)

    assert (key.modulus.bit_length(), key.min_silos) == (BITS, 4)
    assert key.p != key.q
    assert math.gcd(key.modulus, (key.p - 1) * (key.q - 1)) == 1
