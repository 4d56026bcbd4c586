"""The second half of a threshold question: the owner commits to the state that the release leads to.

Two workers that were given keys at the same committed state cannot both go on: the first commit moves the state, and
the second one no longer fits. So no two releases ever start from the same history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cleanroom.broker.attested_worker import AttestedWorker
from cleanroom.broker.charge_book import ChargeBook
from cleanroom.broker.key_request import told
from cleanroom.broker.refusal import against
from cleanroom.broker.release_log import Entry, Turn
from cleanroom.broker.state_register import StateRegister
from cleanroom.errors import KeyRefused, StateMoved
from cleanroom.worker.key_exchange import COMMIT_KIND, Commit, Grant, confirmation
from cleanroom.worker.statement import Statement
from privacy.errors import SignatureRefused
from privacy.signed_document import open_document

COMMIT_WITHIN = timedelta(hours=1)


@dataclass
class _Granted:
    """What a worker was given and may commit; `following` once it has."""

    statement: Statement
    worker: AttestedWorker
    grant: Grant = field(repr=False)
    granted: datetime
    following: str = ""


class StateCommits:
    """For one owner. Every method is called within a turn of the log, so one at a time.

    Grants are remembered in memory: a broker that is started again confirms nothing of before, and such a question is
    asked anew.
    """

    def __init__(self, owner: str, register: StateRegister, book: ChargeBook) -> None:
        self._owner = owner
        self._register = register
        self._book = book
        self._granted: dict[str, _Granted] = {}

    def take_up(self, turn: Turn, now: datetime) -> None:
        """Log what a crash left committed but not logged. Raises StateRolledBack when register and log disagree.

        The register is there from now on, so that it can be missed.
        """
        for collaboration, state in self._register.require_agreement(self._book).items():
            body = {"collaboration": collaboration, "previous": state.previous, "next": state.id}
            turn.append(Entry.COMMITTED, body, now=now)
        self._register.note(turn.newest)

    def expect(self, statement: Statement, worker: AttestedWorker, grant: Grant, now: datetime) -> None:
        """This worker may commit once, from the state that it was granted."""
        self._granted = {
            digest: one for digest, one in self._granted.items() if now - one.granted < COMMIT_WITHIN
        }
        self._granted[statement.digest().hex()] = _Granted(statement, worker, grant, now)

    def commit(self, turn: Turn, document: Any, now: datetime) -> str:
        """The confirmation, once the new state is on the disk. Raises Against."""
        granted = self._grant_of(document)
        commit = self._signed(document, granted)
        if granted.following not in ("", commit.next):
            raise against("state", "another state was committed for this statement")
        collaboration = commit.collaboration
        if not granted.following or self._register.committed(collaboration) != commit.next:
            try:
                self._register.commit(collaboration, previous=granted.grant.committed, following=commit.next)
            except StateMoved as error:
                raise against("state", str(error)) from error
            granted.following = commit.next
        if self._book.committed.get(collaboration) != commit.next:
            body = {**told(granted.statement), "previous": granted.grant.committed, "next": commit.next}
            turn.append(Entry.COMMITTED, body, now=now)
        return confirmation(granted.grant.confirm_key, commit.next)

    def _grant_of(self, document: Any) -> _Granted:
        try:
            return self._granted[document["body"]["statement"]]
        except (KeyError, TypeError):
            raise against("commit", "no keys were granted for what is to be committed") from None

    def _signed(self, document: object, granted: _Granted) -> Commit:
        """What the attested worker signed, if it is its own statement's and goes on from what it was granted."""
        try:
            signing = granted.worker.signing
            commit = Commit.of(open_document(document, kind=COMMIT_KIND, public_key=signing))
        except (SignatureRefused, KeyRefused):
            raise against("commit", "the commit is not signed by the worker that has the keys") from None
        statement = granted.statement
        stated = (statement.collaboration, statement.query_id, statement.digest().hex())
        if (commit.collaboration, commit.query_id, commit.statement) != stated:
            raise against("commit", "the commit is of another query")
        if not self._goes_on(commit.previous, granted):
            raise against("commit", "the commit starts from another state than the one granted")
        return commit

    def _goes_on(self, previous: Mapping[str, str | None], granted: _Granted) -> bool:
        is_complete = set(previous) == set(granted.statement.owners)
        return is_complete and previous[self._owner] == granted.grant.committed
