"""What an enclave's platform says about it: the attestation document that AWS publishes for Nitro Enclaves.

Field names, types and limits: aws-nitro-enclaves-nsm-api, docs/attestation_process.md, sections 2.2 and 3.2.2. There a
field that was not asked for is missing or null; both read as None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from privacy.enclave.measurement import Measurement
from privacy.enclave.strict_cbor import CborRefused, decode, encode
from privacy.errors import AttestationRefused, InvalidSetting

DIGEST = "SHA384"
MOST_BYTES = 16_384
MOST_CERTIFICATE_BYTES = 1024
MOST_PUBLIC_KEY_BYTES = 1024
MOST_USER_DATA_BYTES = 512
MOST_NONCE_BYTES = 512
MOST_MODULE_ID_LETTERS = 256
MOST_TIMESTAMP = 253_402_300_799_999  # the year 9999: the last that a date can hold

_REQUIRED = frozenset({"module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"})
_OPTIONAL = frozenset({"public_key", "user_data", "nonce"})


@dataclass(frozen=True)
class AttestationDocument:
    """`timestamp` in milliseconds since 1970, certificates in DER, `cabundle` from the root downwards."""

    module_id: str
    timestamp: int
    pcrs: Mapping[int, bytes]
    certificate: bytes
    cabundle: tuple[bytes, ...]
    public_key: bytes | None = None
    user_data: bytes | None = None
    nonce: bytes | None = None
    digest: str = DIGEST

    def __post_init__(self) -> None:
        if not _is_sound(self):
            raise InvalidSetting(
                "a field of the attestation document is missing, of another type or too long",
                hint="see the limits in the AWS Nitro Enclaves attestation process",
            )
        object.__setattr__(self, "pcrs", self.measurement.pcrs)

    @property
    def measurement(self) -> Measurement:
        """The registers."""
        return Measurement(self.pcrs)

    @property
    def issued(self) -> datetime:
        """`timestamp` as a time in UTC."""
        return datetime.fromtimestamp(self.timestamp / 1000, UTC)

    def to_cbor(self) -> bytes:
        """All nine fields in AWS's order; null for what was not asked for."""
        fields = {
            "module_id": self.module_id,
            "digest": self.digest,
            "timestamp": self.timestamp,
            "pcrs": dict(sorted(self.pcrs.items())),
            "certificate": self.certificate,
            "cabundle": list(self.cabundle),
            "public_key": self.public_key,
            "user_data": self.user_data,
            "nonce": self.nonce,
        }
        return encode(fields)

    @classmethod
    def of(cls, encoded: bytes) -> AttestationDocument:
        """What the bytes say, which proves nothing yet. Raises AttestationRefused for any other shape."""
        try:
            return _read(decode(encoded, most_bytes=MOST_BYTES, may_stop=True))
        except (CborRefused, InvalidSetting) as error:
            raise attestation_refused() from error


def attestation_refused() -> AttestationRefused:
    """The one refusal of whatever does not prove what it must."""
    return AttestationRefused(
        "the attestation was not accepted: it is not a fresh, genuine proof of an allowed program",
        hint="compare the measurement and the root's fingerprint with the allowed ones, and the clocks; then ask again",
    )


def _read(fields: Any) -> AttestationDocument:
    if type(fields) is not dict or not _REQUIRED <= fields.keys() <= _REQUIRED | _OPTIONAL:
        raise CborRefused("not the nine fields")
    if type(fields["pcrs"]) is not dict or type(fields["cabundle"]) is not list:
        raise CborRefused("not registers and certificates")
    return AttestationDocument(**fields | {"cabundle": tuple(fields["cabundle"])})


def _is_sound(document: AttestationDocument) -> bool:
    """Exact types throughout: a boolean is a number to Python, and a buffer may change later."""
    return (
        type(document.module_id) is str
        and 1 <= len(document.module_id) <= MOST_MODULE_ID_LETTERS
        and document.digest == DIGEST
        and type(document.timestamp) is int
        and 0 < document.timestamp <= MOST_TIMESTAMP
        and bool(document.cabundle)
        and all(
            _is_bytes(certificate, 1, MOST_CERTIFICATE_BYTES)
            for certificate in (document.certificate, *document.cabundle)
        )
        and (document.public_key is None or _is_bytes(document.public_key, 1, MOST_PUBLIC_KEY_BYTES))
        and (document.user_data is None or _is_bytes(document.user_data, 0, MOST_USER_DATA_BYTES))
        and (document.nonce is None or _is_bytes(document.nonce, 0, MOST_NONCE_BYTES))
    )


def _is_bytes(value: object, fewest: int, most: int) -> bool:
    return type(value) is bytes and fewest <= len(value) <= most
