"""Release files as an attested worker signs them, made here in a blink: a genuine one, and any that lies."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cleanroom.partner.release_verification import ReleaseTrust
from cleanroom.query.reader import read_query
from cleanroom.rules.analysis_rule import Mode
from cleanroom.worker.key_approval import APPROVAL_KIND, approval_body
from cleanroom.worker.release_document import KIND, Origin, attested_body
from cleanroom.worker.statement import StatedTable, Statement, nonce_of
from privacy.canonical_json import digest_of
from privacy.enclave.emulated_platform import EmulatedPlatform
from privacy.enclave.measurement import Measurement
from privacy.party_keys import PartyKeys
from privacy.signed_document import sign_document
from tests.cleanroom.service.small_tables import document

SQL = "SELECT region, COUNT(DISTINCT person) AS people FROM crm GROUP BY region"
PLAN = read_query(SQL, {"crm": document()})
CODE = Measurement({0: b"\x11" * 48, 1: b"\x22" * 48, 2: b"\x33" * 48})
VERSION = "ver-abcdefgh23456722"


@dataclass(frozen=True)
class AttestedWorker:
    """A worker with keys of its own on a platform, whose root is what partners pinned. `owners` gave it keys."""

    platform: EmulatedPlatform
    collaboration: str = "col-abcdefgh23456722"
    keys: PartyKeys = field(default_factory=lambda: PartyKeys.generate("enclave"))
    measurement: Measurement = CODE
    owners: Mapping[str, PartyKeys] = field(default_factory=dict)

    @classmethod
    def on_new_platform(cls, folder: Path, **changes: Any) -> AttestedWorker:
        """With a root of its own."""
        return cls(EmulatedPlatform.open(folder), **changes)

    @property
    def trust(self) -> ReleaseTrust:
        """As a partner has it who pinned this root and runs this code."""
        return ReleaseTrust(self.collaboration, self.platform.root, {CODE.code: "this installation's"})

    def statement(self, **changes: Any) -> Statement:
        """What the genuine release was attested for."""
        table = StatedTable("crm", "acme", VERSION, "5" * 64, digest_of(document().canonical()))
        stated = Statement(
            collaboration=self.collaboration,
            query_id="qry-abcdefgh23456722",
            asker="agency",
            plan_digest=PLAN.digest(),
            mode=Mode.THRESHOLD,
            template=None,
            reuse=False,
            epsilon=0.0,
            delta=0.0,
            tables=(table,),
            nonces={"acme": b"\x07" * 32},
        )
        return replace(stated, **changes)

    def attestation(self, statement: Statement, **changes: Any) -> bytes:
        """The platform's document for this worker; `changes`: what it says instead."""
        public = self.keys.public
        said = {
            "public_key": public.sealing + public.signing,
            "user_data": statement.digest(),
            "nonce": nonce_of(statement.nonces),
            "module_id": "i-emulated-enc-1",
            **changes,
        }
        return self.platform.attest(self.measurement, **said)

    def body(self, statement: Statement | None = None, attestation: bytes | None = None) -> dict[str, Any]:
        """The body of the genuine release, or with another statement or attestation in it."""
        stated = statement or self.statement()
        document_ = attestation or self.attestation(stated)
        approvals = {owner: self.approval(owner, stated, keys) for owner, keys in self.owners.items()}
        origin = Origin(stated, document_, self.measurement.code, approvals)
        body = _unsigned(self.collaboration)
        if stated.reuse:
            body["earlier"] = {"query_id": "qry-2222222222222222", "release_digest": "6" * 64}
        return attested_body(body, origin)

    def approval(self, owner: str, statement: Statement, keys: PartyKeys) -> dict[str, Any]:
        """As the owner's broker signs that it gave its keys for the statement."""
        public = self.keys.public
        said = approval_body(owner, statement.digest(), public.sealing + public.signing)
        return sign_document(APPROVAL_KIND, said, keys)

    def signed(self, body: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Signed by this worker, whatever it says."""
        return sign_document(KIND, {**body, **changes}, self.keys)


def enclosed(attestation: bytes) -> dict[str, str]:
    """The part of a release that holds the attestation."""
    text = base64.b64encode(attestation).decode()
    return {"document": text, "sha256": hashlib.sha256(attestation).hexdigest()}


def _unsigned(collaboration: str) -> dict[str, Any]:
    result = {
        "columns": [{"name": "region", "type": "varchar"}, {"name": "people", "type": "bigint"}],
        "rows": [["north", 160], ["south", 80]],
    }
    return {
        "format": "mixroom-release/2",
        "collaboration": collaboration,
        "query_id": "qry-abcdefgh23456722",
        "asked_by": "agency",
        "issued_on": "2026-03-02",
        "plan": PLAN.model_dump(mode="json"),
        "plan_digest": PLAN.digest(),
        "result": result,
        "result_digest": digest_of(result),
        "notice": "numbers of fewer than 50 people are withheld",
        "protection": {
            "mode": "threshold",
            "min_group_size": 50,
            "largest_share": 0.5,
            "epsilon": 0.0,
            "delta": 0.0,
        },
        "policies": [{"dataset": "crm", "owner": "acme", "digest": digest_of(document().canonical())}],
        "datasets": [{"dataset": "crm", "version": VERSION, "sealed_sha256": "4" * 64}],
        "charge": {"epsilon": 0.0, "delta": 0.0, "query_id": "qry-abcdefgh23456722"},
        "history": {"before": "", "after": "8" * 64, "full": False},
        "cells": None,
        "cells_mac": None,
        "earlier": None,
    }
