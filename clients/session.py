"""What a silo remembers of one run between messages; it holds secrets and stays on the silo's side."""

import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any

from clients.errors import OutOfOrder
from privacy.attested_sums.sealed_update import EnclaveAddress
from privacy.attested_sums.sum_terms import SumQuestion
from privacy.wire import Invitation

INVITATIONS_KEPT = 64  # one per run; every message of a run needs it


@dataclass(frozen=True)
class TrustedEnclave:
    """The enclave that this silo checked, and the masks' roster that it was attested with (empty without masks)."""

    address: EnclaveAddress
    roster_digest: bytes

    def require_roster(self, digest: bytes) -> None:
        """The run's roster is the one the enclave was attested with. Raises OutOfOrder."""
        if digest != self.roster_digest:
            raise OutOfOrder(
                "the enclave was attested with another roster than the run's; nothing was charged",
                hint="have the enclave attested again, with the roster that all silos get",
            )


@dataclass(frozen=True)
class Session:
    """The accepted invitation, the masking state (secret) and this silo's number of units as sums may use it.

    In a run with an enclave also the nonce that waits for an attestation, the enclave, and the sum last sealed to it.
    """

    invitation: Invitation
    masking: bytes = b""
    started: bool = False
    units: float = 0.0
    nonce: bytes = b""
    enclave: TrustedEnclave | None = None
    sealed: SumQuestion | None = None

    def to_bytes(self) -> bytes:
        """For `from_bytes`: two lines of JSON (the invitation, the rest), then the masking state."""
        progress = {
            "started": self.started,
            "units": self.units,
            "nonce": self.nonce.hex(),
            "enclave": _plain_enclave(self.enclave),
            "sealed": _plain_question(self.sealed),
        }
        return b"\n".join((_encoded(self.invitation), json.dumps(progress).encode(), self.masking))

    @classmethod
    def from_bytes(cls, stored: bytes, *, run_id: str | None = None) -> "Session":
        """Raises OutOfOrder unless this silo accepted a run (that run, when it is named)."""
        if not stored:
            raise OutOfOrder(
                "this silo has not joined a run", hint="invite it first; after a restart, resume the run"
            )
        line, progress, masking = stored.split(b"\n", 2)
        invitation, header = _decoded(line), json.loads(progress)
        if run_id is not None and invitation.run_id != run_id:
            raise OutOfOrder("this silo joined another run", hint="invite it to this run first")
        enclave, sealed = _enclave(header["enclave"]), _question(header["sealed"])
        nonce = bytes.fromhex(header["nonce"])
        return cls(invitation, masking, header["started"], header["units"], nonce, enclave, sealed)

    @property
    def trusted_enclave(self) -> TrustedEnclave:
        """The enclave that this silo checked. Raises OutOfOrder; no data were read."""
        if self.enclave is None:
            raise OutOfOrder(
                "no enclave of this run was attested to this silo yet",
                hint="ask it for a nonce, and show it the attestation; after a restart, resume the run",
            )
        return self.enclave

    def with_masking(self, masking: bytes) -> "Session":
        """The same session with the masking state as it is after a step."""
        return replace(self, masking=masking)


@lru_cache(maxsize=INVITATIONS_KEPT)
def _encoded(invitation: Invitation) -> bytes:
    return json.dumps(asdict(invitation)).encode()


@lru_cache(maxsize=INVITATIONS_KEPT)
def _decoded(line: bytes) -> Invitation:
    return Invitation(**json.loads(line))


def _plain_enclave(enclave: TrustedEnclave | None) -> list[str]:
    if enclave is None:
        return []
    return [
        part.hex() for part in (enclave.address.terms, enclave.address.sealing_key, enclave.roster_digest)
    ]


def _enclave(plain: list[str]) -> TrustedEnclave | None:
    if not plain:
        return None
    terms, sealing_key, roster_digest = map(bytes.fromhex, plain)
    return TrustedEnclave(EnclaveAddress(terms, sealing_key), roster_digest)


def _plain_question(question: SumQuestion | None) -> dict[str, Any] | None:
    return {**asdict(question), "question": question.question.hex()} if question else None


def _question(plain: dict[str, Any] | None) -> SumQuestion | None:
    return SumQuestion(**{**plain, "question": bytes.fromhex(plain["question"])}) if plain else None
