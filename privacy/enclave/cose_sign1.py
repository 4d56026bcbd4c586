"""COSE_Sign1 (RFC 9052, section 4.2) with ECDSA on P-384 and SHA-384, the one kind that attestation documents have.

Signatures (r, n - s) for (r, s) are accepted, as AWS promises neither half: two documents may differ in bytes and say
the same. What was attested is therefore told apart by its payload and nonce, never by a digest of the document alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from privacy.enclave.attestation_document import MOST_BYTES, attestation_refused
from privacy.enclave.strict_cbor import CborRefused, decode, encode

PROTECTED = b"\xa1\x01\x38\x22"  # {1: -35}: algorithm ES384
SIGNATURE_BYTES = 96
TAGGED = b"\xd2"  # tag 18
MOST_DOCUMENT_BYTES = MOST_BYTES + 256


@dataclass(frozen=True)
class Sign1:
    """The parts of a document whose signature has not been looked at."""

    payload: bytes
    signature: bytes

    def is_signed_by(self, key: ec.EllipticCurvePublicKey) -> bool:
        """Whether the owner of this P-384 key signed the payload under this algorithm."""
        half = SIGNATURE_BYTES // 2
        r, s = (int.from_bytes(part, "big") for part in (self.signature[:half], self.signature[half:]))
        try:
            key.verify(encode_dss_signature(r, s), _signed_bytes(self.payload), ec.ECDSA(SHA384()))
        except InvalidSignature:
            return False
        return isinstance(key.curve, ec.SECP384R1)


def sign1(payload: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
    """The untagged document, as Nitro gives it out."""
    r, s = decode_dss_signature(key.sign(_signed_bytes(payload), ec.ECDSA(SHA384())))
    signature = b"".join(part.to_bytes(SIGNATURE_BYTES // 2, "big") for part in (r, s))
    return encode([PROTECTED, {}, payload, signature])


def parse_sign1(document: bytes) -> Sign1:
    """The parts of a tagged or untagged document. Raises AttestationRefused for any other shape or algorithm."""
    try:
        parts = decode(document.removeprefix(TAGGED), most_bytes=MOST_DOCUMENT_BYTES)
    except CborRefused as error:
        raise attestation_refused() from error
    match parts:
        # an empty unprotected header: what stands there is not signed
        case [bytes(protected), dict(unprotected), bytes(payload), bytes(signature)] if (
            protected == PROTECTED and not unprotected and len(signature) == SIGNATURE_BYTES
        ):
            return Sign1(payload, signature)
    raise attestation_refused()


def _signed_bytes(payload: bytes) -> bytes:
    return encode(["Signature1", PROTECTED, b"", payload])
