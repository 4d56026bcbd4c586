"""What a silo remembers of one run between messages; it holds secrets and stays on the silo's side."""

import json
from dataclasses import asdict, dataclass, replace
from functools import lru_cache

from clients.errors import OutOfOrder
from privacy.wire import Invitation

INVITATIONS_KEPT = 64  # one per run; every message of a run needs it


@dataclass(frozen=True)
class Session:
    """The accepted invitation, the masking state (secret) and this silo's number of units as sums may use it."""

    invitation: Invitation
    masking: bytes = b""
    started: bool = False
    units: float = 0.0

    def to_bytes(self) -> bytes:
        """For `from_bytes`: two lines of JSON (the invitation, the rest), then the masking state."""
        progress = json.dumps({"started": self.started, "units": self.units}).encode()
        return b"\n".join((_encoded(self.invitation), progress, self.masking))

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
        return cls(invitation, masking, header["started"], header["units"])

    def with_masking(self, masking: bytes) -> "Session":
        """The same session with the masking state as it is after a step."""
        return replace(self, masking=masking)


@lru_cache(maxsize=INVITATIONS_KEPT)
def _encoded(invitation: Invitation) -> bytes:
    return json.dumps(asdict(invitation)).encode()


@lru_cache(maxsize=INVITATIONS_KEPT)
def _decoded(line: bytes) -> Invitation:
    return Invitation(**json.loads(line))
