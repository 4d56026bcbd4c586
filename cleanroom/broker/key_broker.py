"""An owner's key broker: it releases the keys of its tables to attested workers, and counts what that costs.

One question: a nonce is given out, a worker's attestation and statement come back, the owner decides
(`release_policy`), the charge and the release are one line in its log, and only then the grant leaves. Before a
threshold release leaves the worker, the owner commits to the state it leads to and says so (`state_commits`).

Guarantee: a grant opens only under a key that a genuine attestation of an allowed program vouches for, made with a
nonce of this process that is used once; its charge is on the disk before it. Whatever is wrong, whoever asks sees one
and the same KeyRefused.
Not covered: where the root is emulated, who has its key on the host can attest anything and be given any key.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from cleanroom.broker.allowed_code import InstalledCode
from cleanroom.broker.attested_worker import AttestedWorker, WorkerCheck
from cleanroom.broker.broker_home import RECORD_HEAD, RUNNING, STATE, BrokerHome
from cleanroom.broker.charge_book import Charge
from cleanroom.broker.held_keys import Tombstone
from cleanroom.broker.key_request import KeyRequest, told
from cleanroom.broker.private_files import locked
from cleanroom.broker.refusal import Against, against, refused
from cleanroom.broker.refusal_limit import RefusalLimit
from cleanroom.broker.release_log import Entry, Turn
from cleanroom.broker.release_policy import BrokerFacts, reasons_against
from cleanroom.broker.state_commits import StateCommits
from cleanroom.broker.state_register import StateRegister
from cleanroom.broker.verified_room import VerifiedRoom
from cleanroom.errors import HomeUnusable, KeyRefused, NotFound, ServiceUntrusted
from cleanroom.governance.room_state import RoomState
from cleanroom.rules.analysis_rule import Mode
from cleanroom.worker.key_approval import APPROVAL_KIND, approval_body
from cleanroom.worker.key_exchange import Grant, grant_context, state_key
from cleanroom.worker.statement import Statement
from privacy.errors import IdentityUnusable
from privacy.party_keys import PartyKeys
from privacy.sealing import new_key, seal_message
from privacy.signed_document import sign_document


@dataclass(frozen=True)
class BrokerParty:
    """Whose broker it is, as pinned when it joined. enclave_root: a certificate in DER."""

    keys: PartyKeys
    collaboration: str
    terms_digest: str
    identity_secret: bytes = field(repr=False)
    enclave_root: bytes


def utc_now() -> datetime:
    """The time, with its zone."""
    return datetime.now(UTC)


class KeyBroker:
    """`with KeyBroker(...) as broker: ...`; safe to use from several threads, one per home at a time.

    `read_record` fetches the collaboration's record of signed documents, which is verified here; it may raise
    RoomError. HomeUnusable, LogBroken and StateRolledBack, here and from every method, say that the home may not be
    used as it is: nothing more is released.
    """

    def __init__(
        self,
        home: BrokerHome,
        party: BrokerParty,
        installed: InstalledCode,
        read_record: Callable[[], object],
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._home = home
        self._party = party
        self._owner = party.keys.name
        self._clock = clock
        self._worker_check = WorkerCheck(self._owner, installed, party.enclave_root)
        self._room = VerifiedRoom(
            home.folder / RECORD_HEAD, read_record, keys=party.keys.public, terms_digest=party.terms_digest
        )
        self._refusals = RefusalLimit()
        with ExitStack() as stack:
            _enter_alone(stack, home)
            self._register = StateRegister(home.folder / STATE)
            self._commits = StateCommits(self._owner, self._register, home.book)
            self._take_up()
            self._running = stack.pop_all()

    def __enter__(self) -> KeyBroker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Another broker may start on the home."""
        self._running.close()

    def nonces(self, count: int = 1) -> tuple[bytes, ...]:
        """Fresh ones of 32 bytes, each for one question within five minutes."""
        return self._worker_check.nonces(count)

    def answer(self, request: object) -> str | None:
        """What goes back over the wire for a request of the service; None when it is refused."""
        plain = request if isinstance(request, Mapping) else {}
        try:
            match plain.get("kind"):
                case "grant":
                    return base64.b64encode(self.grant(plain)).decode()
                case "commit":
                    return self.commit(plain.get("document"))
        except KeyRefused:
            pass
        return None

    def grant(self, asked: object) -> bytes:
        """A sealed `Grant` for the attested worker. `asked`: what `KeyRequest.of` reads. Raises KeyRefused."""
        now, note = self._clock(), {"for": "keys"}
        try:
            return self._granted(asked, note, now)
        except Against as error:
            raise self._refusal(error, note, now) from None

    def commit(self, document: object) -> str:
        """Commit to the state that a worker's release leads to; the same again has the same answer.

        The confirmation, in hexadecimal digits. Raises KeyRefused.
        """
        now = self._clock()
        try:
            with self._home.log.turn() as turn:
                return self._commits.commit(turn, document, now)
        except Against as error:
            raise self._refusal(error, {"for": "commit"}, now) from None

    def retire_expired(self) -> tuple[Tombstone, ...]:
        """Destroy keys whose retention has ended. To be called now and then.

        By the rules in force; by those last seen when the service is away or withholds the record.
        """
        now = self._clock()
        return self._home.retire_expired(self._room.retention_days(now), now=now)

    def _take_up(self) -> None:
        """Nothing was put back since the last time, and what a crash interrupted is finished."""
        now = self._clock()
        self._home.require_logged()
        with self._home.log.turn() as turn:
            self._commits.take_up(turn, now)
        self._home.finish_destroying(now=now)

    def _granted(self, asked: object, note: dict[str, Any], now: datetime) -> bytes:
        """Decided by what is known of the room; when that is against it, once more by what the room is now."""
        try:
            request = KeyRequest.of(asked)
        except KeyRefused:
            raise against("request", "this is no request for keys") from None
        statement = request.statement
        note.update(told(statement))
        worker = self._worker_check.proved(request, self._home.code_rules, now)
        note.update(worker.told())
        refusal = Against()
        for read in (self._room.state, self._room.anew):
            room = _room_by(read, now)
            with self._home.log.turn() as turn:
                facts = self._facts(statement, room, now)
                refusal = Against(*reasons_against(statement, worker.attested.user_data, facts))
                if not refusal.reasons:
                    return self._charged(turn, statement, worker, now)
        raise refusal

    def _facts(self, statement: Statement, room: RoomState, now: datetime) -> BrokerFacts:
        held = {}
        for table in statement.tables:
            if table.owner == self._owner and table.version not in self._home.book.destroyed:
                try:
                    held[table.version] = self._home.keys.held(table.version)
                except NotFound:
                    continue
        return BrokerFacts(self._owner, self._party.collaboration, room, held, self._home.book, now)

    def _charged(self, turn: Turn, statement: Statement, worker: AttestedWorker, now: datetime) -> bytes:
        """The charge, then the grant: one that is lost on its way has been paid for."""
        grant = self._grant(statement, worker)
        try:
            context = grant_context(self._owner, statement.digest())
            sealed = seal_message(grant.to_bytes(), worker.sealing, context)
        except IdentityUnusable:
            raise against("attestation", "nothing can be sealed for the attested key") from None
        body = {
            "for": "keys",
            **told(statement),
            **worker.told(),
            "charge": Charge.of(statement, self._owner).to_plain(),
            "stated": statement.to_plain(),
        }
        self._register.note(turn.append(Entry.RELEASED, body, now=now))
        if statement.mode is Mode.THRESHOLD:
            self._commits.expect(statement, worker, grant, now)
        return sealed

    def _grant(self, statement: Statement, worker: AttestedWorker) -> Grant:
        own = [table.version for table in statement.tables if table.owner == self._owner]
        try:
            keys = {} if statement.reuse else {version: self._home.keys.get(version) for version in own}
        except NotFound:
            raise against("version", "a key was destroyed at this moment") from None
        collaboration = self._party.collaboration
        approved = approval_body(self._owner, statement.digest(), worker.attested.public_key)
        return Grant(
            dataset_keys=keys,
            state_key=state_key(self._party.identity_secret, collaboration),
            committed=self._register.committed(collaboration),
            confirm_key=new_key(),
            approval=sign_document(APPROVAL_KIND, approved, self._party.keys),
        )

    def _refusal(self, error: Against, note: Mapping[str, Any], now: datetime) -> KeyRefused:
        reasons = [{"code": reason.code, "message": reason.message} for reason in error.reasons]
        with self._home.log.turn() as turn:
            self._refusals.write(turn, {**note, "reasons": reasons}, now)
        return refused()


def _room_by(read: Callable[[datetime], RoomState], now: datetime) -> RoomState:
    try:
        return read(now)
    except ServiceUntrusted as error:
        raise against("record", str(error)) from error


def _enter_alone(stack: ExitStack, home: BrokerHome) -> None:
    try:
        stack.enter_context(locked(home.folder / RUNNING, wait=False))
    except BlockingIOError as error:
        raise HomeUnusable(
            f"another broker runs on {home.folder}",
            hint="one broker per home: leave that one running, or end it first",
        ) from error
