"""A room as brokers see it: signed documents, an emulated platform, a worker's keys, and one owner's broker.

`adv` owns `visits`, `bea` owns `crm`, `dan` asks. The broker under test is adv's.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from cleanroom.broker.allowed_code import InstalledCode
from cleanroom.broker.broker_home import BrokerHome
from cleanroom.broker.key_broker import BrokerParty, KeyBroker
from cleanroom.broker.release_log import verify_release_log
from cleanroom.datasets.sealed_table import SealedTableManifest, StoredType, TableContext
from cleanroom.governance.principal import MemberRole
from cleanroom.governance.proposal_text import ProposalKind, proposal_body
from cleanroom.governance.room_ids import new_query_id, new_version_id
from cleanroom.governance.terms import IdentityTerms, Terms, acceptance_body, new_collaboration_id
from cleanroom.rules.analysis_rule import Mode, RuleDocument
from cleanroom.worker.key_exchange import COMMIT_KIND, Commit, Grant, grant_context
from cleanroom.worker.statement import StatedTable, Statement, nonce_of, plain_nonces
from privacy.canonical_json import digest_of
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.measurement import Measurement
from privacy.party_keys import PartyKeys
from privacy.sealing import new_key
from privacy.signed_document import sign_document

FULL, REDUCED, FOREIGN = (
    Measurement({number: bytes([kind]) * 48 for number in (0, 1, 2)}) for kind in b"frx"
)
INSTALLED = InstalledCode(FULL.code, REDUCED.code)
IDENTITY_SECRET = bytes(range(32))
REFUSAL = "an owner's key broker did not release its key"


@dataclass
class Uploaded:
    """A table in the room: what was sealed, and under which key."""

    manifest: SealedTableManifest
    key: bytes

    @property
    def version(self) -> str:
        return self.manifest.context.version


@dataclass
class BrokerRoom:
    """Everything around a broker. Time stands still unless `now` is moved."""

    folder: Path
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    keys: dict[str, PartyKeys] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    uploads: dict[str, Uploaded] = field(default_factory=dict)
    rules: dict[str, RuleDocument] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    reads: int = 0

    def __post_init__(self) -> None:
        for name in ("adv", "bea", "dan"):
            self.keys[name] = PartyKeys.generate(name)
        self.terms = Terms(
            collaboration=new_collaboration_id(),
            name="Autumn campaign",
            founder="adv",
            roles=frozenset({MemberRole.OWNER}),
            keys=self.keys["adv"].public,
            identity=IdentityTerms("email", "uid2", "1a2b3c4d"),
        )
        self.platform = EmulatedPlatform.open(self.folder / "platform", clock=lambda: self.now)
        self.worker = PartyKeys.generate("enclave")
        self.add("bea", MemberRole.OWNER)
        self.add("dan", MemberRole.ANALYST)
        for owner, dataset in (("adv", "visits"), ("bea", "crm")):
            self.put_rules(owner, dataset)
            self.uploads[dataset] = self.upload(owner, dataset)
        self.home = BrokerHome(self.folder / "broker")
        self.keep("visits")
        self.broker = self.opened_broker()

    @property
    def collaboration(self) -> str:
        return self.terms.collaboration

    def opened_broker(self) -> KeyBroker:
        """adv's broker."""
        party = BrokerParty(
            keys=self.keys["adv"],
            collaboration=self.collaboration,
            terms_digest=self.terms.digest,
            identity_secret=IDENTITY_SECRET,
            enclave_root=self.platform.root,
        )
        return KeyBroker(self.home, party, INSTALLED, self.record, clock=lambda: self.now)

    def restarted(self) -> KeyBroker:
        """The broker after its process ended and began anew, on what the disk holds."""
        self.broker.close()
        self.home = BrokerHome(self.folder / "broker")
        self.broker = self.opened_broker()
        return self.broker

    # --- the record -------------------------------------------------------------------------------------------

    def record(self) -> dict[str, Any]:
        """As the service hands it over."""
        self.reads += 1
        terms = sign_document("terms", self.terms.body(), self.keys["adv"])
        return {"collaboration": self.collaboration, "terms": terms, "events": list(self.events)}

    def agree(self, proposer: str, kind: ProposalKind, content: dict[str, Any]) -> None:
        """A proposal that every owner signed."""
        sequence = len(self.events) + 1
        body = proposal_body(self.collaboration, kind, content, sequence)
        signers = {proposer, "adv", *(name for name in self.owners.values())}
        self.events.append(
            {
                "event": "proposal",
                "kind": str(kind),
                "sequence": sequence,
                "proposer": proposer,
                "content": content,
                "signatures": [sign_document("proposal", body, self.keys[name]) for name in sorted(signers)],
            }
        )

    def add(self, name: str, role: MemberRole) -> None:
        """A member joins."""
        self.agree("adv", ProposalKind.MEMBERSHIP, {"member": name, "roles": [str(role)]})
        keys = self.keys.setdefault(name, PartyKeys.generate(name))
        body = acceptance_body(
            self.terms.digest, self.collaboration, member=name, roles=frozenset({role}), keys=keys.public
        )
        self.events.append({"event": "joined", "document": sign_document("acceptance", body, keys)})
        if role is MemberRole.OWNER:
            self.owners[name] = name

    def put_rules(self, owner: str, dataset: str, **rule: Any) -> None:
        """Rules in force from now on."""
        columns = {"person": {"role": "identity"}, "channel": {"role": "dimension"}}
        document = RuleDocument.of({"dataset": dataset, "columns": columns, "rule": rule})
        self.agree(owner, ProposalKind.RULES, {"document": document.canonical()})
        self.rules[dataset] = document
        self.owners[dataset] = owner

    def approve_template(self, name: str, sql: str, *datasets: str) -> None:
        """A template in force."""
        content = {"name": name, "template": {"sql": sql}, "datasets": list(datasets)}
        self.agree("adv", ProposalKind.TEMPLATE, content)

    # --- tables -----------------------------------------------------------------------------------------------

    def upload(self, owner: str, dataset: str) -> Uploaded:
        """A sealed table of the dataset, under a new key."""
        context = TableContext(self.collaboration, dataset, new_version_id(), owner, "1a2b3c4d")
        manifest = SealedTableManifest(
            context=context,
            rows=1000,
            sealed_bytes=4096,
            sealed_sha256=os.urandom(32).hex(),
            columns={"person": StoredType.IDENTITY, "channel": StoredType.TEXT},
            policy_digest=digest_of(self.rules[dataset].canonical()),
            created=date(2026, 11, 26),
            nonce=os.urandom(16).hex(),
        )
        return Uploaded(manifest, new_key())

    def keep(self, dataset: str) -> Uploaded:
        """adv keeps the key of its upload."""
        uploaded = self.uploads[dataset]
        self.home.keep_key(uploaded.manifest, uploaded.key, now=self.now)
        return uploaded

    # --- a worker's question ----------------------------------------------------------------------------------

    def statement(self, *datasets: str, mode: Mode = Mode.THRESHOLD, **changes: Any) -> Statement:
        """dan's question on the datasets, with a nonce of adv's broker; in dp mode at epsilon 1."""
        tables = tuple(self.stated(dataset) for dataset in datasets or ("visits",))
        nonces = {table.owner: os.urandom(32) for table in tables}
        if "adv" in nonces:
            nonces["adv"] = self.broker.nonces()[0]
        noised = mode is Mode.DP
        statement = Statement(
            collaboration=self.collaboration,
            query_id=new_query_id(),
            asker="dan",
            plan_digest=os.urandom(32).hex(),
            mode=mode,
            template=None,
            reuse=False,
            epsilon=1.0 if noised else 0.0,
            delta=1e-8 if noised else 0.0,
            tables=tables,
            nonces=nonces,
        )
        return replace(statement, **changes)

    def stated(self, dataset: str, **changes: Any) -> StatedTable:
        """The table as a worker states it."""
        uploaded = self.uploads[dataset]
        table = StatedTable(
            dataset=dataset,
            owner=self.owners[dataset],
            version=uploaded.version,
            manifest_digest=digest_of(uploaded.manifest.to_plain()),
            policy_digest=digest_of(self.rules[dataset].canonical()),
        )
        return replace(table, **changes)

    def attest(self, statement: Statement, **changes: Any) -> bytes:
        """What the platform says of the worker that makes this statement."""
        fields = {
            "public_key": self.worker.public.sealing + self.worker.public.signing,
            "user_data": statement.digest(),
            "nonce": nonce_of(statement.nonces),
            **changes,
        }
        measurement = fields.pop("measurement", FULL)
        platform = fields.pop("platform", self.platform)
        document: bytes = platform.attest(measurement, module_id="worker", **fields)
        return document

    def request(self, statement: Statement, **attested: Any) -> dict[str, Any]:
        """What reaches the broker."""
        return {
            "id": "request-1",
            "kind": "grant",
            "statement": statement.to_plain(),
            "attestation": base64.b64encode(self.attest(statement, **attested)).decode(),
            "nonces": plain_nonces(statement.nonces),
            "document": None,
        }

    def granted(self, statement: Statement) -> Grant:
        """The keys, as the worker opens them."""
        sealed = self.broker.grant(self.request(statement))
        return Grant.of(self.worker.open_message(sealed, grant_context("adv", statement.digest())))

    def commit(self, statement: Statement, grant: Grant, *, following: str, **changes: Any) -> dict[str, Any]:
        """The worker's wish to commit, signed. Other owners had committed nothing."""
        previous: dict[str, str | None] = dict.fromkeys(statement.owners)
        previous["adv"] = grant.committed
        commit = Commit(
            collaboration=statement.collaboration,
            query_id=statement.query_id,
            statement=statement.digest().hex(),
            previous=previous,
            next=following,
        )
        body = {**commit.body(), **changes}
        return sign_document(COMMIT_KIND, body, self.worker)

    # --- what the owner sees ----------------------------------------------------------------------------------

    def logged(self) -> list[tuple[str, Any]]:
        """Every line of the verified log, as (what, body)."""
        return [(one.kind, one.body) for one in verify_release_log(self.folder / "broker" / "log.jsonl")]

    def last_reasons(self) -> list[str]:
        """The codes of the newest line, which is a refusal."""
        kind, body = self.logged()[-1]
        assert kind == "refused"
        return [reason["code"] for reason in body["reasons"]]

    def later(self, **span: float) -> None:
        """Time passes."""
        self.now += timedelta(**span)
