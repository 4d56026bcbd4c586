"""Two owners with a table each, their brokers, and jobs over both: crm of the advertiser, panel of the publisher.

crm: 200 people in the north, 119 in the south, 10 of the south on their own in the segment `few`. panel: the first
300 of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cleanroom.datasets.sealed_table import SealedTable, TableContext
from cleanroom.datasets.table_sealing import TableSealing, seal_table
from cleanroom.query.reader import read_query
from cleanroom.rules.analysis_rule import RuleDocument
from cleanroom.worker.executor import CommitRequest, GrantRequest
from cleanroom.worker.job import Job, JobTable, JobTemplate, SealedState
from cleanroom.worker.key_approval import APPROVAL_KIND, approval_body
from cleanroom.worker.key_exchange import COMMIT_KIND, Commit, Grant, confirmation, grant_context, state_key
from cleanroom.worker.statement import Statement, nonce_of
from privacy.enclave.attestation_document import AttestationDocument
from privacy.enclave.cose_sign1 import parse_sign1
from privacy.identifiers import IdentifierKind, IdentifierRule, IdentityKey
from privacy.party_keys import PartyKeys
from privacy.sealing import new_key, seal_message
from privacy.signed_document import open_document, sign_document

COLLABORATION = "col-a"
ASKED_ON = date(2026, 3, 31)
IDENTITY = IdentityKey(b"\x07" * 32, IdentifierKind.ID, IdentifierRule.OPAQUE)
STATE_KEY = state_key(b"\x07" * 32, COLLABORATION)
OWNERS = {"crm": "advertiser", "panel": "publisher"}
SIGNING = {owner: PartyKeys.generate(owner) for owner in OWNERS.values()}
COLUMNS = {"person": {"role": "identity"}, "region": {"role": "dimension"}, "segment": {"role": "dimension"}}
REGIONS = ["north"] * 200 + ["south"] * 119
SEGMENTS = ["many"] * 309 + ["few"] * 10
TOKENS = IDENTITY.tokens([f"person {number}" for number in range(len(REGIONS))])

BOTH = """SELECT c.region, COUNT(DISTINCT c.person) AS people
FROM crm c JOIN panel p ON p.person = c.person GROUP BY c.region"""
CRM_ALONE = "SELECT region, COUNT(DISTINCT person) AS people FROM crm GROUP BY region"
PANEL_ALONE = "SELECT region, COUNT(DISTINCT person) AS people FROM panel GROUP BY region"
ONE_REGION = "SELECT COUNT(DISTINCT person) AS people FROM crm WHERE region = :region"


def document(dataset: str, *, noised: bool = False, **rule: Any) -> RuleDocument:
    """At least 20 people a number, or an epsilon of 1 a query."""
    dp = {"privacy": "dp", "dp": {"epsilon_budget": 100.0, "epsilon_per_query": 1.0}} if noised else {}
    rules = {"min_group_size": 20, **dp, **rule}
    return RuleDocument.of({"dataset": dataset, "columns": COLUMNS, "rule": rules})


@dataclass(frozen=True)
class Tables:
    """Both tables sealed under their owners' keys."""

    sealed: Mapping[str, SealedTable]
    keys: Mapping[str, bytes] = field(repr=False)  # by version

    @classmethod
    def sealed_in(cls, folder: Path) -> Tables:
        """Written to `folder`."""
        sealed, keys = {}, {}
        for dataset, people in (("crm", len(TOKENS)), ("panel", 300)):
            columns = {"person": TOKENS, "region": REGIONS, "segment": SEGMENTS}
            path = folder / f"{dataset}.parquet"
            pq.write_table(pa.table({name: values[:people] for name, values in columns.items()}), path)
            version, key = f"ver-{dataset}", new_key()
            context = TableContext(COLLABORATION, dataset, version, OWNERS[dataset], IDENTITY.tag)
            sealing = TableSealing(document(dataset), context, ASKED_ON)
            sealed[dataset] = seal_table(path, folder / f"{dataset}.sealed", sealing, key=key)
            keys[version] = key
        return cls(sealed, keys)

    def job(self, sql: str, *, noised: bool = False, **changes: Any) -> Job:
        """As an honest service makes it."""
        rule = changes.pop("rule", {})
        template: JobTemplate | None = changes.get("template")
        everything = {dataset: document(dataset, noised=noised, **rule) for dataset in OWNERS}
        plan = read_query(sql, everything, template.parameters if template else {})
        read = [dataset for dataset in OWNERS if dataset in sql]
        tables = tuple(
            JobTable(
                OWNERS[dataset],
                everything[dataset],
                self.sealed[dataset].manifest.to_plain(),
                self.sealed[dataset].path,
            )
            for dataset in read
        )
        return replace(Job("qry-a", COLLABORATION, "analyst", ASKED_ON, plan, tables), **changes)


@dataclass
class Brokers:
    """Both owners' brokers, honest unless a test puts something of its own in their place."""

    keys: Mapping[str, bytes] = field(repr=False)
    committed: dict[str, str] = field(default_factory=dict)
    confirm_keys: dict[str, bytes] = field(default_factory=dict, repr=False)
    asked: list[GrantRequest] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)

    def require_present(self, collaboration: str, owners: Sequence[str]) -> None:
        """They are."""

    def nonces(self, collaboration: str, owners: Sequence[str]) -> Mapping[str, bytes]:
        return {owner: new_key() for owner in owners}

    def grants(self, request: GrantRequest) -> Mapping[str, bytes]:
        self.asked.append(request)
        statement, attested = Statement.of(request.statement), vouched_for(request.attestation)
        assert attested.user_data == statement.digest()
        assert attested.nonce == nonce_of(request.nonces)
        assert statement.nonces == request.nonces
        assert attested.public_key is not None
        return {owner: self.sealed_grant(owner, statement, attested.public_key) for owner in statement.owners}

    def sealed_grant(self, owner: str, statement: Statement, public_key: bytes) -> bytes:
        content = self.grant(owner, statement, public_key).to_bytes()
        return seal_message(content, public_key[:32], grant_context(owner, statement.digest()))

    def grant(self, owner: str, statement: Statement, public_key: bytes) -> Grant:
        self.confirm_keys[owner] = new_key()
        versions = [table.version for table in statement.tables if table.owner == owner]
        keys = {} if statement.reuse else {version: self.keys[version] for version in versions}
        body = approval_body(owner, statement.digest(), public_key)
        approval = sign_document(APPROVAL_KIND, body, SIGNING[owner])
        return Grant(keys, STATE_KEY, self.committed.get(owner), self.confirm_keys[owner], approval)

    def confirm(self, request: CommitRequest) -> Mapping[str, str]:
        attested = vouched_for(self.asked[-1].attestation)
        assert attested.public_key is not None
        body = open_document(request.document, kind=COMMIT_KIND, public_key=attested.public_key[32:])
        commit = Commit.of(body)
        assert commit.statement == Statement.of(self.asked[-1].statement).digest().hex()
        self.commits.append(commit)
        return {owner: self.confirmed(owner, commit) for owner in request.owners}

    def confirmed(self, owner: str, commit: Commit) -> str:
        """Compare and swap, as a broker does it."""
        assert commit.previous[owner] == self.committed.get(owner)
        self.committed[owner] = commit.next
        return confirmation(self.confirm_keys[owner], commit.next)


def vouched_for(attestation: bytes) -> AttestationDocument:
    """What the document says; whether it is genuine is another test's business."""
    return AttestationDocument.of(parse_sign1(attestation).payload)


@dataclass
class Memory:
    """What the room keeps of states: one in force, and one prepared after it."""

    current: tuple[str, bytes] | None = None
    pending: tuple[str, bytes] | None = None

    @property
    def candidates(self) -> tuple[tuple[str, bytes], ...]:
        return tuple(kept for kept in (self.current, self.pending) if kept is not None)

    def prepare(self, state: SealedState) -> None:
        if self.pending is not None and state.base == self.pending[0]:
            self.current = self.pending
        assert state.base == (self.current[0] if self.current else None)
        self.pending = (state.id, state.sealed)

    def finish(self) -> None:
        self.current, self.pending = self.pending, None
