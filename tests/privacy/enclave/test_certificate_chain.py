"""One test for each way a chain of certificates can be broken; each begins with a chain that is sound but for that."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.privacy.enclave.forgery import (
    NOW,
    SOUND_HOST,
    SOUND_LEAF,
    SOUND_ROOT,
    Chain,
    Holder,
    Wanted,
    accepted,
    certify,
    new_key,
    require_refused,
)

SECOND = timedelta(seconds=1)


def refused(chain: Chain) -> None:
    require_refused(chain.document(), chain.policy)


def below(chain: Chain, leaf: Wanted = SOUND_LEAF, **options: object) -> Chain:
    """The chain with a fresh leaf below its host."""
    return chain.with_leaf(certify(leaf, chain.hosts[-1], **options))  # type: ignore[arg-type]


def test_root_host_and_leaf_are_accepted(chain: Chain) -> None:
    accepted(chain.document(), chain.policy)


def test_a_leaf_right_below_the_root_is_accepted(chain: Chain) -> None:
    direct = chain.with_leaf(certify(SOUND_LEAF, chain.root), hosts=[])

    accepted(direct.document(), direct.policy)


def test_authorities_without_a_path_length_may_have_any_below_them() -> None:
    root = certify(replace(SOUND_ROOT, path_length=None))
    region = certify(replace(SOUND_HOST, name="region", path_length=None), root)
    host = certify(SOUND_HOST, region)
    chain = Chain(root, (region, host), certify(SOUND_LEAF, host))

    accepted(chain.document(), chain.policy)


# --- links ---


def test_a_missing_host_certificate_is_refused(chain: Chain) -> None:
    refused(chain.with_leaf(chain.leaf, hosts=[]))


def test_certificates_in_another_order_are_refused() -> None:
    root = certify(replace(SOUND_ROOT, path_length=None))
    region = certify(replace(SOUND_HOST, name="region", path_length=None), root)
    host = certify(replace(SOUND_HOST, path_length=None), region)
    leaf = certify(SOUND_LEAF, host)

    accepted(Chain(root, (region, host), leaf).document(), Chain(root, (region, host), leaf).policy)
    refused(Chain(root, (host, region), leaf))


def test_the_root_at_the_end_is_refused(chain: Chain) -> None:
    bundle = [chain.hosts[0].certificate, chain.root.certificate]

    require_refused(chain.document(cabundle=bundle), chain.policy)


def test_another_hosts_certificate_is_refused(chain: Chain) -> None:
    refused(chain.with_leaf(chain.leaf, hosts=[certify(replace(SOUND_HOST, name="other host"), chain.root)]))


def test_another_hosts_certificate_of_the_same_name_is_refused(chain: Chain) -> None:
    refused(chain.with_leaf(chain.leaf, hosts=[certify(SOUND_HOST, chain.root)]))


def test_leaf_and_host_certificate_swapped_are_refused(chain: Chain) -> None:
    refused(chain.with_leaf(chain.hosts[0], hosts=[chain.leaf]))


def test_one_certificate_twice_is_refused(chain: Chain) -> None:
    refused(chain.with_leaf(chain.leaf, hosts=[chain.hosts[0], chain.hosts[0]]))


def test_an_unused_certificate_in_between_is_refused(chain: Chain) -> None:
    stray = certify(replace(SOUND_HOST, name="stray"), chain.root)

    refused(chain.with_leaf(chain.leaf, hosts=[stray, *chain.hosts]))


def test_a_leaf_that_names_another_issuer_is_refused(chain: Chain) -> None:
    refused(below(chain, replace(SOUND_LEAF, issuer_name="somebody else")))


def test_a_leaf_signed_by_another_key_is_refused(chain: Chain) -> None:
    refused(below(chain, signer=new_key()))


def test_a_host_signed_by_another_key_is_refused(chain: Chain) -> None:
    host = certify(SOUND_HOST, chain.root, signer=new_key())

    refused(chain.with_leaf(certify(SOUND_LEAF, host), hosts=[host]))


def test_a_root_that_did_not_sign_itself_is_refused() -> None:
    root = certify(SOUND_ROOT, signer=new_key())
    host = certify(SOUND_HOST, root)

    refused(Chain(root, (host,), certify(SOUND_LEAF, host)))


def test_more_than_eight_authorities_are_refused() -> None:
    authorities = [certify(replace(SOUND_ROOT, path_length=None))]
    for number in range(8):
        wanted = replace(SOUND_HOST, name=f"authority {number}", path_length=None)
        authorities.append(certify(wanted, authorities[-1]))
    eight = Chain(authorities[0], tuple(authorities[1:8]), certify(SOUND_LEAF, authorities[7]))
    nine = Chain(authorities[0], tuple(authorities[1:]), certify(SOUND_LEAF, authorities[8]))

    accepted(eight.document(), eight.policy)
    refused(nine)


# --- flags ---


def test_a_leaf_that_is_an_authority_is_refused(chain: Chain) -> None:
    refused(below(chain, replace(SOUND_LEAF, ca=True)))


def test_a_leaf_that_may_sign_certificates_is_refused(chain: Chain) -> None:
    refused(below(chain, replace(SOUND_LEAF, key_cert_sign=True)))


def test_a_leaf_that_may_not_sign_documents_is_refused(chain: Chain) -> None:
    refused(below(chain, replace(SOUND_LEAF, digital_signature=False)))


def test_a_leaf_without_extensions_is_refused(chain: Chain) -> None:
    refused(below(chain, replace(SOUND_LEAF, extensions=False)))


def test_a_host_without_the_authority_flag_is_refused() -> None:
    refused(Chain.sound(host=replace(SOUND_HOST, ca=False, path_length=None)))


def test_a_host_that_may_not_sign_certificates_is_refused() -> None:
    refused(Chain.sound(host=replace(SOUND_HOST, key_cert_sign=False)))


def test_a_host_without_extensions_is_refused() -> None:
    refused(Chain.sound(host=replace(SOUND_HOST, extensions=False)))


def test_a_root_without_the_authority_flag_is_refused() -> None:
    refused(Chain.sound(root=replace(SOUND_ROOT, ca=False, path_length=None)))


def test_a_leaf_below_a_leaf_is_refused(chain: Chain) -> None:
    second = certify(replace(SOUND_LEAF, name="second leaf"), chain.leaf)

    refused(chain.with_leaf(second, hosts=[*chain.hosts, chain.leaf]))


def test_an_authority_below_a_host_that_may_have_none_is_refused(chain: Chain) -> None:
    lower = certify(replace(SOUND_HOST, name="lower"), chain.hosts[0])

    refused(chain.with_leaf(certify(SOUND_LEAF, lower), hosts=[*chain.hosts, lower]))


def test_more_authorities_than_the_root_allows_are_refused() -> None:
    root = certify(replace(SOUND_ROOT, path_length=1))
    region = certify(replace(SOUND_HOST, name="region", path_length=None), root)
    host = certify(SOUND_HOST, region)

    refused(Chain(root, (region, host), certify(SOUND_LEAF, host)))


@pytest.mark.parametrize("part", ["root", "host", "leaf"])
def test_an_unknown_critical_extension_is_refused(part: str) -> None:
    strange = {
        part: replace(
            {"root": SOUND_ROOT, "host": SOUND_HOST, "leaf": SOUND_LEAF}[part], unknown_critical=True
        )
    }

    refused(Chain.sound(**strange))


# --- validity ---


@pytest.mark.parametrize("part", ["root", "host", "leaf"])
def test_a_certificate_is_refused_a_second_after_its_end(part: str) -> None:
    sound = {"root": SOUND_ROOT, "host": SOUND_HOST, "leaf": SOUND_LEAF}[part]
    accepted_until = Chain.sound(**{part: replace(sound, end=NOW)})
    ended = Chain.sound(**{part: replace(sound, end=NOW - SECOND)})

    accepted(accepted_until.document(), accepted_until.policy)
    refused(ended)


@pytest.mark.parametrize("part", ["root", "host", "leaf"])
def test_a_certificate_is_refused_a_second_before_its_start(part: str) -> None:
    sound = {"root": SOUND_ROOT, "host": SOUND_HOST, "leaf": SOUND_LEAF}[part]
    started = Chain.sound(**{part: replace(sound, start=NOW)})
    early = Chain.sound(**{part: replace(sound, start=NOW + SECOND)})

    accepted(started.document(), started.policy)
    refused(early)


def test_a_certificate_that_ended_between_the_document_and_now_is_refused() -> None:
    chain = Chain.sound(leaf=replace(SOUND_LEAF, end=NOW + SECOND))

    accepted(chain.document(), chain.policy, now=NOW + SECOND)
    require_refused(chain.document(), chain.policy, now=NOW + 2 * SECOND)


def test_a_document_dated_before_its_certificate_is_refused() -> None:
    chain = Chain.sound(leaf=replace(SOUND_LEAF, start=NOW))
    earlier = int((NOW - 2 * SECOND).timestamp() * 1000)

    require_refused(chain.document(timestamp=earlier), chain.policy)


# --- algorithms ---


def test_a_leaf_on_another_curve_is_refused(chain: Chain) -> None:
    leaf = certify(SOUND_LEAF, chain.hosts[0], key=new_key(ec.SECP256R1()))

    refused(chain.with_leaf(leaf))


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP521R1(), ec.BrainpoolP384R1()])
def test_a_host_on_another_curve_is_refused(chain: Chain, curve: ec.EllipticCurve) -> None:
    host = certify(SOUND_HOST, chain.root, key=new_key(curve))

    refused(chain.with_leaf(certify(SOUND_LEAF, host), hosts=[host]))


def test_a_host_with_an_rsa_key_is_refused(chain: Chain) -> None:
    host = certify(SOUND_HOST, chain.root, key=rsa.generate_private_key(65537, 2048))

    refused(chain.with_leaf(certify(SOUND_LEAF, host), hosts=[host]))


def test_a_leaf_with_an_rsa_key_is_refused(chain: Chain) -> None:
    leaf = certify(SOUND_LEAF, chain.hosts[0], key=rsa.generate_private_key(65537, 2048))
    another = chain.leaf.key

    refused(chain.with_leaf(Holder(another, leaf.certificate, leaf.name)))


@pytest.mark.parametrize("part", ["root", "host", "leaf"])
def test_a_certificate_signed_with_another_hash_is_refused(part: str) -> None:
    sound = {"root": SOUND_ROOT, "host": SOUND_HOST, "leaf": SOUND_LEAF}[part]

    refused(Chain.sound(**{part: replace(sound, hash_name="SHA256")}))


# --- bytes that are no certificate ---


@pytest.mark.parametrize("part", ["leaf", "host"])
def test_a_name_of_another_type_is_refused(chain: Chain, part: str) -> None:
    """The library finds out only when the name is looked at, and not with its usual error."""
    sound = chain.leaf if part == "leaf" else chain.hosts[0]
    text = b"\x0c" + bytes([len(chain.root.name)]) + chain.root.name.encode()
    text = (
        b"\x0c" + bytes([len(chain.hosts[0].name)]) + chain.hosts[0].name.encode() if part == "leaf" else text
    )
    assert text in sound.certificate
    strange = Holder(sound.key, sound.certificate.replace(text, b"\x03" + text[1:]), sound.name)

    refused(chain.with_leaf(strange) if part == "leaf" else chain.with_leaf(chain.leaf, hosts=[strange]))


def test_a_negative_serial_number_is_refused(chain: Chain) -> None:
    sound = chain.leaf.certificate
    at = sound.index(bytes.fromhex("a003020102")) + 7  # behind the version: tag and length of the number
    strange = sound[:at] + b"\xff" + sound[at + 1 :]

    refused(chain.with_leaf(Holder(chain.leaf.key, strange, chain.leaf.name)))


def test_a_pinned_root_that_is_no_certificate_is_refused(chain: Chain) -> None:
    junk = replace(chain.policy, roots=(b"junk",), production=True)

    require_refused(chain.document(cabundle=[b"junk"]), junk)
