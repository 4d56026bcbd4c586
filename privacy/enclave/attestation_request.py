"""What a program inside asks to have attested, as it travels to whoever signs."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class AttestationRequest:
    """The three fields of an attestation document that the program chooses."""

    public_key: bytes
    user_data: bytes
    nonce: bytes

    def to_bytes(self) -> bytes:
        """As JSON, the fields in hex."""
        return json.dumps({field.name: getattr(self, field.name).hex() for field in fields(self)}).encode()

    @classmethod
    def of(cls, content: bytes) -> AttestationRequest:
        """From what `to_bytes` gave. Raises ValueError for anything else."""
        plain = json.loads(content)
        names = {field.name for field in fields(cls)}
        if not isinstance(plain, dict) or set(plain) != names:
            raise ValueError("not a request for attestation")
        if not all(isinstance(value, str) for value in plain.values()):
            raise ValueError("not a request for attestation")
        return cls(**{name: bytes.fromhex(value) for name, value in plain.items()})
