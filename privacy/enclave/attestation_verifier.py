"""Whether an attestation document proves that an allowed program, and nobody else, holds a key.

Guarantee: the owner of a pinned root's private key, through certificates valid now, said that a program with an
allowed measurement asked for this document with this nonce, and gave the returned public key and user data.
Not covered: the program's intentions, and the host, where the root is emulated: who has the root's key says anything.
With `production`, only roots of hardware, told by their digests, are accepted.
Whatever is wrong, the error and its words are the same.
"""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from privacy.enclave.attestation_document import AttestationDocument, attestation_refused
from privacy.enclave.certificate_chain import HARDWARE_ROOTS, is_emulated_root, leaf_key, verify_chain
from privacy.enclave.cose_sign1 import parse_sign1
from privacy.enclave.measurement import Measurement
from privacy.errors import InvalidSetting
from privacy.identity import fingerprint

_SHA256 = re.compile(r"[0-9a-f]{64}")
CLOCKS_APART = timedelta(seconds=60)  # how far the platform's clock may be ahead of the reader's


@dataclass(frozen=True)
class AttestationPolicy:
    """What a party accepts. Nothing is accepted by default.

    roots: certificates in DER. measurements: register 0 in hex, lower case. production: refuse emulated roots, which
    are all but `hardware_roots`: SHA-256 of certificates in hex, lower case; AWS's unless others are named.
    """

    roots: tuple[bytes, ...]
    measurements: frozenset[str]
    max_age_seconds: float = 300.0
    production: bool = False
    hardware_roots: frozenset[str] = HARDWARE_ROOTS

    def __post_init__(self) -> None:
        if not all(map(_SHA256.fullmatch, self.hardware_roots)):
            raise InvalidSetting(
                "a hardware root is named by the 64 hexadecimal digits, in lower case, of its SHA-256",
                hint="openssl x509 -in root.pem -outform DER | sha256sum",
            )


@dataclass(frozen=True)
class Attested:
    """What was proved. Empty bytes stand for what the program did not give."""

    public_key: bytes
    user_data: bytes
    measurement: Measurement
    issued: datetime
    root_fingerprint: str
    is_emulated: bool


def verify_attestation(
    document: bytes, policy: AttestationPolicy, *, nonce: bytes, now: datetime
) -> Attested:
    """What a fresh document proves. `nonce` must be the reader's own, `now` with its time zone.

    Raises AttestationRefused. The nonce is not marked as spent here: see `NonceBook`.
    """
    said = _genuine(document, policy)
    fresh = -CLOCKS_APART <= now - said.issued <= timedelta(seconds=policy.max_age_seconds)
    answers = said.nonce is not None and bool(nonce) and hmac.compare_digest(said.nonce, nonce)
    if not fresh or not answers or said.measurement.code not in policy.measurements:
        raise attestation_refused()
    verify_chain(said.certificate, said.cabundle, policy.roots, (now, said.issued))
    return _attested(said, policy)


def verify_kept_attestation(document: bytes, policy: AttestationPolicy) -> Attested:
    """What a document kept from earlier proved when it was made: neither nonce nor age can be checked any more.

    Its certificates must have been valid at its own time. The list of allowed measurements is not applied, as programs
    change: compare `measurement` with what is known about that time. Raises AttestationRefused.
    """
    said = _genuine(document, policy)
    verify_chain(said.certificate, said.cabundle, policy.roots, (said.issued,))
    return _attested(said, policy)


def _genuine(document: bytes, policy: AttestationPolicy) -> AttestationDocument:
    """A document of the right shape, signed by its own leaf, not in debug mode; its chain is still to be checked."""
    parts = parse_sign1(document)
    said = AttestationDocument.of(parts.payload)
    if said.measurement.is_debug or (policy.production and _is_emulated(said, policy)):
        raise attestation_refused()
    if not parts.is_signed_by(leaf_key(said.certificate)):
        raise attestation_refused()
    return said


def _attested(said: AttestationDocument, policy: AttestationPolicy) -> Attested:
    return Attested(
        public_key=said.public_key or b"",
        user_data=said.user_data or b"",
        measurement=said.measurement,
        issued=said.issued,
        root_fingerprint=fingerprint(said.cabundle[0]),
        is_emulated=_is_emulated(said, policy),
    )


def _is_emulated(said: AttestationDocument, policy: AttestationPolicy) -> bool:
    return is_emulated_root(said.cabundle[0], policy.hardware_roots)
