"""The collaboration's record as the service hands it over, verified, and never older than this party saw it before.

The service could hand over an older one, in which a member is not yet removed or a rule not yet in force. So how far
the record went is kept on the party's disk (`record_head`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cleanroom.broker.private_files import locked
from cleanroom.broker.record_head import RecordHead, read_head, write_head
from cleanroom.errors import ServiceUntrusted
from cleanroom.governance.proposal_text import proposal_body
from cleanroom.governance.record import verify_record
from cleanroom.governance.room_state import RoomState
from cleanroom.governance.terms import Terms
from privacy.errors import PrivacyError
from privacy.party_keys import PublicKeys

_LOCK = "record-head.lock"


@dataclass(frozen=True)
class VerifiedRecord:
    """The signed documents, what they come to, and how far they go."""

    documents: Any
    state: RoomState
    head: RecordHead

    def holds(self, signed: object) -> bool:
        """Whether the proposal with this signed body is in force."""
        return any(
            signed
            == proposal_body(self.state.collaboration, event["kind"], event["content"], event["sequence"])
            for event in self.documents["events"]
            if event["event"] == "proposal"
        )


def verified_record(
    path: Path, read: Callable[[], Any], *, keys: PublicKeys, terms_digest: str
) -> VerifiedRecord:
    """What `read` gives, noted at `path`. Raises ServiceUntrusted, HomeUnusable, and what `read` and proofs raise."""
    while True:
        before = read_head(path)
        documents = read()
        state, head = _proved(documents)
        mine = state.members.get(keys.name)
        is_joined = Terms.of(documents["terms"]["body"]).digest == terms_digest
        if not is_joined or mine is None or mine.keys != keys:
            raise _untrusted("is that of another room, or of one that this party has left")
        with locked(path.with_name(_LOCK)):
            seen = read_head(path)
            if seen != before and head.events < seen.events:
                continue  # meanwhile another process of this party saw a newer one
            if not seen.is_in(documents["events"]):
                raise _untrusted("lacks events that it had before")
            if seen != head:
                write_head(path, head)
            return VerifiedRecord(documents, state, head)


def _proved(documents: Any) -> tuple[RoomState, RecordHead]:
    try:
        state = verify_record(documents)
        return state, RecordHead.of(documents["events"], state)
    except (PrivacyError, RecursionError) as error:  # something unsigned beside what is signed has no digest
        raise _untrusted("is none") from error


def _untrusted(what: str) -> ServiceUntrusted:
    return ServiceUntrusted(
        f"the record that the service shows {what}; it is not relied on",
        hint="ask the other members over another channel",
    )
