"""What the enclave costs: one question to a sandboxed, attested worker whose keys come from owners' brokers over HTTP.

Beside it the same worker as an ordinary process, with its keys at hand and nobody checking anything. Both take turns
on the same sealed tables of two owners; warm: started ahead, cold: not. Each question compares with all before it.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import uvicorn

from benchmarks.line import Bar, Line, Setting
from benchmarks.room_parties import DATASETS, RoomParties, room_parties
from benchmarks.room_tables import write_room_tables
from benchmarks.stopwatch import median, seconds_of
from cleanroom.broker.broker_home import BrokerHome
from cleanroom.governance.room_ids import new_query_id
from cleanroom.query.reader import read_query
from cleanroom.rules.reference_rules import reference_rules
from cleanroom.service.app import create_app
from cleanroom.service.opening import open_room
from cleanroom.service.room_parts import RoomParts
from cleanroom.service.room_server import RoomServer
from cleanroom.service.serving import first_credentials
from cleanroom.service.settings import RoomSettings
from cleanroom.worker.enclave_executor import WORKER_PROGRAM, EnclaveExecutor
from cleanroom.worker.executor import CommitRequest, GrantRequest
from cleanroom.worker.job import Job, JobTable
from cleanroom.worker.key_approval import APPROVAL_KIND, approval_body
from cleanroom.worker.key_exchange import Grant, confirmation, grant_context, state_key
from cleanroom.worker.statement import Statement
from privacy.enclave.attestation_document import AttestationDocument
from privacy.enclave.cose_sign1 import parse_sign1
from privacy.enclave.emulated_backend import EmulatedBackend
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.isolation import Isolation
from privacy.enclave.sandbox_profile import SandboxProfile
from privacy.sealing import new_key, open_sealed, seal_bytes, seal_message
from privacy.signed_document import sign_document

SQL = (
    "SELECT c.segment, COUNT(DISTINCT e.user_hash) AS matched FROM exposures e "
    "JOIN crm c ON e.user_hash = c.user_hash GROUP BY c.segment"
)
SETTLED_SECONDS = 2.5  # in which the enclave for the next question has loaded its libraries
ADDED = {"cold": Bar(0.4), "warm": Bar(0.1)}


def measure(setting: Setting) -> tuple[Line, ...]:
    """Cold and warm, plain and sandboxed; and how fast one thread opens a sealed file."""
    exposures, customers, repetitions = (30_000, 8_000, 2) if setting.quick else (1_000_000, 200_000, 9)
    folder = setting.scratch / "room-enclave"
    with _served(folder) as (parts, parties):
        parties.upload(write_room_tables(folder, parties.tag, exposures, customers).hashed)
        taken = _taken(folder, parts, parties, repetitions)
    lines: list[Line] = []
    for start, bar in ADDED.items():
        plain, sandboxed = taken[f"{start}, plain"], taken[f"{start}, sandboxed"]
        added, ratio = median(sandboxed) - median(plain), median(sandboxed) / median(plain)
        lines += [
            Line(f"{start}: plain worker", median(plain), "s", values=plain),
            Line(
                f"{start}: sandbox, attestation, keys from brokers", median(sandboxed), "s", values=sandboxed
            ),
            Line(f"{start}: what that adds", added, "s", bar),
            Line(f"{start}: sandboxed / plain", ratio, "x"),
        ]
    return (*lines, _decryption(20 if setting.quick else 400))


def _taken(
    folder: Path, parts: RoomParts, parties: RoomParties, repetitions: int
) -> dict[str, tuple[float, ...]]:
    """Seconds of every way, in turns; the first turn compiles and is not counted."""
    platform, plain = EmulatedPlatform.open(folder / "service" / "enclave"), SandboxProfile(Isolation.NONE)
    checked, unchecked = Asked(parts, parties), Asked(parts, parties)  # each remembers its own releases
    at_hand = KeysAtHand(parties)
    seconds: dict[str, list[float]] = {}
    with ExitStack() as closing:
        ways: dict[str, tuple[EnclaveExecutor, Asked]] = {}
        for start, warm in (("cold", 0), ("warm", 1)):
            backend = EmulatedBackend(WORKER_PROGRAM, platform, plain, warm=warm, debug=True)
            ways[f"{start}, plain"] = EnclaveExecutor(backend, at_hand), unchecked
            backend = EmulatedBackend(WORKER_PROGRAM, platform, SandboxProfile(), warm=warm)
            ways[f"{start}, sandboxed"] = EnclaveExecutor(backend, parts.brokers), checked
        for executor, _ in ways.values():
            closing.callback(executor.close)
        for turn in range(repetitions + 1):
            for name, (executor, questions) in ways.items():
                time.sleep(SETTLED_SECONDS)
                took = seconds_of(partial(questions.ask, executor))
                if turn:
                    seconds.setdefault(name, []).append(took)
    return {name: tuple(each) for name, each in seconds.items()}


@dataclass
class Asked:
    """The same question again and again, each on the state that the one before it left."""

    parts: RoomParts
    parties: RoomParties
    candidates: tuple[tuple[str, bytes], ...] = ()

    def ask(self, executor: EnclaveExecutor) -> None:
        """Raises when there is no answer."""
        outcome = executor.execute(self._job(), lambda state: None)
        assert outcome.state is not None
        assert len(outcome.release["body"]["result"]["rows"]) == 5
        self.candidates = ((outcome.state.id, outcome.state.sealed),)

    def _job(self) -> Job:
        collaboration, now = self.parties.home("crm").room.collaboration, datetime.now(UTC)
        ready = self.parts.governance.datasets.ready(collaboration, DATASETS, now=now)
        tables = tuple(
            JobTable(
                one.dataset.owner,
                one.dataset.rules,
                one.version.manifest,
                self.parts.vault.path(one.version.id).resolve(),
            )
            for one in ready
        )
        plan = read_query(SQL, reference_rules())
        query = new_query_id()
        return Job(query, collaboration, "analyst", now.date(), plan, tables, candidates=self.candidates)


class KeysAtHand:
    """Grants whatever is asked for, at once: what a worker costs when nobody checks it."""

    def __init__(self, parties: RoomParties) -> None:
        homes = (parties.home(dataset) for dataset in DATASETS)
        self._homes = {home.room.member: home for home in homes}
        self._committed: dict[str, str] = {}
        self._confirm_keys: dict[str, bytes] = {}

    def require_present(self, collaboration: str, owners: Sequence[str]) -> None:
        """They are."""

    def nonces(self, collaboration: str, owners: Sequence[str]) -> Mapping[str, bytes]:
        """Nobody will look at them."""
        return {owner: new_key() for owner in owners}

    def grants(self, request: GrantRequest) -> Mapping[str, bytes]:
        """Sealed for whatever key the document names."""
        statement = Statement.of(request.statement)
        public = AttestationDocument.of(parse_sign1(request.attestation).payload).public_key
        assert public is not None
        return {owner: self._grant(owner, statement, public) for owner in request.owners}

    def confirm(self, request: CommitRequest) -> Mapping[str, str]:
        """At once."""
        following = str(request.document["body"]["next"])
        self._committed = dict.fromkeys(request.owners, following)
        return {owner: confirmation(self._confirm_keys[owner], following) for owner in request.owners}

    def _grant(self, owner: str, statement: Statement, public: bytes) -> bytes:
        home = self._homes[owner]
        versions = [table.version for table in statement.tables if table.owner == owner]
        kept = BrokerHome(home.broker).keys
        self._confirm_keys[owner] = new_key()
        grant = Grant(
            dataset_keys={version: kept.get(version) for version in versions},
            state_key=state_key(home.identity_key.secret, statement.collaboration),
            committed=self._committed.get(owner),
            confirm_key=self._confirm_keys[owner],
            approval=sign_document(
                APPROVAL_KIND, approval_body(owner, statement.digest(), public), home.keys
            ),
        )
        return seal_message(grant.to_bytes(), public[:32], grant_context(owner, statement.digest()))


@contextmanager
def _served(folder: Path) -> Iterator[tuple[RoomParts, RoomParties]]:
    """A service in a thread of this process, so that its way to the brokers can be used without its schedule."""
    with socket.socket() as bound, open_room(RoomSettings(data=folder / "service")) as parts:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        configuration = uvicorn.Config(create_app(parts), log_config=None, access_log=False, ws="none")
        server = RoomServer(configuration, parts)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive()
        try:
            first = first_credentials(parts)
            assert first is not None
            url = f"http://127.0.0.1:{bound.getsockname()[1]}"
            with room_parties(folder / "homes", url, first.founding_code) as parties:
                yield parts, parties
        finally:
            server.should_exit = True
            thread.join()


def _decryption(megabytes: int) -> Line:
    """The best of five: what the processor can do, not what else the machine does."""
    key, context = new_key(), {"purpose": "benchmark"}
    sealed = io.BytesIO(seal_bytes(key, bytes(megabytes * 1_000_000), context))

    def opened() -> None:
        sealed.seek(0)
        open_sealed(sealed, key, context)

    fastest = min(seconds_of(opened) for _ in range(5))
    return Line(
        "opening a sealed file, one thread", megabytes / 1000 / fastest, "GB/s", Bar(1.0, at_least=True)
    )
