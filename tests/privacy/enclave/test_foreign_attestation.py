"""A document as AWS Nitro Enclaves gives it out, under a root that is not Mixroom's, written by pycose.

Names, path lengths, lifetimes and extensions follow chains that AWS issues: root, region, zone, instance, enclave.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pycose.algorithms import Es384
from pycose.headers import Algorithm
from pycose.keys.curves import P384
from pycose.keys.ec2 import EC2Key
from pycose.messages.sign1message import Sign1Message

from privacy.enclave.attestation_document import AttestationDocument
from privacy.enclave.attestation_verifier import AttestationPolicy
from privacy.enclave.cose_sign1 import sign1
from tests.privacy.enclave.forgery import NONCE, NOW, Chain, Wanted, accepted, certify

DAY, YEAR = timedelta(days=1), timedelta(days=365)
CODE = b"\x9b" * 48
PCRS = {0: CODE, 1: b"\x4b" * 48, 2: b"\x76" * 48, **{number: bytes(48) for number in range(3, 16)}}


@pytest.fixture(scope="module")
def nitro() -> Chain:
    """Four authorities and a leaf that lives for three hours."""
    root = certify(Wanted("aws.nitro-enclaves", start=NOW - 6 * YEAR, end=NOW + 24 * YEAR))
    region = certify(
        Wanted("0a.us-east-1.aws.nitro-enclaves", path_length=2, start=NOW - DAY, end=NOW + 19 * DAY), root
    )
    zone = certify(
        Wanted("0b.zonal.us-east-1.aws.nitro-enclaves", path_length=1, start=NOW - DAY, end=NOW + 5 * DAY),
        region,
    )
    instance = certify(
        Wanted("i-0.us-east-1.aws.nitro-enclaves", path_length=0, start=NOW, end=NOW + DAY), zone
    )
    leaf = Wanted(
        "i-0-enc0.us-east-1.aws",
        ca=False,
        key_cert_sign=False,
        digital_signature=True,
        start=NOW - timedelta(seconds=3),
        end=NOW + timedelta(hours=3),
    )
    return Chain(root, (region, zone, instance), certify(leaf, instance))


def written_by_pycose(chain: Chain, *, tag: bool, stop_code: bool, public_key: bytes | None = None) -> bytes:
    payload = cbor2.dumps(
        {
            "module_id": "i-0340e0cb833504eb6-enc019c12d31f78864d",
            "digest": "SHA384",
            "timestamp": int(NOW.timestamp() * 1000),
            "pcrs": PCRS,
            "certificate": chain.leaf.certificate,
            "cabundle": [chain.root.certificate, *(host.certificate for host in chain.hosts)],
            "public_key": public_key,
            "user_data": None,
            "nonce": NONCE,
        }
    )
    if stop_code:
        payload = b"\xbf" + payload[1:] + b"\xff"
    message = Sign1Message(phdr={Algorithm: Es384}, uhdr={}, payload=payload)
    message.key = pycose_key(chain.leaf.key)
    encoded: bytes = message.encode(tag=tag)
    return encoded


def pycose_key(key: object) -> EC2Key:
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    numbers = key.private_numbers()
    x, y, d = (
        number.to_bytes(48, "big")
        for number in (numbers.public_numbers.x, numbers.public_numbers.y, numbers.private_value)
    )
    return EC2Key(crv=P384, x=x, y=y, d=d)


@pytest.mark.parametrize("tag", [False, True])
@pytest.mark.parametrize("stop_code", [False, True])
def test_a_production_policy_accepts_it(nitro: Chain, tag: bool, stop_code: bool) -> None:
    policy = AttestationPolicy(
        (nitro.root.certificate,),
        frozenset({CODE.hex()}),
        production=True,
        hardware_roots=frozenset({hashlib.sha256(nitro.root.certificate).hexdigest()}),
    )

    attested = accepted(written_by_pycose(nitro, tag=tag, stop_code=stop_code, public_key=b"k" * 294), policy)

    assert attested.measurement.code == CODE.hex()
    assert (attested.public_key, attested.user_data) == (b"k" * 294, b"")
    assert not attested.is_emulated


def test_our_own_document_is_read_by_pycose(nitro: Chain) -> None:
    fields = AttestationDocument(
        module_id="i-0",
        timestamp=1,
        pcrs=PCRS,
        certificate=nitro.leaf.certificate,
        cabundle=(nitro.root.certificate,),
        nonce=NONCE,
    )
    assert isinstance(nitro.leaf.key, ec.EllipticCurvePrivateKey)
    parts = cbor2.loads(sign1(fields.to_cbor(), nitro.leaf.key))
    message = Sign1Message.from_cose_obj(list(parts), True)  # which empties the list
    message.key = pycose_key(nitro.leaf.key)

    assert message.verify_signature()
    assert message.phdr == {Algorithm: Es384}
    assert cbor2.loads(parts[2])["nonce"] == NONCE
