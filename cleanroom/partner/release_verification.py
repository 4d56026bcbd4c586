"""A release verified without the service: who attested what made it, and whether its parts belong together.

Proves: the root that was pinned on joining attested a worker of a measurement that is trusted here, for exactly this
question under exactly these rules and tables at this price, and that worker signed this result; with the
collaboration's record at hand, that every owner gave this worker its keys for it, and signed those rules if they are
still in force.
Not proved: what the root itself is worth (an emulated one does not protect against the root of its machine), that the
tables hold the truth, and that nothing was withheld: a release never says so.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from cleanroom.errors import KeyRefused, ReleaseUnverified
from cleanroom.governance.record import verify_record
from cleanroom.partner.owners_signatures import WITHOUT_RECORD, by_owners, unverified
from cleanroom.partner.release_words import not_proved_words, proved_words
from cleanroom.query.plan import Plan, scans_of
from cleanroom.worker.release_document import FORMAT, KIND
from cleanroom.worker.statement import Statement
from privacy.canonical_json import digest_of
from privacy.enclave.attestation_verifier import AttestationPolicy, Attested, verify_kept_attestation
from privacy.errors import AttestationRefused, NotCanonical, SignatureRefused
from privacy.signed_document import open_document

SEALING_BYTES = 32  # of the attested public key; the rest verifies signatures


@dataclass(frozen=True)
class ReleaseTrust:
    """What a release must go back to.

    root: the certificate (DER) that was pinned on joining. measurements: register 0 in hex -> whose it is, in words.
    """

    collaboration: str
    root: bytes
    measurements: Mapping[str, str]


@dataclass(frozen=True)
class VerifiedRelease:
    """A genuine release: its body, and what was and was not proved about it, in words."""

    body: Mapping[str, Any]
    proved: tuple[str, ...]
    not_proved: tuple[str, ...]


def verify_release(document: object, trust: ReleaseTrust, *, record: object = None) -> VerifiedRelease:
    """The release, if it is genuine. Raises ReleaseUnverified naming the part that does not fit.

    `record`: the collaboration's signed documents. Without them a worker that the platform attested could have been
    given tables of somebody's own making: what it says is then told as not proved.
    """
    try:
        attested = _attested(document, trust)
        body = open_document(document, kind=KIND, public_key=attested.public_key[SEALING_BYTES:])
        _require_consistent(body, trust.collaboration)
        statement = _statement(body, attested)
        _require_trusted(attested, trust)
        proved = proved_words(body, statement, attested, trust.measurements)
        not_proved = not_proved_words(body, attested)
        signed = (
            WITHOUT_RECORD if record is None else by_owners(body, statement, attested, verify_record(record))
        )
    except SignatureRefused as error:
        raise unverified("its signature is not that of the attested worker") from error
    except (KeyError, TypeError, ValueError, AttributeError, ValidationError, NotCanonical) as error:
        raise unverified("it lacks a part of a release") from error
    return VerifiedRelease(body, (*proved, *signed.proved), (*signed.not_proved, *not_proved))


def _attested(document: object, trust: ReleaseTrust) -> Attested:
    """What the attestation in the document proves; only that it is in the document is taken from there."""
    if not isinstance(document, Mapping):
        raise TypeError("not a document")
    enclosed = document["body"]["attestation"]
    content = base64.b64decode(enclosed["document"], validate=True)
    try:
        attested = verify_kept_attestation(content, AttestationPolicy((trust.root,), frozenset()))
    except AttestationRefused as error:
        raise unverified("the root that was pinned on joining did not attest its worker") from error
    if enclosed != {"document": enclosed["document"], "sha256": hashlib.sha256(content).hexdigest()}:
        raise unverified("it names another attestation than it holds")
    return attested


def _require_consistent(body: Mapping[str, Any], collaboration: str) -> None:
    if body["format"] != FORMAT:
        raise unverified("it has another format than this version reads")
    if body["collaboration"] != collaboration:
        raise unverified("it is of another collaboration")
    plan = Plan.model_validate(body["plan"])
    if plan.digest() != body["plan_digest"]:
        raise unverified("the digest of its plan is another")
    if digest_of(body["result"]) != body["result_digest"]:
        raise unverified("the digest of its result is another")
    read = {scan.dataset for release in plan.releases for scan in scans_of(release.source)}
    named = [{item["dataset"] for item in body[part]} for part in ("policies", "datasets")]
    if named != [read, read]:
        raise unverified("its plan reads other datasets than it names")
    titles = [column["name"] for column in body["result"]["columns"]]
    if titles != list(plan.titles) or any(len(row) != len(titles) for row in body["result"]["rows"]):
        raise unverified("its result has other columns than its plan")


def _statement(body: Mapping[str, Any], attested: Attested) -> Statement:
    """What the worker was attested for: nothing else than what the release says of itself."""
    try:
        statement = Statement.of(body["statement"])
    except KeyRefused as error:
        raise unverified("it holds no statement of what was asked") from error
    if statement.digest() != attested.user_data or body["measurement"] != attested.measurement.code:
        raise unverified("its worker was attested for something else")
    if _said_in(body) != _stated(statement):
        raise unverified("its worker was attested for another question, table, rule or price")
    return statement


def _said_in(body: Mapping[str, Any]) -> dict[str, Any]:
    owners = {item["dataset"]: (item["owner"], item["digest"]) for item in body["policies"]}
    return {
        "collaboration": body["collaboration"],
        "query_id": body["query_id"],
        "asker": body["asked_by"],
        "plan": body["plan_digest"],
        "mode": body["protection"]["mode"],
        "reuse": body["earlier"] is not None,
        "charge": (body["charge"]["epsilon"], body["charge"]["delta"], body["charge"]["query_id"]),
        "tables": sorted(
            (item["dataset"], item["version"], *owners[item["dataset"]]) for item in body["datasets"]
        ),
    }


def _stated(statement: Statement) -> dict[str, Any]:
    return {
        "collaboration": statement.collaboration,
        "query_id": statement.query_id,
        "asker": statement.asker,
        "plan": statement.plan_digest,
        "mode": statement.mode.value,
        "reuse": statement.reuse,
        "charge": (statement.epsilon, statement.delta, statement.query_id),
        "tables": [
            (table.dataset, table.version, table.owner, table.policy_digest) for table in statement.tables
        ],
    }


def _require_trusted(attested: Attested, trust: ReleaseTrust) -> None:
    code = attested.measurement.code
    if code not in trust.measurements:
        raise ReleaseUnverified(
            f"this release was made by code with measurement {code}, which is neither this installation's nor allowed",
            hint="it may be genuine and of another version: if you trust that version's `mixroom enclave measure`, "
            f"add --allow {code}",
        )
