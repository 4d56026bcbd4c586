"""The worker's side of a conversation: one job, from the message that brings it to the signed release.

Guarantee: a release leaves only after the keys of every owner involved came for exactly its statement and, where a
    history is kept, after every one of them has confirmed the state that the release leads to. What leaves besides is
    the statement, which holds no data, the sealed state, and refusals in words that hold none.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

from cleanroom.errors import KeyRefused, QueryFailed, RoomError
from cleanroom.worker.conversation import (
    JobMessage,
    StatementMessage,
    StateMessage,
    confirmations_from,
    grants_from,
    refusal_to_bytes,
    release_to_bytes,
    stopped,
    unreadable,
)
from cleanroom.worker.judged_job import Judged, judge
from cleanroom.worker.key_approval import approvals_in
from cleanroom.worker.key_exchange import (
    COMMIT_KIND,
    Commit,
    Grant,
    grant_context,
    grant_refused,
    is_confirmed,
)
from cleanroom.worker.message_frames import MessageTooLarge, frames_of, message_from
from cleanroom.worker.release_document import KIND, Origin, attested_body
from cleanroom.worker.run_job import Access, Finished, run_job
from cleanroom.worker.statement import Statement, nonce_of
from privacy.enclave.attestation_document import AttestationDocument
from privacy.enclave.cose_sign1 import parse_sign1
from privacy.errors import PrivacyError
from privacy.party_keys import PartyKeys
from privacy.signed_document import sign_document


class Inside(Protocol):
    """What the worker uses of the enclave that it runs in."""

    @property
    def keys(self) -> PartyKeys:
        """The attested keys."""

    def attest(self, nonce: bytes, user_data: bytes) -> bytes:
        """A document that vouches for this program, its keys, and these."""

    def unseal(self, sealed: bytes, context: Mapping[str, object]) -> bytes:
        """What was sealed for the attested key. Raises SealBroken."""

    def receive(self) -> tuple[bytes, list[int]]:
        """The next frame, and the files that came with it."""

    def send(self, message: bytes) -> None:
        """A frame: what is in it has left the enclave."""


def serve(inside: Inside) -> None:
    """Have one conversation. Never raises: whatever goes wrong is told in one of a few ways, and ends it."""
    try:
        _converse(inside)
    except (RoomError, PrivacyError) as error:
        _send(inside, refusal_to_bytes(error if isinstance(error, RoomError) else stopped()))
    except Exception:  # whatever it was may quote a row: it is told to nobody
        _send(inside, refusal_to_bytes(stopped()))


@dataclass(frozen=True)
class _Attested:
    """A statement and the document that vouches for it, with the keys that owners granted for it."""

    statement: Statement
    attestation: bytes
    grants: Mapping[str, Grant] = field(repr=False)
    approvals: Mapping[str, Mapping[str, Any]] = field(repr=False)


def _converse(inside: Inside) -> None:
    with ExitStack() as opened:
        content, numbers = _receive(inside)
        files = [opened.enter_context(os.fdopen(number, "rb")) for number in numbers]
        message = JobMessage.of(content)
        judged = judge(message.job)
        attested = _with_keys(inside, judged, judged.statement(message.nonces))
        finished = run_job(judged, _access(judged, files, attested.grants))
    if finished.state is not None:
        _commit(inside, attested, finished)
    body = attested_body(finished.body, _origin(attested))
    _send(inside, release_to_bytes(sign_document(KIND, body, inside.keys)))


def _with_keys(inside: Inside, judged: Judged, statement: Statement) -> _Attested:
    """State what is asked for, attested, and open what every owner grants for it. Raises KeyRefused."""
    digest = statement.digest()
    attestation = inside.attest(nonce_of(statement.nonces), digest)
    _send(inside, StatementMessage(statement.to_plain(), attestation).to_bytes())
    sealed = grants_from(_receive(inside)[0])
    if set(sealed) != set(statement.owners):
        raise grant_refused()
    try:
        grants = {
            owner: Grant.of(inside.unseal(grant, grant_context(owner, digest)))
            for owner, grant in sealed.items()
        }
    except PrivacyError as error:
        raise grant_refused() from error
    _require_complete(judged, grants)
    approvals = approvals_in(grants, digest, inside.keys.public)
    return _Attested(statement, attestation, grants, approvals)


def _require_complete(judged: Judged, grants: Mapping[str, Grant]) -> None:
    """Each owner gives the keys of its own tables that are opened and of nothing else; all mean one collaboration."""
    first = next(iter(grants.values()))
    for owner, grant in grants.items():
        if set(grant.dataset_keys) != judged.versions_of(owner):
            raise grant_refused()
        if not hmac.compare_digest(grant.state_key, first.state_key):
            raise grant_refused()


def _access(judged: Judged, files: Sequence[BinaryIO], grants: Mapping[str, Grant]) -> Access:
    """Files come in the order of the job's tables; where nothing is opened there are none."""
    tables = () if judged.is_reuse else judged.job.tables
    if len(files) != len(tables):
        raise QueryFailed("the worker was not given its tables; nothing was released", hint="ask anew")
    keys = {version: key for grant in grants.values() for version, key in grant.dataset_keys.items()}
    return Access(
        files={table.document.dataset: file for table, file in zip(tables, files, strict=True)},
        dataset_keys=keys,
        state_key=next(iter(grants.values())).state_key,
        committed={owner: grant.committed for owner, grant in grants.items()},
    )


def _commit(inside: Inside, attested: _Attested, finished: Finished) -> None:
    """Have every owner involved commit to the new state. Raises KeyRefused unless all confirm exactly that."""
    state, statement, grants = finished.state, attested.statement, attested.grants
    assert state is not None
    commit = Commit(
        collaboration=statement.collaboration,
        query_id=statement.query_id,
        statement=statement.digest().hex(),
        previous={owner: grant.committed for owner, grant in grants.items()},
        next=state.id,
    )
    document = sign_document(COMMIT_KIND, commit.body(), inside.keys)
    _send(inside, StateMessage(state, document).to_bytes())
    confirmations = confirmations_from(_receive(inside)[0])
    confirmed = [
        is_confirmed(confirmations.get(owner), grant.confirm_key, state.id) for owner, grant in grants.items()
    ]
    if not all(confirmed) or set(confirmations) != set(grants):
        raise KeyRefused(
            "an owner has not committed to the new state; nothing was released", hint="ask again"
        )


def _origin(attested: _Attested) -> Origin:
    """What the release says of this enclave: the measurement is the one that its own attestation has."""
    document = AttestationDocument.of(parse_sign1(attested.attestation).payload)
    return Origin(attested.statement, attested.attestation, document.pcrs[0].hex(), attested.approvals)


def _receive(inside: Inside) -> tuple[bytes, list[int]]:
    """The next message, and the files that came with any of its frames."""
    files: list[int] = []

    def frame() -> bytes:
        content, numbers = inside.receive()
        files.extend(numbers)
        return content

    try:
        return message_from(frame), files
    except MessageTooLarge as error:
        raise unreadable() from error


def _send(inside: Inside, message: bytes) -> None:
    for frame in frames_of(message):
        inside.send(frame)
