"""Named refusals and failures of the clean room, one root, each with a next action in `hint`.

No message holds rows, identifiers, keys, group sizes or the engine's own words. `code` is stable and goes over
the wire; `reasons` lists everything that was wrong, each with its own fix. `status` over HTTP: 403 the rules or
keys do not allow it, 409 it contradicts what is there or is not what it should be; 422 is left to requests that do
not have the shape that OpenAPI describes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """One thing that is wrong: a stable code, a sentence, and what would make it right."""

    code: str
    message: str
    fix: str = ""


class RoomError(Exception):
    """Root of every refusal and failure in this package."""

    code = "room_error"
    status = 400

    def __init__(self, message: str, *, hint: str = "", reasons: Iterable[Reason] = ()) -> None:
        super().__init__(message)
        self.hint = hint
        self.reasons = tuple(reasons)


class RuleInvalid(RoomError):
    """A dataset's document of columns and rules is not one; nothing was changed."""

    code, status = "rule_invalid", 409


class QueryRefused(RoomError):
    """The query may not be asked here; no data were touched and nothing was charged."""

    code, status = "query_refused", 403


class BudgetSpent(RoomError):
    """The privacy budget does not cover the query; nothing was charged and no data were touched."""

    code, status = "budget_spent", 429


class QueryFailed(RoomError):
    """The worker could not finish; a charge that was made stays made, and nothing was released."""

    code, status = "query_failed", 500


class NotAuthorised(RoomError):
    """The credentials are missing, expired, revoked or not those of a member who may do this."""

    code, status = "not_authorised", 401


class Forbidden(RoomError):
    """The member's role does not allow this."""

    code, status = "forbidden", 403


class NotFound(RoomError):
    """There is no such thing here, or the caller may not know of it."""

    code, status = "not_found", 404


class Conflict(RoomError):
    """What is asked contradicts what is there; nothing was changed."""

    code, status = "conflict", 409


class TableRefused(RoomError):
    """A table does not fit its declared columns; nothing was stored."""

    code, status = "table_refused", 422


class UploadBroken(RoomError):
    """What arrived is not what was announced; nothing was stored."""

    code, status = "upload_broken", 409


class SealedTableBroken(RoomError):
    """A sealed table does not open: another key, another table, or changed on the way."""

    code, status = "sealed_table_broken", 409


class ReleaseUnverified(RoomError):
    """A release's signature or one of the digests it names does not fit."""

    code, status = "release_unverified", 422


class LogBroken(RoomError):
    """The audit log is not the chain of entries that was written."""

    code, status = "log_broken", 500


class StateMoved(Conflict):
    """Another query was released meanwhile; this one is run again against the newer state, at no further charge."""

    code = "state_moved"


class BasisMoved(Conflict):
    """Rules or tables changed between judging a question and charging it; nothing was charged."""

    code = "basis_moved"


class BrokerAway(Conflict):
    """An owner's key broker does not answer, so its table cannot be opened."""

    code = "broker_away"


class KeyRefused(RoomError):
    """An owner's key broker did not release its key; why stands in that owner's log only."""

    code, status = "key_refused", 403


class StateRolledBack(RoomError):
    """The room's memory of earlier releases is older than what owners committed to; nothing is released from it."""

    code, status = "state_rolled_back", 500


class ProposalInvalid(RoomError):
    """What is proposed, founded or accepted is not such a document; nothing was changed."""

    code, status = "proposal_invalid", 409


class SignatureInvalid(RoomError):
    """A signature is not the member's over exactly this, here and now; nothing was changed."""

    code, status = "signature_invalid", 403


class StoreUnavailable(RoomError):
    """The service's database is busy, unreachable or of another version; nothing was changed."""

    code, status = "store_unavailable", 503


class HomeUnusable(RoomError):
    """A party's home directory is missing, another party's, in a room already, or damaged."""

    code, status = "home_unusable", 400


class ServiceUnreachable(RoomError):
    """The service does not answer; a request that was on its way may or may not have been done."""

    code, status = "service_unreachable", 503


class ServiceUntrusted(RoomError):
    """The service, or what it says, is not what was pinned when the party joined; nothing was sent to it."""

    code, status = "service_untrusted", 403


class InvitationInvalid(RoomError):
    """The text is not an invitation, or not one for what the service says; nothing was joined."""

    code, status = "invitation_invalid", 422


class CorpusInvalid(RoomError):
    """A corpus of queries, or the tables and rules beside it, cannot be replayed; nothing was run."""

    code, status = "corpus_invalid", 422
