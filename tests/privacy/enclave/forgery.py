"""Attestation documents and certificates of any kind, made without the code under test, so that each may be wrong.

Certificates come from cryptography's builder, documents from cbor2, signatures from bare ECDSA.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from privacy.enclave.attestation_verifier import AttestationPolicy, Attested, verify_attestation
from privacy.errors import AttestationRefused

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NONCE = bytes(range(32))
PUBLIC_KEY = b"k" * 64
USER_DATA = b"u" * 32
PCRS = {0: b"\x10" * 48, 1: b"\x11" * 48, 2: b"\x12" * 48}
PROTECTED = bytes.fromhex("a1013822")  # {1: -35}, written out by hand from RFC 9052 and RFC 9053
HALF_BYTES = 48

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def new_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    """On P-384 unless another curve is wanted."""
    return ec.generate_private_key(curve or ec.SECP384R1())


@dataclass(frozen=True)
class Wanted:
    """What a certificate says. The defaults are a sound CA's."""

    name: str
    ca: bool = True
    path_length: int | None = None
    key_cert_sign: bool = True
    digital_signature: bool = False
    start: datetime = NOW - timedelta(hours=1)
    end: datetime = NOW + timedelta(hours=1)
    hash_name: str = "SHA384"
    extensions: bool = True
    unknown_critical: bool = False
    issuer_name: str | None = None


SOUND_ROOT = Wanted("test.nitro-enclaves", path_length=1)
SOUND_HOST = Wanted("host.test.nitro-enclaves", path_length=0)
SOUND_LEAF = Wanted("enclave.test", ca=False, key_cert_sign=False, digital_signature=True)


@dataclass(frozen=True)
class Holder:
    """A key, and the certificate (DER) for it."""

    key: Key = field(repr=False)
    certificate: bytes
    name: str


def certify(
    wanted: Wanted, issuer: Holder | None = None, *, key: Key | None = None, signer: Key | None = None
) -> Holder:
    """A certificate issued by `issuer`, or by itself; `signer` signs in the issuer's place."""
    own = key or new_key()
    issuer_name = wanted.issuer_name or (issuer.name if issuer else wanted.name)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(wanted.name))
        .issuer_name(_name(issuer_name))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(wanted.start)
        .not_valid_after(wanted.end)
    )
    if wanted.extensions:
        builder = builder.add_extension(x509.BasicConstraints(wanted.ca, wanted.path_length), critical=True)
        builder = builder.add_extension(_usage(wanted), critical=True)
    if wanted.unknown_critical:
        strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
        builder = builder.add_extension(strange, critical=True)
    signing = signer or (issuer.key if issuer else own)
    signed = builder.sign(signing, SHA384() if wanted.hash_name == "SHA384" else SHA256())
    return Holder(own, signed.public_bytes(Encoding.DER), wanted.name)


@dataclass(frozen=True)
class Chain:
    """A root, the CAs below it, and the leaf that signs documents."""

    root: Holder
    hosts: tuple[Holder, ...]
    leaf: Holder

    @classmethod
    def sound(cls, root: Wanted = SOUND_ROOT, host: Wanted = SOUND_HOST, leaf: Wanted = SOUND_LEAF) -> Chain:
        """Root, host and leaf, sound where nothing else is wanted."""
        top = certify(root)
        middle = certify(host, top)
        return cls(top, (middle,), certify(leaf, middle))

    @property
    def policy(self) -> AttestationPolicy:
        """Trusts this root, and hardware behind it, and the usual registers."""
        return AttestationPolicy(
            (self.root.certificate,),
            frozenset({PCRS[0].hex()}),
            hardware_roots=frozenset({hashlib.sha256(self.root.certificate).hexdigest()}),
        )

    def fields(self) -> dict[str, Any]:
        """The nine fields of a document that is right in everything."""
        return {
            "module_id": "i-0-enc0",
            "digest": "SHA384",
            "timestamp": int(NOW.timestamp() * 1000),
            "pcrs": dict(PCRS),
            "certificate": self.leaf.certificate,
            "cabundle": [self.root.certificate, *(host.certificate for host in self.hosts)],
            "public_key": PUBLIC_KEY,
            "user_data": USER_DATA,
            "nonce": NONCE,
        }

    def document(self, **changed: Any) -> bytes:
        """A document signed by the leaf, with some fields changed."""
        return self.signed(cbor2.dumps(self.fields() | changed))

    def signed(self, payload: bytes, *, unprotected: Mapping[Any, Any] | None = None) -> bytes:
        """COSE_Sign1 over any payload."""
        return cbor2.dumps([PROTECTED, unprotected or {}, payload, signature(payload, self.leaf.key)])

    def with_leaf(self, leaf: Holder, hosts: Sequence[Holder] | None = None) -> Chain:
        """The same root above another leaf."""
        return replace(self, leaf=leaf, hosts=self.hosts if hosts is None else tuple(hosts))


def signature(payload: bytes, key: Key) -> bytes:
    """ES384 over RFC 9052's Sig_structure, as r and s side by side."""
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    signed = cbor2.dumps(["Signature1", PROTECTED, b"", payload])
    size = max(HALF_BYTES, -(-key.curve.key_size // 8))
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(SHA384())))
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def accepted(
    document: bytes, policy: AttestationPolicy, *, nonce: bytes = NONCE, now: datetime = NOW
) -> Attested:
    """What the verifier makes of it."""
    return verify_attestation(document, policy, nonce=nonce, now=now)


def require_refused(
    document: bytes, policy: AttestationPolicy, *, nonce: bytes = NONCE, now: datetime = NOW
) -> None:
    """Whatever was wrong, these are the words."""
    with pytest.raises(AttestationRefused) as refusal:
        verify_attestation(document, policy, nonce=nonce, now=now)
    require_the_one_text(refusal.value)


def require_the_one_text(refusal: AttestationRefused) -> None:
    """Written down here once more, so that a refusal that tells more is noticed."""
    assert str(refusal) == (
        "the attestation was not accepted: it is not a fresh, genuine proof of an allowed program"
    )
    assert refusal.hint == (
        "compare the measurement and the root's fingerprint with the allowed ones, and the clocks; then ask again"
    )


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(wanted: Wanted) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=wanted.digital_signature,
        key_cert_sign=wanted.key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
