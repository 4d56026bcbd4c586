"""The certificates that an emulated platform makes: root - host - leaf, in the shape of AWS's for Nitro Enclaves.

P-384 and SHA-384 throughout. The root's name says that it is emulated.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

EMULATED_ROOT_NAME = "Mixroom emulated enclave root"
EMULATED_HOST_NAME = "Mixroom emulated enclave host"
ROOT_LIFE = timedelta(days=30 * 365)
HOST_LIFE = timedelta(days=30)
LEAF_LIFE = timedelta(hours=3)  # as Nitro's
BACKDATED = timedelta(minutes=5)  # a reader's clock may be behind


def new_private_key() -> ec.EllipticCurvePrivateKey:
    """A P-384 key from the operating system's random source."""
    return ec.generate_private_key(ec.SECP384R1())


def root_certificate(key: ec.EllipticCurvePrivateKey, at: datetime) -> x509.Certificate:
    """The self-signed root, whose name says that it is emulated; one CA may follow."""
    return _certificate(EMULATED_ROOT_NAME, key.public_key(), None, key, (at, ROOT_LIFE), path_length=1)


def host_certificate(
    key: ec.EllipticCurvePublicKey, root: x509.Certificate, root_key: ec.EllipticCurvePrivateKey, at: datetime
) -> x509.Certificate:
    """A CA for leaves only."""
    return _certificate(EMULATED_HOST_NAME, key, root, root_key, (at, HOST_LIFE), path_length=0)


def leaf_certificate(
    name: str,
    key: ec.EllipticCurvePublicKey,
    issuer: x509.Certificate,
    issuer_key: ec.EllipticCurvePrivateKey,
    at: datetime,
) -> x509.Certificate:
    """For the key that signs one attestation document."""
    return _certificate(name, key, issuer, issuer_key, (at, LEAF_LIFE), path_length=None)


def der(certificate: x509.Certificate) -> bytes:
    """The certificate's bytes."""
    return certificate.public_bytes(Encoding.DER)


def _certificate(
    name: str,
    key: ec.EllipticCurvePublicKey,
    issuer: x509.Certificate | None,
    issuer_key: ec.EllipticCurvePrivateKey,
    life: tuple[datetime, timedelta],
    *,
    path_length: int | None,
) -> x509.Certificate:
    """path_length: None for a leaf. A CA may sign certificates and nothing else, a leaf documents and nothing else."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    is_authority = path_length is not None
    start, duration = life
    end = start + duration
    if issuer is not None:
        end = min(end, issuer.not_valid_after_utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start - BACKDATED)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=path_length), critical=True)
        .add_extension(_usage(is_authority=is_authority), critical=True)
    )
    return builder.sign(issuer_key, SHA384())


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
