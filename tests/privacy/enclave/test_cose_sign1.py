"""A payload comes out only if this key signed it with ES384."""

from __future__ import annotations

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from privacy.enclave.cose_sign1 import parse_sign1, sign1
from privacy.errors import AttestationRefused
from tests.privacy.enclave.forgery import PROTECTED, new_key, require_the_one_text, signature

KEY = new_key()
PAYLOAD = b"what was said"
# the order of P-384's group: SEC 2, version 2, section 2.5.1
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973


def opened(document: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    parts = parse_sign1(document)
    assert parts.is_signed_by(key)
    return parts.payload


def refused(document: bytes, key: ec.EllipticCurvePublicKey) -> None:
    assert not parse_sign1(document).is_signed_by(key)


def test_what_was_signed_is_opened() -> None:
    assert opened(sign1(PAYLOAD, KEY), KEY.public_key()) == PAYLOAD


def test_the_bytes_are_those_of_the_rfc() -> None:
    document = sign1(PAYLOAD, KEY)

    assert document[:7] == bytes.fromhex("84 44 a1013822 a0")
    assert cbor2.loads(document)[2] == PAYLOAD
    assert len(cbor2.loads(document)[3]) == 96


def test_a_signature_made_elsewhere_is_accepted() -> None:
    document = cbor2.dumps([PROTECTED, {}, PAYLOAD, signature(PAYLOAD, KEY)])

    assert opened(document, KEY.public_key()) == PAYLOAD


def test_another_key_is_refused() -> None:
    refused(sign1(PAYLOAD, KEY), new_key().public_key())


def test_a_key_on_another_curve_is_refused_even_if_it_signed() -> None:
    short = new_key(ec.SECP256R1())
    signed = cbor2.dumps([PROTECTED, {}, PAYLOAD, signature(PAYLOAD, short)])

    refused(signed, short.public_key())


def test_the_other_half_of_a_signature_is_accepted_as_documented() -> None:
    protected, unprotected, payload, signed = cbor2.loads(sign1(PAYLOAD, KEY))
    mirrored = signed[:48] + (ORDER - int.from_bytes(signed[48:], "big")).to_bytes(48, "big")

    assert opened(cbor2.dumps([protected, unprotected, payload, mirrored]), KEY.public_key()) == PAYLOAD


@pytest.mark.parametrize("other", [b"", PAYLOAD[:-1], PAYLOAD + b"\0"])
def test_another_payload_is_refused(other: bytes) -> None:
    protected, unprotected, _, signed = cbor2.loads(sign1(PAYLOAD, KEY))

    refused(cbor2.dumps([protected, unprotected, other, signed]), KEY.public_key())


def test_a_signature_of_the_payload_alone_is_refused() -> None:
    r, s = decode_dss_signature(KEY.sign(PAYLOAD, ec.ECDSA(SHA384())))
    bare = r.to_bytes(48, "big") + s.to_bytes(48, "big")

    refused(cbor2.dumps([PROTECTED, {}, PAYLOAD, bare]), KEY.public_key())


@pytest.mark.parametrize("length", [0, 95, 97, 192])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    protected, unprotected, payload, signed = cbor2.loads(sign1(PAYLOAD, KEY))

    with pytest.raises(AttestationRefused) as refusal:
        parse_sign1(cbor2.dumps([protected, unprotected, payload, (signed * 2)[:length]]))
    require_the_one_text(refusal.value)


@pytest.mark.parametrize("value", [0, ORDER, 2**384 - 1])
def test_numbers_that_are_no_signature_are_refused(value: int) -> None:
    protected, unprotected, payload, signed = cbor2.loads(sign1(PAYLOAD, KEY))
    number = value.to_bytes(48, "big")
    for forged in (number + signed[48:], signed[:48] + number, number + number):
        refused(cbor2.dumps([protected, unprotected, payload, forged]), KEY.public_key())


def test_the_tag_may_stand_in_front() -> None:
    document = sign1(PAYLOAD, KEY)

    assert parse_sign1(b"\xd2" + document) == parse_sign1(document)
