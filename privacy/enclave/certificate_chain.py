"""Root - host - leaf: the certificates that carry trust from a pinned root to the key under one attestation document.

Checked as RFC 5280, section 6.1, and AWS's attestation process, section 3.2.3, ask: names, signatures, validity, CA
flags, path lengths, key usage. ECDSA on P-384 with SHA-384 only. No revocation lists: AWS says not to use them here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from privacy.enclave.attestation_document import attestation_refused

MOST_CERTIFICATES = 8

HARDWARE_ROOTS = frozenset({"641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"})
"""Roots with hardware behind them, as SHA-256 of the certificate (DER) in hex: AWS Nitro Enclaves' G1, published in its
user guide, "Verifying the root of trust"."""

_KNOWN_EXTENSIONS = (x509.BasicConstraints, x509.KeyUsage)
_ECDSA_WITH_SHA384 = bytes.fromhex("300a06082a8648ce3d040303")  # RFC 5758, section 3.2, in DER
_UNREADABLE = (  # all that the library was seen to raise, or may, for bytes that are no sound certificate
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    Warning,  # where warnings are errors; elsewhere the signature decides on what they are about
)


def is_emulated_root(root: bytes, hardware_roots: AbstractSet[str] = HARDWARE_ROOTS) -> bool:
    """Whether nothing but a host's good will stands behind it, as is assumed of every root that is not listed.

    Its name is not asked: whoever makes a root chooses that. `root` is DER. Raises AttestationRefused when it is no
    certificate.
    """
    _load(root)
    return hashlib.sha256(root).hexdigest() not in hardware_roots


def leaf_key(leaf: bytes) -> ec.EllipticCurvePublicKey:
    """The P-384 key in a certificate that nobody has checked. Raises AttestationRefused."""
    return _key(_load(leaf))


def verify_chain(
    leaf: bytes, cabundle: Sequence[bytes], roots: Sequence[bytes], at: Sequence[datetime]
) -> None:
    """Raise AttestationRefused unless trust runs from a root that is pinned byte for byte down to `leaf`.

    All certificates are DER; `cabundle` begins with the root. All must be valid at each of the times `at`.
    """
    if cabundle[0] not in roots or len(cabundle) > MOST_CERTIFICATES:
        raise attestation_refused()
    authorities = [_load(certificate) for certificate in cabundle]
    chain = [*authorities, _load(leaf)]
    for depth, certificate in enumerate(authorities):
        _require_authority(certificate, following=len(authorities) - depth - 1)
    _require_leaf(chain[-1])
    for certificate in chain:
        if not all(_is_valid(certificate, time) for time in at):
            raise attestation_refused()
    for issuer, certificate in zip([chain[0], *chain], chain, strict=False):
        _require_issued(certificate, issuer)


def _load(certificate: bytes) -> x509.Certificate:
    """A certificate whose lazily parsed parts can all be read, with a P-384 key and known critical extensions."""
    try:
        loaded = x509.load_der_x509_certificate(certificate)
        known = all(
            isinstance(extension.value, _KNOWN_EXTENSIONS) or not extension.critical
            for extension in loaded.extensions
        )
        names = loaded.subject, loaded.issuer
        ending = _ECDSA_WITH_SHA384 + bytes((3, len(loaded.signature) + 1, 0)) + loaded.signature
    except _UNREADABLE as error:
        raise attestation_refused() from error
    # the signature does not cover its own envelope, and the library looks past some bits of that
    if not known or not certificate.endswith(ending) or not all(names):
        raise attestation_refused()
    _key(loaded)
    return loaded


def _key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    try:
        key = certificate.public_key()
    except _UNREADABLE as error:
        raise attestation_refused() from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise attestation_refused()
    return key


def _require_authority(certificate: x509.Certificate, *, following: int) -> None:
    """following: how many other CAs stand below it."""
    constraints, usage = _constraints(certificate)
    too_long = constraints.path_length is not None and constraints.path_length < following
    if not constraints.ca or too_long or not usage.key_cert_sign:
        raise attestation_refused()


def _require_leaf(certificate: x509.Certificate) -> None:
    constraints, usage = _constraints(certificate)
    if constraints.ca or constraints.path_length is not None or usage.key_cert_sign:
        raise attestation_refused()
    if not usage.digital_signature:
        raise attestation_refused()


def _constraints(certificate: x509.Certificate) -> tuple[x509.BasicConstraints, x509.KeyUsage]:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as error:
        raise attestation_refused() from error
    return constraints, usage


def _is_valid(certificate: x509.Certificate, at: datetime) -> bool:
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _require_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Names and signature; the root issued itself."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (*_UNREADABLE, InvalidSignature) as error:
        raise attestation_refused() from error
