"""Whether a request for keys comes from an allowed program in a genuine enclave, and when not, why not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cleanroom.broker.allowed_code import CodeRules, InstalledCode
from cleanroom.broker.key_request import KeyRequest
from cleanroom.broker.refusal import Against, against
from cleanroom.worker.statement import nonce_of
from privacy.enclave.attestation_verifier import (
    AttestationPolicy,
    Attested,
    verify_attestation,
    verify_kept_attestation,
)
from privacy.enclave.nonce_book import NonceBook
from privacy.errors import AttestationRefused
from privacy.identity import PUBLIC_KEY_BYTES


@dataclass(frozen=True)
class AttestedWorker:
    """What was proved of it. Its keys are in its enclave, which answers for what they seal and sign."""

    attested: Attested

    @property
    def sealing(self) -> bytes:
        """The X25519 key that grants are sealed for, 32 raw bytes."""
        return self.attested.public_key[:PUBLIC_KEY_BYTES]

    @property
    def signing(self) -> bytes:
        """The Ed25519 key that signs commits and releases, 32 raw bytes."""
        return self.attested.public_key[PUBLIC_KEY_BYTES:]

    def told(self) -> dict[str, Any]:
        """What the log says of it."""
        return {
            "measurement": self.attested.measurement.code,
            "root": self.attested.root_fingerprint,
            "emulated": self.attested.is_emulated,
        }


class WorkerCheck:
    """For one owner. Gives out its nonces and takes each back once."""

    def __init__(self, owner: str, installed: InstalledCode, root: bytes) -> None:
        """root: the pinned certificate in DER."""
        self._owner = owner
        self._installed = installed
        self._root = root
        self._nonces = NonceBook()

    def nonces(self, count: int) -> tuple[bytes, ...]:
        """Fresh ones."""
        return tuple(self._nonces.issue() for _ in range(count))

    def proved(self, request: KeyRequest, rules: CodeRules, now: datetime) -> AttestedWorker:
        """The worker behind the request. Its nonce is used up whatever comes of it. Raises Against."""
        try:
            self._nonces.spend(request.nonces.get(self._owner, b""))
        except AttestationRefused:
            raise against("nonce", "the nonce was not given out here, has ended or was used") from None
        policy = rules.policy(self._installed, self._root)
        try:
            attested = verify_attestation(
                request.attestation, policy, nonce=nonce_of(request.nonces), now=now
            )
        except AttestationRefused:
            raise self._why_not(request.attestation, policy) from None
        if dict(request.statement.nonces) != dict(request.nonces):
            raise against("nonce", "the statement names other nonces than the attestation")
        if len(attested.public_key) != 2 * PUBLIC_KEY_BYTES:
            raise against("attestation", "the attestation does not vouch for two public keys")
        return AttestedWorker(attested)

    def _why_not(self, document: bytes, policy: AttestationPolicy) -> Against:
        """A genuine document of another program is what the owner can do something about."""
        try:
            code = verify_kept_attestation(document, policy).measurement.code
        except AttestationRefused:
            return against("attestation", "this is no genuine attestation under the pinned root")
        if code in policy.measurements:
            return against("attestation", "the attestation is old, or was made for other nonces")
        if code == self._installed.reduced:
            return against("isolation", f"the worker's isolation is reduced, which is not allowed: {code}")
        return against("code", f"the worker runs another program than those allowed: {code}")
